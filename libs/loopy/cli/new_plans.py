"""Under `loopy run` an edit becomes the plan by which new runs are started, or it is told why it does not."""

import asyncio
import os
import time
from collections.abc import Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from loopy.bus.errors import BusError
from loopy.cli.banner import new_addresses
from loopy.cli.edits import Stamps, edits
from loopy.cli.projects import seen_from_here
from loopy.cli.screen import BROKEN, DONE, Line, Piece, counted, line
from loopy.compiler.compile import Compiled, compile_project
from loopy.compiler.plan import Plan
from loopy.diagnostics import render
from loopy.diagnostics.diagnostic import Diagnostic
from loopy.diagnostics.render.full import full
from loopy.kit.current_plan import CurrentPlan
from loopy.kit.errors import CannotStart
from loopy.project.files import ProjectMissing, load_files

if TYPE_CHECKING:
    from loopy.cli.cascade_display import Display

SHOWN_HASH = 8


class NewPlans:
    """Takes a project's edits. `stamps` are those of the files before `compiled` was made of them."""

    def __init__(
        self, project: Path, compiled: Compiled, current: CurrentPlan, stamps: Stamps, *, rehearse: bool
    ) -> None:
        self._project = project
        self._shown_project = seen_from_here(project)  # later on the directory that we are in may be another
        self._current = current
        self._stamps = stamps
        self._rehearse = rehearse
        self._namespace = current.plan.namespace
        self._tried: dict[str, bytes] | None = None
        self._is_broken = False
        self._warned = _warnings(compiled)
        self._remarked = set(remarks(current.plan, rehearse=rehearse))

    async def follow(self, shown: "Display", plans: dict[str, Plan], http_url: str) -> None:
        """Take every edit from now on; each plan that is served is added to `plans` by its hash."""
        async with aclosing(edits(self._project, self._stamps)) as changes:
            async for noticed in changes:
                before = self._current.plan
                if await self._take(shown, noticed):
                    plans[self._current.hash] = self._current.plan
                    shown.screen.lines(new_addresses(before, self._current.plan, http_url, datetime.now(UTC)))

    async def _take(self, shown: "Display", noticed: float) -> bool:
        """Take an edit that was `noticed` then, and tell what came of it; whether another plan is served."""
        try:
            files = await asyncio.to_thread(load_files, self._project)
        except ProjectMissing as error:
            self._tried = None
            return self._refuse(shown, "there is no project any more", [str(error)])
        if files == self._tried:
            return False
        self._tried = files
        compiled = await asyncio.to_thread(compile_project, files)
        self._show(shown, compiled)
        if compiled.plan is None:
            errors = [found for found in compiled.diagnostics if found.severity == "error"]
            return self._refuse(shown, render.counted(errors))
        self._warned = _warnings(compiled)
        return await self._switch(shown, compiled.plan, noticed)

    async def _switch(self, shown: "Display", plan: Plan, noticed: float) -> bool:
        """Serve new runs by this plan, if all services can."""
        before, was_broken = self._current.hash, self._is_broken
        try:
            hold_runnable(plan, rehearse=self._rehearse)
            await self._current.switch(plan)
        except (CannotStart, BusError) as error:
            self._tried = None  # what is missing may be there when the same files are saved again
            return self._refuse(shown, "it compiles, but cannot be served", str(error).splitlines())
        self._is_broken = False
        if self._current.hash == before:
            if was_broken:
                shown.say(line(Piece(f"{DONE} ", "ok"), f"it can be served again · {self._goes_on()}"))
            return False
        counts = f"{counted(len(plan.workflows), 'workflow')} · {counted(plan.step_count, 'step')}"
        took = Piece(f" ({(time.perf_counter() - noticed) * 1000:.0f} ms)", "dim")
        serves = f"plan {self._current.hash[:SHOWN_HASH]}… serves new runs · {counts}"
        shown.say(line(Piece(f"{DONE} ", "ok"), serves, took))
        self._remark(shown, plan)
        return True

    def _refuse(self, shown: "Display", why: str, reasons: Sequence[str] = ()) -> bool:
        self._is_broken = True
        shown.say(line(Piece(f"{BROKEN} ", "bad"), f"{why} · {self._goes_on()}"))
        shown.screen.lines(f"  {reason}" for reason in reasons)
        return False

    def _goes_on(self) -> str:
        return f"plan {self._current.hash[:SHOWN_HASH]}… goes on serving new runs"

    def _show(self, shown: "Display", compiled: Compiled) -> None:
        """Show the errors, and the warnings that there were not when the project compiled last."""
        new = [found for found in compiled.diagnostics if _identity(found) not in self._warned]
        colour = shown.screen.has_colour
        shown.screen.rendered(full(new, compiled.sources, project=self._shown_project, colour=colour))

    def _remark(self, shown: "Display", plan: Plan) -> None:
        """Say what is new of what this version does not enforce or isolate, and what waits for the next start."""
        now = remarks(plan, rehearse=self._rehearse)
        if plan.namespace != self._namespace:
            now.append("another `namespace` in registry.yml counts from the next start on")
        shown.screen.lines(warning(sentence) for sentence in now if sentence not in self._remarked)
        self._remarked = set(now)


def remarks(plan: Plan, *, rehearse: bool) -> list[str]:
    """What the project declares and this version does not enforce, and which agents nothing contains."""
    from loopy.agents.readiness import plain_processes
    from loopy.runs.unenforced import unenforced

    return [*unenforced(plan), *(() if rehearse else plain_processes(plan))]


def warning(sentence: str) -> Line:
    """A remark as it is shown."""
    return line(Piece("warning: ", "warn"), sentence)


def hold_runnable(plan: Plan, *, rehearse: bool) -> None:
    """CannotStart that lists what a run with real agents lacks here; a rehearsal lacks nothing."""
    from loopy.agents.installed import installed_runtimes
    from loopy.agents.readiness import missing_keys, unrunnable
    from loopy.sandboxes.installed import installed_providers

    if rehearse:
        return
    missing = unrunnable(plan, installed_runtimes(), installed_providers())
    missing += missing_keys(plan, [name for name, value in os.environ.items() if value])
    if missing:
        raise CannotStart("\n".join(missing))


def _warnings(compiled: Compiled) -> set[tuple[str, str, str]]:
    """The diagnostics of a project without errors: all of them are warnings."""
    return {_identity(found) for found in compiled.diagnostics}


def _identity(found: Diagnostic) -> tuple[str, str, str]:
    """What makes a diagnostic the same though it has moved within its file."""
    return found.code, found.span.path, found.headline
