"""A cascade as a tree of lines: events, the runs that they started, their steps, what those emitted. Pure."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, assert_never

import msgspec

from loopy.cli.fact_lines import refusal_line, retry_hint, standing_piece
from loopy.cli.screen import (
    BROKEN,
    BUSY,
    DONE,
    LEADS_TO,
    SKIPPED,
    WAITING,
    Line,
    Piece,
    counted,
    duration,
    line,
    rich_text,
    short,
    shorten,
    values,
)
from loopy.runs.cascade import Cascade, CascadeEvent, CascadeRun, CascadeStep, Progress

if TYPE_CHECKING:
    from rich.tree import Tree


class Branch(msgspec.Struct, frozen=True):
    """A line and what hangs on it."""

    label: Line
    children: tuple["Branch", ...] = ()


def cascade_branches(cascade: Cascade) -> list[Branch]:
    """The tree of each root; one waiting line where nothing was routed yet."""
    if not cascade.roots:
        return [Branch(line(Piece(WAITING, "dim"), f" {short(cascade.id)}  waiting for the dispatcher"))]
    return [event_branch(root) for root in cascade.roots]


def event_branch(event: CascadeEvent) -> Branch:
    """An event and its runs."""
    note = "" if event.routed else "  on its way"
    if event.routed and not event.runs and not event.refused:
        note = "  starts no workflow"
    label = line(Piece(event.type, "name"), Piece(f"  {short(event.id)}{note}", "dim"))
    refused = [Branch(refusal_line(refusal)[1:]) for refusal in event.refused]
    return Branch(label, (*map(run_branch, event.runs), *refused))


def run_branch(run: CascadeRun) -> Branch:
    """A run and its steps."""
    outcome = standing_piece(run.outcome, paused=run.paused)
    by = f"  by {run.by}" if run.by else ""
    took = f"  {duration((run.ended_at - run.started_at).total_seconds())}" if run.ended_at and run.started_at else ""
    label = line(Piece(run.workflow, "name"), "  ", outcome, by, took, Piece(f"  run {short(run.run)}", "dim"))
    hint = (Branch(line(retry_hint(run.run))),) if run.can_resume else ()
    return Branch(label, (*map(_step_branch, run.steps), *hint))


def _step_branch(step: CascadeStep) -> Branch:
    took = f"  {duration(step.duration_s)}" if step.duration_s is not None else ""
    tries = f"  {counted(step.attempts, 'attempt')}" if step.attempts > 1 else ""
    told = Piece(f"  {values(step.output)}" if step.output else "", "dim")
    why = Piece(f"  {shorten(step.detail, 200)}" if step.detail else "", "bad")
    label = line(_symbol(step.progress), f" {step.name}{took}{tries}", told, why)
    return Branch(label, tuple(_emitted(event) for event in step.emitted))


def _emitted(event: CascadeEvent) -> Branch:
    branch = event_branch(event)
    return Branch(line(Piece(f"{LEADS_TO} ", "busy"), *branch.label), branch.children)


def _symbol(progress: Progress) -> Piece:
    match progress:
        case "succeeded":
            return Piece(DONE, "ok")
        case "failed":
            return Piece(BROKEN, "bad")
        case "cancelled":
            return Piece(BROKEN, "dim")
        case "running":
            return Piece(BUSY, "busy")
        case "retrying":
            return Piece(BUSY, "warn")
        case "waiting" | "blocked":
            return Piece(WAITING, "dim")
        case "skipped":
            return Piece(SKIPPED, "dim")
        case _:
            assert_never(progress)


def drawn(branch: Branch) -> Iterator[Line]:
    """The tree as lines, drawn with plain characters."""
    yield branch.label
    for child in branch.children:
        stem, rest = ("└── ", "    ") if child is branch.children[-1] else ("├── ", "│   ")
        first, *others = drawn(child)
        yield line(Piece(stem, "dim"), *first)
        yield from (line(Piece(rest, "dim"), *other) for other in others)


def rich_tree(branch: Branch, parent: "Tree | None" = None) -> "Tree":
    """The tree as rich draws it, cut at the terminal's width."""
    from rich.tree import Tree

    options: dict[str, Any] = {"guide_style": "dim"}
    text = rich_text(branch.label)
    text.overflow = "ellipsis"
    tree = Tree(text, **options) if parent is None else parent.add(text, **options)
    for child in branch.children:
        rich_tree(child, tree)
    return tree
