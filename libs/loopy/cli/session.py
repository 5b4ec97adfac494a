"""What a person sees of `loopy run` once it serves: addresses, every cascade as it happens, what to try next."""

import asyncio
import os
import sys
from collections.abc import Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, TextIO, cast

from loopy.cli.banner import addresses, headline
from loopy.cli.cascade_display import Display, display, summary
from loopy.cli.deliver_option import Parcel, Posted, events_of, post, stored_events
from loopy.cli.exits import CommandError
from loopy.cli.hints import after_once, command, while_it_serves
from loopy.cli.reach import Address, connected
from loopy.cli.screen import Line, Piece, error_lines, line, stdout_screen
from loopy.cli.server_file import Whereabouts, announced
from loopy.cli.watching import facts
from loopy.compiler.plan import Plan, plan_hash

if TYPE_CHECKING:
    from loopy.bus.client import Bus
    from loopy.cli.new_plans import NewPlans
    from loopy.kit.settings import Settings
    from loopy.runs.cascade import Cascade


PACE_S = 0.12  # a rehearsal is over in an instant; on a terminal its facts are shown so that one can follow them


class CurrentStderr:
    """Standard error as it is at the moment of writing: rich puts itself before it while a tree is on the screen."""

    def write(self, text: str) -> int:
        """Write text."""
        return sys.stderr.write(text)

    def flush(self) -> None:
        """Let it be seen."""
        sys.stderr.flush()

    def isatty(self) -> bool:
        """Whether it is a terminal."""
        return sys.stderr.isatty()


class Session:
    """Announces the server, delivers parcels to it, shows what follows, and what edits lead to.

    `failed` tells how the deliveries ended.
    """

    def __init__(
        self,
        project: Path,
        plan: Plan,
        settings: "Settings",
        parcels: Sequence[Parcel],
        new_plans: "NewPlans",
        *,
        once: bool,
    ) -> None:
        self.failed = False
        self.log_stream = cast("TextIO", CurrentStderr())
        self._project = project
        self._plan = plan
        self._namespace = settings.namespace
        self._rehearses = settings.rehearse
        self._parcels = parcels
        self._new_plans = new_plans
        self._once = once
        self._screen = stdout_screen()
        self._delivering = bool(parcels)
        self._done: dict[str, Cascade] = {}
        self._news = asyncio.Event()

    async def hold(self, nats_url: str, http_url: str, stopping: asyncio.Event) -> None:
        """Last until cancelled; with `once`, set `stopping` when the parcels' cascades are done."""
        from loopy.bus.streams import RUNS

        there = Whereabouts(nats_url, http_url, self._namespace, os.getpid())
        async with connected(Address(nats_url, self._namespace), "run") as bus:
            after = await bus.position(RUNS)
            with announced(self._project, there):
                self._open(http_url)
                plans = {plan_hash(self._plan): self._plan}
                with display(self._screen, plans) as shown:
                    async with asyncio.TaskGroup() as group:
                        beside = [
                            group.create_task(self._watch(bus, shown, after)),
                            group.create_task(self._watch_control(bus, shown)),
                        ]
                        if not self._once:
                            group.create_task(self._new_plans.follow(shown, plans, http_url))
                        await self._deliver(bus, http_url, shown)
                        if self._once:
                            for task in beside:
                                task.cancel()
                            stopping.set()

    def _open(self, http_url: str) -> None:
        trigger = command(self._project, "trigger", "EVENT", "--field", "NAME=VALUE", "--wait")
        self._screen.line(line(Piece(headline(self._plan), "name")))
        if self._rehearses:
            self._screen.line(line(Piece("  rehearsal: every agent answers at once with made-up values", "warn")))
        self._screen.lines(addresses(self._plan, http_url, datetime.now(UTC), trigger))
        self._screen.line()

    async def _watch(self, bus: "Bus", shown: Display, after: int) -> None:
        async with aclosing(facts(bus, after=after)) as records:
            async for record in records:
                cascade = shown.see(record)
                if not self._delivering:
                    continue
                if self._rehearses and self._screen.is_terminal:
                    await asyncio.sleep(PACE_S)
                if cascade is not None:
                    self._done[cascade.id] = cascade
                    self._news.set()

    async def _watch_control(self, bus: "Bus", shown: Display) -> None:
        """Tell what is held back, now and whenever that changes: nobody shall wonder why nothing moves."""
        from loopy.bus.control import Control
        from loopy.cli.control import control_lines, said_line

        control = Control(bus)
        await control.load()
        for told in control_lines(control.now):
            shown.say(told)
        control.heard = lambda said: shown.say(said_line(said))
        await control.follow()

    async def _deliver(self, bus: "Bus", http_url: str, shown: Display) -> None:
        """Post each parcel and wait for what follows from it."""
        if not self._parcels:
            return
        for parcel in self._parcels:
            try:
                await self._follow(bus, http_url, parcel, shown)
            except CommandError as error:
                self.failed = True
                for told in error_lines(error.message, error.hint):
                    shown.say(told)
        self._delivering = False
        for told in self._next(http_url):
            shown.say(told)

    async def _follow(self, bus: "Bus", http_url: str, parcel: Parcel, shown: Display) -> None:
        shown.say(line(f"delivering {parcel.file} ", Piece(f"to {parcel.path}", "dim")))
        posted = await post(http_url, parcel)
        for cascade in await self._finished(bus, posted):
            self.failed = self.failed or cascade.failed
            shown.say(summary(cascade))

    async def _finished(self, bus: "Bus", posted: Posted) -> "list[Cascade]":
        """The cascades of a delivery, once all of them are done."""
        events = await events_of(bus, posted)
        while not all(event in self._done for event in events):
            await self._news.wait()
            self._news.clear()
            events = await stored_events(bus, posted)
        return [self._done[event] for event in events]

    def _next(self, http_url: str) -> list[Line]:
        done = list(self._done.values())
        if self._once:
            return after_once(self._project, done, rehearse=self._rehearses)
        return while_it_serves(self._project, self._parcels, http_url, done)
