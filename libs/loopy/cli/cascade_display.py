"""Showing cascades as they happen: a tree that changes in place on a terminal, a line for each fact in a pipe."""

import asyncio
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Self

from loopy.cli.cascade_tree import cascade_branches, rich_tree
from loopy.cli.fact_lines import told
from loopy.cli.screen import Line, Piece, Screen, counted, duration, line
from loopy.cli.seen_facts import SeenFacts
from loopy.compiler.plan import Plan
from loopy.runs.cascade import Cascade
from loopy.runs.records import EventRouted, Record, RunEnded, RunFailed

if TYPE_CHECKING:
    from rich.console import Group
    from rich.live import Live

REFRESH_S = 0.08
SHOWN_AT_ONCE = 5


class Display:
    """A line for each fact. `only` names the one cascade to show; None shows all."""

    def __init__(self, screen: Screen, plans: Mapping[str, Plan], only: str | None = None) -> None:
        self.screen = screen
        self.seen = SeenFacts(plans)
        self._only = only

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return

    def see(self, record: Record) -> Cascade | None:
        """Show a fact; gives its cascade when that is done with it, and lets go of it."""
        identity = self.seen.add(record)
        if self._only not in (None, identity):
            return None
        self._tell(record, identity)
        if identity is None or not isinstance(record, RunEnded | RunFailed | EventRouted):
            return None
        cascade = self.seen.cascade(identity)
        if not cascade.done:
            return None
        self._finish(cascade)
        self.seen.forget(identity)
        return cascade

    def say(self, shown: Line | str = ()) -> None:
        """Print a line that is no fact."""
        self.screen.line(shown)

    def _tell(self, record: Record, cascade: str | None) -> None:
        self.screen.lines(told(record, self.seen))

    def _finish(self, cascade: Cascade) -> None:
        """A cascade is done: its lines are told already."""


class LiveDisplay(Display):
    """A tree for each cascade under way, redrawn in place; the tree of one that is done stays where it was drawn."""

    def __init__(self, screen: Screen, plans: Mapping[str, Plan], only: str | None = None) -> None:
        super().__init__(screen, plans, only)
        self._under_way: dict[str, None] = {}
        self._redraw: asyncio.TimerHandle | None = None
        self._live = self._new_live()

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._redraw is not None:
            self._redraw.cancel()
        self._live.update(self._trees(), refresh=True)
        self._live.stop()

    def _new_live(self) -> "Live":
        from rich.live import Live

        return Live(console=self.screen.console, auto_refresh=False, redirect_stdout=False, redirect_stderr=False)

    def _tell(self, record: Record, cascade: str | None) -> None:
        if cascade is None:  # it began before we watched: there is no tree to hang it on
            super()._tell(record, cascade)
            return
        self._under_way[cascade] = None
        if self._redraw is None:
            self._redraw = asyncio.get_running_loop().call_later(REFRESH_S, self._draw)

    def _draw(self) -> None:
        self._redraw = None
        self._live.update(self._trees(), refresh=True)

    def _trees(self) -> "Group":
        from rich.console import Group

        shown = list(self._under_way)[-SHOWN_AT_ONCE:]
        trees = [rich_tree(branch) for identity in shown for branch in cascade_branches(self.seen.cascade(identity))]
        more = len(self._under_way) - len(shown)
        return Group(*trees, *([f"and {counted(more, 'cascade')} more"] if more else []))

    def _finish(self, cascade: Cascade) -> None:
        self._under_way.pop(cascade.id, None)
        self._live.update(self._trees())
        for branch in cascade_branches(cascade):
            self.screen.console.print(rich_tree(branch))
        self._live.refresh()


def display(screen: Screen, plans: Mapping[str, Plan], only: str | None = None) -> Display:
    """The display that fits the screen."""
    return (LiveDisplay if screen.is_terminal else Display)(screen, plans, only)


def summary(cascade: Cascade) -> Line:
    """What a cascade came to, on one line; the time is from its first run's start to its last run's end."""
    verdict = Piece("✗ failed", "bad") if cascade.failed else Piece("✓ done", "ok")
    amounts = " · ".join(
        (
            counted(len(cascade.runs), "run"),
            counted(sum(step.progress == "succeeded" for step in cascade.steps), "step"),
            counted(len(cascade.events), "event"),
        )
    )
    begun = [run.started_at for run in cascade.runs if run.started_at]
    ended = [run.ended_at for run in cascade.runs if run.ended_at]
    took = f" in {duration((max(ended) - min(begun)).total_seconds())}" if begun and ended else ""
    return line(verdict, f"  {amounts}{took}")
