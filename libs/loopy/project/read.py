"""A whole project: every file read by its kind, and everything that is wrong with any of them."""

from collections.abc import Mapping
from typing import Any, Literal

from loopy.diagnostics.diagnostic import Diagnostic
from loopy.project import registry
from loopy.project.model import ProjectDecl, RegistryDecl, SensorDecl, SkillDecl, StepDecl, ToolDecl, Word
from loopy.project.places import Kind, kind_of, misplaced
from loopy.project.skills import read_skill
from loopy.project.stepfile import read_step
from loopy.project.text import Unreadable, read_text


def read_project(files: Mapping[str, bytes]) -> tuple[ProjectDecl, list[Diagnostic]]:
    """The project of these files (paths with forward slashes → bytes). Never raises, whatever the files hold."""
    reader = _ProjectReader()
    for path in sorted(files):
        reader.read(path, files[path])
    return reader.project(), reader.diagnostics


class _ProjectReader:
    """A project that is being read, file by file."""

    def __init__(self) -> None:
        self.diagnostics: list[Diagnostic] = []
        self._sources: dict[str, str] = {}
        self._registry = RegistryDecl()
        self._steps: list[StepDecl] = []
        self._sensors: list[SensorDecl] = []
        self._tools: list[ToolDecl] = []
        self._skills: list[SkillDecl] = []
        self._event_classes: list[Word] = []

    def project(self) -> ProjectDecl:
        return ProjectDecl(
            sources=self._sources,
            registry=self._registry,
            steps=tuple(self._steps),
            sensors=tuple(self._sensors),
            tools=tuple(self._tools),
            skills=tuple(self._skills),
            event_classes=tuple(self._event_classes),
        )

    def read(self, path: str, content: bytes) -> None:
        """One file. A file that belongs to no kind is left alone, unless it could not be read at all."""
        kind = kind_of(path)
        if kind is None and not isinstance(content, Unreadable):
            return
        if kind == "misplaced":
            self.diagnostics.append(misplaced(path))
            return
        text, diagnostics = read_text(path, content)
        self._sources[path] = text
        if diagnostics:
            self.diagnostics += diagnostics
            self._unread(path, kind)
        else:
            self._known(kind, path, text)

    def _unread(self, path: str, kind: Kind | None) -> None:
        """What stands in for a file whose text could not be read, so that it is not missed elsewhere."""
        if kind == "step":
            self._steps.append(read_step(path, "")[0])
        elif kind == "skill":
            self._skills.append(read_skill(path, "")[0])

    def _known(self, kind: Kind | None, path: str, text: str) -> None:
        match kind:
            case "registry":
                self._registry = self._take(registry.read_registry(text))
            case "step":
                self._steps.append(self._take(read_step(path, text)))
            case "skill":
                self._skills.append(self._take(read_skill(path, text)))
            case "sensors" | "tools":
                self._python(kind, path, text)

    def _python(self, kind: Literal["sensors", "tools"], path: str, text: str) -> None:
        from loopy.project.python import PythonFile  # with its parser, only where there is a file of Python

        file = PythonFile(path, text)
        if kind == "sensors":
            from loopy.project.sensors import read_sensors

            self._sensors += read_sensors(file)
        else:
            from loopy.project.tools import read_tools

            self._tools += read_tools(file)
        self._event_classes += file.event_classes
        self.diagnostics += file.diagnostics

    def _take(self, found: tuple[Any, list[Diagnostic]]) -> Any:
        value, diagnostics = found
        self.diagnostics += diagnostics
        return value
