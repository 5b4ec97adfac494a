"""What a person sees of `loopy run` once it serves: addresses, every cascade as it happens, what to try next."""

import asyncio
import os
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, TextIO, cast

from loopy.cli.banner import addresses, headline
from loopy.cli.display import Display, display, summary
from loopy.cli.exits import CommandError
from loopy.cli.hints import command, program
from loopy.cli.look import LEADS_TO, Line, Piece, counted, duration, error_lines, line, short, stdout_screen, table
from loopy.cli.parcels import Parcel, Posted, events_of, post, stored_events
from loopy.cli.reach import Address, connected
from loopy.cli.server_file import Whereabouts, announced
from loopy.cli.watching import facts
from loopy.compiler.plan import Plan, plan_hash

if TYPE_CHECKING:
    from loopy.bus.client import Bus
    from loopy.runs.cascade import Cascade, CascadeRun


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
    """Announces the server, delivers parcels to it, and shows what follows. `failed` tells how that ended."""

    def __init__(self, project: Path, plan: Plan, namespace: str, parcels: Sequence[Parcel], *, once: bool) -> None:
        self.failed = False
        self.log_stream = cast("TextIO", CurrentStderr())
        self._project = project
        self._plan = plan
        self._namespace = namespace
        self._parcels = parcels
        self._once = once
        self._screen = stdout_screen()
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
                with display(self._screen, {plan_hash(self._plan): self._plan}) as shown:
                    async with asyncio.TaskGroup() as group:
                        watching = group.create_task(self._watch(bus, shown, after))
                        await self._deliver(bus, http_url, shown)
                        if self._once:
                            watching.cancel()
                            stopping.set()

    def _open(self, http_url: str) -> None:
        trigger = f"{program()} trigger EVENT --field NAME=VALUE --wait"
        self._screen.line(line(Piece(headline(self._plan), "name")))
        self._screen.lines(addresses(self._plan, http_url, datetime.now(UTC), trigger))
        self._screen.line()

    async def _watch(self, bus: "Bus", shown: Display, after: int) -> None:
        async for record in facts(bus, after=after):
            cascade = shown.see(record)
            if cascade is not None and self._parcels:
                self._done[cascade.id] = cascade
                self._news.set()

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
        for told in self._next():
            shown.say(told)

    async def _follow(self, bus: "Bus", http_url: str, parcel: Parcel, shown: Display) -> None:
        began = time.monotonic()
        posted = await post(http_url, parcel)
        about = f"  POST {parcel.path} {LEADS_TO} {parcel.sensor.name}, delivery {short(posted.delivery)}"
        shown.say(line(Piece(parcel.file, "name"), Piece(about, "dim")))
        for cascade in await self._finished(bus, posted):
            self.failed = self.failed or cascade.failed
            shown.say(summary(cascade, duration(time.monotonic() - began)))

    async def _finished(self, bus: "Bus", posted: Posted) -> "list[Cascade]":
        """The cascades of a delivery, once all of them are done."""
        events = await events_of(bus, posted)
        while not all(event in self._done for event in events):
            await self._news.wait()
            self._news.clear()
            events = await stored_events(bus, posted)
        return [self._done[event] for event in events]

    def _next(self) -> list[Line]:
        if self._once:
            again = f"{program()} run {os.path.relpath(self._project)} --rehearse"
            return [line(), line("Try next:"), line(f"  {again}", Piece("  serves until Ctrl-C", "dim"))]
        tries = [
            (("runs",), "every run, the newest first"),
            *((("runs", "show", short(run.run)), f"one of {run.workflow}, step by step") for run in self._first_runs()),
            (("tap",), "what passes on the bus, as it passes"),
            (("trigger", "--help"), f"publish one of {counted(len(self._plan.events), 'event')} by hand"),
        ]
        return [
            line(),
            line("Try next, from another terminal:"),
            *table([line(f"  {command(self._project, *words)}", Piece(about, "dim")) for words, about in tries]),
            line(Piece("Ctrl-C ends it; what is under way goes on with the next run.", "dim")),
        ]

    def _first_runs(self) -> "Sequence[CascadeRun]":
        return next((cascade.runs[:1] for cascade in self._done.values()), [])
