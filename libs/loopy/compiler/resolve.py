"""Every name that a project declares, and which of them are used."""

from collections.abc import Callable, Iterable, Mapping

import msgspec

from loopy.diagnostics.diagnostic import Diagnostic, Label
from loopy.diagnostics.span import Span
from loopy.diagnostics.suggest import listed, nearest
from loopy.project.model import AgentDecl, EventDecl, ProjectDecl, RegistryDecl, SandboxDecl, SkillDecl, Word

Report = Callable[[Diagnostic], None]

REGISTRY = "registry.yml"


class Kind(msgspec.Struct, frozen=True):
    """A kind of named thing: its code when a name is unknown, and where such things are declared."""

    code: str
    noun: str
    home: str


AGENT = Kind("LP301", "agent", "`agents:` in registry.yml")
EVENT = Kind("LP303", "event", "`events:` in registry.yml")
SANDBOX = Kind("LP305", "sandbox", "`sandboxes:` in registry.yml")
SKILL = Kind("LP306", "skill", "`skills/<name>/SKILL.md`")


class Broken(msgspec.Struct, frozen=True):
    """The files in which the reader found errors: what is missing from them was perhaps meant to be there."""

    paths: frozenset[str]
    unparsed: frozenset[str]

    @classmethod
    def of(cls, diagnostics: Iterable[Diagnostic]) -> "Broken":
        """The files of these errors; those whose syntax was wrong (`LP1xx`) may have lost anything."""
        errors = [d for d in diagnostics if d.severity == "error"]
        syntax = frozenset(d.span.path for d in errors if d.code.startswith("LP1"))
        return cls(frozenset(d.span.path for d in errors), syntax)

    def syntax(self, path: str) -> bool:
        """Whether this file's syntax was wrong."""
        return path in self.unparsed

    def file(self, path: str) -> bool:
        """Whether this file has errors."""
        return path in self.paths

    def under(self, directory: str) -> bool:
        """Whether some file of this directory has errors."""
        return any(path.startswith(f"{directory}/") for path in self.paths)


class Names:
    """What may be referred to. `used` grows as references are resolved: pairs of a noun and a name."""

    def __init__(self, project: ProjectDecl, broken: Broken) -> None:
        registry = project.registry
        self.agents: Mapping[str, AgentDecl] = {agent.name.value: agent for agent in registry.agents}
        self.sandboxes: Mapping[str, SandboxDecl] = {sandbox.name.value: sandbox for sandbox in registry.sandboxes}
        self.events: Mapping[str, EventDecl] = {event.name.value: event for event in registry.events}
        self.skills: Mapping[str, SkillDecl] = {skill.reference: skill for skill in project.skills}
        self.tools = frozenset(tool.name.value for tool in project.tools)
        self.servers = frozenset(server.name.value for server in registry.mcp_servers)
        self.workflows = frozenset(step.workflow for step in project.steps)
        self.used: set[tuple[str, str]] = set()
        # One that is there but declares nothing is as good as none: what the steps name is missing all at once.
        self.has_registry = registry.path in project.sources and (registry != RegistryDecl() or broken.file(REGISTRY))
        self._broken = broken

    def resolve(self, kind: Kind, word: Word, report: Report) -> bool:
        """Whether the name is declared; if not, it is reported once, and what was probably meant counts as used."""
        declared = self._declared(kind)
        if word.value in declared:
            self.used.add((kind.noun, word.value))
            return True
        if not self._is_whole(kind):
            return False
        near = nearest(word.value, declared)
        if near:
            self.used.add((kind.noun, near))
        report(_unknown(kind, word, near, declared))
        return False

    def _declared(self, kind: Kind) -> Mapping[str, Span]:
        """Where the names of a kind are declared."""
        if kind is SKILL:
            return {name: Span.of(skill.path, 1, 1) for name, skill in self.skills.items()}
        declarations: Iterable[AgentDecl | EventDecl | SandboxDecl]
        if kind is AGENT:
            declarations = self.agents.values()
        elif kind is EVENT:
            declarations = self.events.values()
        else:
            declarations = self.sandboxes.values()
        return {declaration.name.value: declaration.name.span for declaration in declarations}

    def _is_whole(self, kind: Kind) -> bool:
        """Whether what is declared is all there is: nothing of it was lost to an error in a file."""
        if kind is SKILL:
            return not self._broken.under("skills")
        if not self.has_registry or self._broken.syntax(REGISTRY):
            return False
        return bool(self._declared(kind)) or not self._broken.file(REGISTRY)


def report_repeats(words: Iterable[Word], report: Report) -> list[Word]:
    """The words without those that are written a second time, each of which is reported."""
    first: dict[str, Word] = {}
    for word in words:
        if word.value not in first:
            first[word.value] = word
            continue
        also = (Label(first[word.value].span, "first written here"),)
        report(Diagnostic("LP406", f"`{word.value}` is written twice", word.span, also=also, help="remove one of them"))
    return list(first.values())


def _unknown(kind: Kind, word: Word, near: str | None, declared: Mapping[str, Span]) -> Diagnostic:
    also = (Label(declared[near], "closest match"),) if near and kind is not SKILL else ()
    if near:
        help_ = f"did you mean `{near}`?"
    elif declared and len(declared) <= 6:
        help_ = f"declare it {_at(kind, word)}, or use {listed(sorted(declared))}"
    else:
        help_ = f"declare it {_at(kind, word)}"
    headline = f"there is no {kind.noun} `{word.value}`"
    return Diagnostic(kind.code, headline, word.span, f"unknown {kind.noun}", also, help_)


def _at(kind: Kind, word: Word) -> str:
    if kind is not SKILL:
        return f"under {kind.home}"
    name = word.value.removeprefix("skills/").removesuffix("/SKILL.md")
    return f"as `skills/{name}/SKILL.md`" if name and ".." not in name else f"as {kind.home}"
