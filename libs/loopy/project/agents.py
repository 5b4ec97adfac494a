"""`agents:` and `defaults:` of the registry, with both spellings of a harness."""

import re

from loopy.diagnostics.diagnostic import Label
from loopy.project.model import AgentDecl, HarnessDecl, Located, Word
from loopy.project.names import check_name
from loopy.project.shapes import Shapes
from loopy.project.tree import Entry, Pairs, Text

_TOOL = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}|[A-Za-z0-9][A-Za-z0-9_-]{0,63}/[A-Za-z0-9_./-]{1,128}")
_DEFAULT_KEYS = ("harness", "model", "run", "sandbox", "role", "tools", "skills")


def read_agents(shapes: Shapes, entry: Entry) -> tuple[AgentDecl, ...]:
    """Every agent that is registered."""
    pairs = shapes.pairs(entry, "a map of agents")
    return tuple(_named_agent(shapes, agent) for agent in (pairs.entries if pairs else ()))


def read_defaults(shapes: Shapes, entry: Entry) -> AgentDecl | None:
    """`defaults: { agent: … }`: what holds for every agent that does not say otherwise."""
    found = shapes.table(entry, ("agent",))
    return _agent(shapes, found["agent"]) if "agent" in found else None


def _named_agent(shapes: Shapes, entry: Entry) -> AgentDecl:
    check_name(shapes, Located(entry.key.text, entry.key.span), "an agent")
    return _agent(shapes, entry)


def _agent(shapes: Shapes, entry: Entry) -> AgentDecl:
    name = Located(entry.key.text, entry.key.span)
    if isinstance(entry.value, Text) and entry.value.is_null:
        return AgentDecl(name)
    keys = shapes.table(entry, _DEFAULT_KEYS, "an agent")
    role = shapes.word(keys["role"], "text") if "role" in keys else None
    return AgentDecl(
        name=name,
        harness=_harness(shapes, keys),
        sandbox=shapes.word(keys["sandbox"]) if "sandbox" in keys else None,
        role=role.value if role else None,
        tools=_tools(shapes, keys["tools"]) if "tools" in keys else None,
        skills=shapes.list_of_words(keys["skills"]) if "skills" in keys else None,
    )


def _tools(shapes: Shapes, entry: Entry) -> tuple[Word, ...] | None:
    """The tools of an agent that can be tools: the name of a function, or a server's or provider's tool."""
    words = shapes.list_of_words(entry)
    if words is None:
        return None
    for word in words:
        if not _TOOL.fullmatch(word.value):
            hint = "a tool is called like `open_pr`, a `@tool` function, or `linear/create_issue`, of an MCP server"
            shapes.report("LP206", f"a tool cannot be called `{word.value}`", word.span, "not a tool's name", hint=hint)
    return tuple(word for word in words if _TOOL.fullmatch(word.value))


def _harness(shapes: Shapes, agent: dict[str, Entry]) -> HarnessDecl:
    """`harness: { runtime: codex, model: gpt-5 }`, or `harness: codex` with `model:` (and `run:`) beside it."""
    inner: dict[str, Entry] = {}
    runtime: Word | None = None
    if (entry := agent.get("harness")) is not None:
        if isinstance(entry.value, Pairs):
            inner = shapes.table(entry, ("runtime", "model", "run"))
            runtime = shapes.word(inner["runtime"], "a runtime") if "runtime" in inner else None
        else:
            runtime = shapes.word(entry, "a runtime, or a map with runtime, model, run")
    both = {key: _one_of(shapes, key, inner, agent) for key in ("model", "run")}
    model, run = both["model"], both["run"]
    command = shapes.words(run, "a program and its arguments") if run else None
    return HarnessDecl(
        runtime=runtime,
        model=shapes.word(model, "a model's name") if model else None,
        run=tuple(word.value for word in command) if command else None,
    )


def _one_of(shapes: Shapes, key: str, inner: dict[str, Entry], outer: dict[str, Entry]) -> Entry | None:
    """The entry of a key that may stand inside or beside `harness`, but not in both places."""
    first, second = inner.get(key), outer.get(key)
    if first is not None and second is not None:
        also = (Label(first.key.span, "and here"),)
        hint = "keep the one inside `harness`"
        shapes.report(
            "LP203", f"`{key}` is written twice for this agent", second.key.span, "here", also=also, hint=hint
        )
    return first or second
