"""A whole project: every file read by its kind, and everything that is wrong with any of them."""

from collections.abc import Mapping
from typing import Any

from loopy.diagnostics.diagnostic import Diagnostic
from loopy.project import registry
from loopy.project.model import ProjectDecl, RegistryDecl, SensorDecl, SkillDecl, StepDecl, ToolDecl
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

    def project(self) -> ProjectDecl:
        return ProjectDecl(
            sources=self._sources,
            registry=self._registry,
            steps=tuple(self._steps),
            sensors=tuple(self._sensors),
            tools=tuple(self._tools),
            skills=tuple(self._skills),
        )

    def read(self, path: str, content: bytes) -> None:
        """One file. A file that belongs to no kind is left alone, unless it could not be read at all."""
        kind = _kind(path)
        if kind is None and not isinstance(content, Unreadable):
            return
        text, diagnostics = read_text(path, content)
        self._sources[path] = text
        if diagnostics:
            self.diagnostics += diagnostics
            self._unread(path, kind)
        else:
            self._known(kind, path, text)

    def _unread(self, path: str, kind: str | None) -> None:
        """What stands in for a file whose text could not be read, so that it is not missed elsewhere."""
        if kind == "step":
            self._steps.append(read_step(path, "")[0])
        elif kind == "skill":
            self._skills.append(read_skill(path, "")[0])

    def _known(self, kind: str | None, path: str, text: str) -> None:
        match kind:
            case "registry":
                self._registry = self._take(registry.read_registry(text))
            case "step":
                self._steps.append(self._take(read_step(path, text)))
            case "skill":
                self._skills.append(self._take(read_skill(path, text)))
            case "sensors":
                from loopy.project.sensors import read_sensors

                self._sensors += self._take(read_sensors(path, text))
            case "tools":
                from loopy.project.tools import read_tools

                self._tools += self._take(read_tools(path, text))

    def _take(self, found: tuple[Any, list[Diagnostic]]) -> Any:
        value, diagnostics = found
        self.diagnostics += diagnostics
        return value


def _kind(path: str) -> str | None:
    """What a path's file is: `registry`, `step`, `skill`, `sensors`, `tools`, or None."""
    if path == registry.PATH:
        return "registry"
    top, _, rest = path.partition("/")
    match top:
        case "workflows":
            workflow, _, step = rest.partition("/")
            return "step" if workflow and step.endswith(".md") and "/" not in step else None
        case "skills":
            return "skill" if rest.rpartition("/")[2] == "SKILL.md" else None
        case "sensors" | "tools":
            return top if rest.endswith(".py") else None
        case _:
            return None
