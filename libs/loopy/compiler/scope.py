"""What the prose and the condition of one step may refer to, and the type of each reference."""

from collections.abc import Callable, Mapping, Sequence

import msgspec

from loopy.compiler.fault import Fault
from loopy.compiler.graph import Graph
from loopy.diagnostics.diagnostic import Label
from loopy.diagnostics.span import Span
from loopy.diagnostics.suggest import article, did_you_mean, listed, nearest
from loopy.types.model import JSON, UNKNOWN, Enum, Fragment, ListOf, MapOf, Maybe, Record, Scalar, Type, Unknown
from loopy.types.parse import print_type

EVENT = "event"

Known = frozenset[str]
"""The dotted references that a surrounding condition has shown to be there."""

NOTHING_KNOWN: Known = frozenset()


class Part(msgspec.Struct, frozen=True):
    """One name of a dotted reference, and its offset in the text."""

    name: str
    start: int

    @property
    def end(self) -> int:
        """The offset behind the name."""
        return self.start + len(self.name)


class Source(msgspec.Struct, frozen=True):
    """What one name offers: the record of its fields (UNKNOWN where they were wrong), where each is declared, and
    whether the name is a step's: then its fields are outputs."""

    kind: Type
    declared: Mapping[str, Span] = {}
    is_step: bool = False


class Seen(msgspec.Struct, frozen=True):
    """A reference that was looked up. `skipped` is the step without which the value is null, or empty."""

    kind: Type
    dotted: str = ""
    skipped: str = ""

    @property
    def optional(self) -> bool:
        """Whether the value may be null."""
        return isinstance(self.kind, Maybe)


UNSEEN = Seen(UNKNOWN)


class Scope(msgspec.Struct, frozen=True):
    """The view from one step.

    `event_name` is what the event is called in messages. `steps` holds every step of the workflow; `graph` says which
    of them are upstream. An `open` scope belongs to a step whose place in the graph is not known: any step will do.
    """

    step: str
    event_name: str
    event: Source
    steps: Mapping[str, Source]
    graph: Graph | None
    open: bool = False

    def look_up(self, parts: Sequence[Part], known: Known, report: Callable[[Fault], None]) -> Seen:
        """The type of a dotted reference; a fault is reported once, and the reference then has an unknown type."""
        head = parts[0]
        if head.name == EVENT:
            return descend(Seen(self.event.kind, EVENT), parts, self.event, known, report)
        fault = self._unreachable(parts)
        if fault is not None:
            report(fault)
            return UNSEEN
        skipped = self._may_be_skipped(head.name)
        source = self.steps[head.name]
        seen = descend(Seen(source.kind, head.name), parts, source, known, report)
        if not skipped or any(reference.partition(".")[0] == head.name for reference in known):
            return seen
        return Seen(optional(seen.kind), seen.dotted, head.name)

    def _may_be_skipped(self, step: str) -> bool:
        return self.graph is not None and not self.open and self.graph.may_be_skipped(step, self.step)

    def _upstream(self) -> list[str]:
        """The steps that can be read from here."""
        if self.open or self.graph is None:
            return [name for name in self.steps if name != self.step]
        return [name for name in self.steps if self.graph.is_upstream(name, self.step)]

    def _unreachable(self, parts: Sequence[Part]) -> Fault | None:
        """Why the first name cannot be referred to from here, or None."""
        head = parts[0]
        if head.name not in self.steps:
            return self._no_such_name(parts)
        if head.name == self.step:
            return Fault(
                "LP310",
                f"`{head.name}` cannot read its own output",
                head.start,
                len(head.name),
                help="refer to the event, or to a step that runs before this one",
            )
        if self.open or self.graph is None or self.graph.is_upstream(head.name, self.step):
            return None
        if self.graph.is_upstream(self.step, head.name):
            help_ = f"`{head.name}` runs after `{self.step}`; only what runs before it can be read"
        else:
            help_ = f"add `{head.name}` to `after:` of `{self.step}`"
        return Fault(
            "LP310",
            f"`{head.name}` does not run before `{self.step}`",
            head.start,
            len(head.name),
            label="not upstream of this step",
            help=help_,
        )

    def _no_such_name(self, parts: Sequence[Part]) -> Fault:
        head = parts[0]
        if len(parts) > 1:
            there = [EVENT, *self._upstream()]
            help_ = did_you_mean(head.name, there) or f"here you can refer to {listed(there)}"
            return Fault(
                "LP304",
                f"there is no step `{head.name}` in this workflow",
                head.start,
                len(head.name),
                label="unknown step",
                help=help_,
            )
        homes = [EVENT] if head.name in _fields(self.event.kind) else []
        homes += [name for name in self._upstream() if head.name in _fields(self.steps[name].kind)]
        if homes:
            help_ = f"write `{homes[0]}.{head.name}`"
        else:
            help_ = did_you_mean(head.name, [EVENT, *self._upstream()]) or "write `event.<field>` or `<step>.<field>`"
        return Fault("LP311", f"`{head.name}` is not defined here", head.start, len(head.name), help=help_)


def descend(seen: Seen, parts: Sequence[Part], source: Source, known: Known, report: Callable[[Fault], None]) -> Seen:
    """From a value to the field of a field of it, as far as `parts` goes after its first."""
    for depth, part in enumerate(parts[1:], 1):
        kind = seen.kind
        if isinstance(kind, Maybe):
            if seen.dotted not in known:
                report(_maybe_absent(seen, parts, part))
                return UNSEEN
            kind = kind.inner
        field = _field(kind, part.name)
        if field is None:
            report(_no_field(kind, seen, parts, part, source if depth == 1 else Source(kind)))
            return UNSEEN
        seen = Seen(field, f"{seen.dotted}.{part.name}")
    if isinstance(seen.kind, Maybe) and seen.dotted in known:
        return Seen(seen.kind.inner, seen.dotted)
    return seen


def optional(kind: Type) -> Type:
    """`kind`, or null."""
    return kind if isinstance(kind, Maybe | Unknown) else Maybe(kind)


def _field(kind: Type, name: str) -> Type | None:
    """The type of a field; None when there is no such field."""
    match kind:
        case Record():
            return kind.field(name)
        case MapOf():
            return optional(kind.value)
        case Unknown() | Fragment():
            return UNKNOWN
        case Scalar(name="json"):
            return JSON
        case Scalar() | Enum() | ListOf() | Maybe():
            return None


def _fields(kind: Type) -> tuple[str, ...]:
    return kind.names if isinstance(kind, Record) else ()


def _no_field(kind: Type, seen: Seen, parts: Sequence[Part], part: Part, source: Source) -> Fault:
    start = parts[0].start
    if not isinstance(kind, Record):
        spelled = print_type(kind)
        return Fault(
            "LP607",
            f"`{seen.dotted}` is {article(spelled)} `{spelled}`, which has no fields",
            start,
            part.end - start,
            help=f"write `{seen.dotted}`"
            + (", or go through it with `{% for … %}`" if isinstance(kind, ListOf) else ""),
        )
    near = nearest(part.name, kind.names)
    what = "output" if source.is_step and "." not in seen.dotted else "field"
    also = (Label(source.declared[near], "closest match"),) if near in source.declared and near else ()
    if near:
        help_ = f"write `{seen.dotted}.{near}`"
    elif kind.names:
        help_ = f"`{seen.dotted}` has {listed(kind.names)}"
    else:
        help_ = f"`{seen.dotted}` has no {what}s; declare them under its `output:`"
    headline = f"`{seen.dotted}` has no {what} `{part.name}`"
    return Fault("LP302", headline, start, part.end - start, "unknown field", also, help_)


def _maybe_absent(seen: Seen, parts: Sequence[Part], part: Part) -> Fault:
    start = parts[0].start
    return Fault(
        "LP606",
        f"`{seen.dotted}` may be null, and then it has no `{part.name}`",
        start,
        part.end - start,
        label="optional value",
        help=f"ask first: `{{% if {seen.dotted} %}}…{{% endif %}}` in prose, `{seen.dotted} != null and …` in `when`",
    )
