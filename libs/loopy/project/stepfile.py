"""Step files: `workflows/<workflow>/<step>.md`, a header that wires the step, and its prose."""

from collections.abc import Callable
from typing import Any, Literal, cast

from loopy.diagnostics.diagnostic import Diagnostic
from loopy.diagnostics.span import Span
from loopy.project.fields import read_fields
from loopy.project.frontmatter import Headed, read_headed
from loopy.project.model import BudgetDecl, ConcurrencyDecl, EmitDecl, Located, RetryDecl, StepDecl, Word
from loopy.project.names import check_name, name_problem
from loopy.project.shapes import Shapes
from loopy.project.tree import Entry, Items, Lost, Pairs, Text
from loopy.project.trigger import read_trigger

MAX_EMITS = 10_000


def read_step(path: str, text: str) -> tuple[StepDecl, list[Diagnostic]]:
    """The step of a file whose path is `workflows/<workflow>/<step>.md`."""
    headed, diagnostics = read_headed(path, text)
    shapes = Shapes(diagnostics, shape="LP115", unknown="LP114")
    _check_names(shapes, path)
    found = shapes.known(headed.header, _READERS, "a step") if headed.header else {}
    values = _values(shapes, found)
    if headed.header is not None and not headed.prose.text.strip():
        _no_prose(shapes, path, headed)
    _, workflow, file = path.split("/")
    step = StepDecl(
        workflow=workflow,
        name=file.removesuffix(".md"),
        path=path,
        span=Span.of(path, 1, 1, len(text.split("\n", 1)[0])),
        prose=headed.prose,
        keys={name: entry.key.span for name, entry in found.items()},
        **values,
    )
    return step, diagnostics


def _check_names(shapes: Shapes, path: str) -> None:
    _, workflow, file = path.split("/")
    for what, name in (("workflow", workflow), ("step", file.removesuffix(".md"))):
        if problem := name_problem(name):
            shapes.report("LP118", f"a {what} cannot be called `{name}`", Span(path), hint=f"rename it: {problem}")
            return


def _no_prose(shapes: Shapes, path: str, headed: Headed) -> None:
    last = headed.prose.line - 1
    hint = "write below the header what the agent is to do"
    shapes.report(
        "LP117", "this step says nothing to its agent", Span.of(path, last, 1, 3), "no prose follows", hint=hint
    )


def _values(shapes: Shapes, found: dict[str, Entry]) -> dict[str, Any]:
    """The arguments of `StepDecl` that the keys give; a value that is wrong has its default."""
    values: dict[str, Any] = {}
    for key, entry in found.items():
        value = _READERS[key](shapes, entry)
        if value is not None:
            values["pool" if key == "executors" else key] = value
    return values


def _after(shapes: Shapes, entry: Entry) -> tuple[Word, ...] | None:
    words = shapes.words(entry, "a step or a list of steps")
    if words == () and isinstance(entry.value, Items) and not entry.value.items:
        shapes.wrong(entry, "a step or a list of steps", hint="the step that comes first has `on:` instead")
    if words and isinstance(entry.value, Text) and "," in words[0].value:
        names = words[0].value
        shapes.wrong(entry, "a step or a list of steps", hint=f"did you mean `after: [{names}]`?")
        return None
    return words


def _emits(shapes: Shapes, entry: Entry) -> tuple[EmitDecl, ...]:
    match entry.value:
        case Pairs(entries=(event, Entry(key=Text(text="max"), value=Text() as most))) if most.number() is not None:
            _beside(shapes, event, most)
            return ()
        case Pairs():
            return tuple(_capped(shapes, event) for event in entry.value.entries)
        case Lost():
            return ()
        case _:
            words = shapes.words(entry, "an event, a list of events, or { Event: { max: 5 } }")
            return tuple(EmitDecl(word) for word in words or ())


def _beside(shapes: Shapes, event: Entry, most: Text) -> None:
    """Report `emits: { event: Done, max: 5 }`, a likely guess."""
    name = event.value.text if event.key.text == "event" and isinstance(event.value, Text) else event.key.text
    hint = f"did you mean `emits: {{ {name}: {{ max: {most.text} }} }}`?"
    shapes.report(
        "LP115", "`max` stands beside its event, not below it", most.span, "expected below the event", hint=hint
    )


def _capped(shapes: Shapes, entry: Entry) -> EmitDecl:
    event = Located(entry.key.text, entry.key.span)
    if isinstance(entry.value, Text) and entry.value.is_null:
        return EmitDecl(event)
    found = shapes.table(entry, ("max",))
    return EmitDecl(event, shapes.integer(found["max"], 1, MAX_EMITS) if "max" in found else None)


def _when(shapes: Shapes, entry: Entry) -> Word | None:
    return shapes.word(entry, 'an expression such as review.verdict == "pass"')


def _budget(shapes: Shapes, entry: Entry) -> BudgetDecl:
    found = shapes.table(entry, ("wall_clock", "spend"))
    wall_clock = shapes.duration(found["wall_clock"], minutes=True) if "wall_clock" in found else None
    spend = shapes.usd(found["spend"]) if "spend" in found else None
    return BudgetDecl(entry.place, wall_clock, spend)


def _retry(shapes: Shapes, entry: Entry) -> RetryDecl:
    found = shapes.table(entry, ("attempts", "backoff", "max_backoff"))
    attempts = shapes.integer(found["attempts"], 1, 100) if "attempts" in found else None
    backoff, longest = (shapes.duration(found[key]) if key in found else None for key in ("backoff", "max_backoff"))
    return RetryDecl(attempts, backoff.value if backoff else None, longest.value if longest else None)


def _concurrency(shapes: Shapes, entry: Entry) -> ConcurrencyDecl | None:
    found = shapes.table(entry, ("name", "key", "limit"))
    if not found:
        return None
    name = shapes.word(found["name"]) if "name" in found else None
    if name is not None:
        check_name(shapes, name, "a concurrency limit", "LP115")
    key = shapes.word(found["key"], "text, such as {{ event.repo }} in quotes") if "key" in found else None
    limit = shapes.integer(found["limit"], 1) if "limit" in found else 1
    return ConcurrencyDecl(entry.place, limit or 1, name, key)


def _catch_up(shapes: Shapes, entry: Entry) -> Located[Literal["one", "all", "none"]] | None:
    return cast("Located[Literal['one', 'all', 'none']] | None", shapes.choice(entry, ("one", "all", "none")))


def _overlap(shapes: Shapes, entry: Entry) -> Located[Literal["skip", "queue", "allow"]] | None:
    return cast("Located[Literal['skip', 'queue', 'allow']] | None", shapes.choice(entry, ("skip", "queue", "allow")))


def _workspace(shapes: Shapes, entry: Entry) -> str | None:
    word = shapes.choice(entry, ("run", "step"))
    return word.value if word else None


def _executors(shapes: Shapes, entry: Entry) -> Word | None:
    found = shapes.table(entry, ("pool",))
    return shapes.word(found["pool"]) if "pool" in found else None


def _priority(shapes: Shapes, entry: Entry) -> int | None:
    return shapes.integer(entry, 1, 9)


_READERS: dict[str, Callable[[Shapes, Entry], Any]] = {
    "on": read_trigger,
    "after": _after,
    "agent": Shapes.word,
    "output": read_fields,
    "emits": _emits,
    "when": _when,
    "budget": _budget,
    "retry": _retry,
    "concurrency": _concurrency,
    "catch_up": _catch_up,
    "overlap": _overlap,
    "workspace": _workspace,
    "executors": _executors,
    "priority": _priority,
}
