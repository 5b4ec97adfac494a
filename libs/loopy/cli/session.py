"""What a person sees of `loopy run` once it serves: addresses, every cascade as it happens, what to try next."""

import asyncio
import os
import shlex
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, TextIO, cast

from loopy.cli.banner import addresses, headline
from loopy.cli.display import Display, display, summary
from loopy.cli.exits import CommandError
from loopy.cli.hints import command, path_from_here, program
from loopy.cli.look import Line, Piece, error_lines, line, short, stdout_screen, table
from loopy.cli.parcels import Parcel, Posted, events_of, post, stored_events
from loopy.cli.reach import Address, connected
from loopy.cli.server_file import Whereabouts, announced
from loopy.cli.values import example_fields
from loopy.cli.watching import facts
from loopy.compiler.plan import Plan, plan_hash

if TYPE_CHECKING:
    from loopy.bus.client import Bus
    from loopy.kit.settings import Settings
    from loopy.runs.cascade import Cascade, CascadeRun


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
    """Announces the server, delivers parcels to it, and shows what follows. `failed` tells how that ended."""

    def __init__(
        self, project: Path, plan: Plan, settings: "Settings", parcels: Sequence[Parcel], *, once: bool
    ) -> None:
        self.failed = False
        self.log_stream = cast("TextIO", CurrentStderr())
        self._project = project
        self._plan = plan
        self._namespace = settings.namespace
        self._flags = ("--rehearse",) if settings.rehearse else ()
        self._parcels = parcels
        self._once = once
        self._screen = stdout_screen()
        self._paced = settings.rehearse and self._screen.is_terminal and bool(parcels)
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
            if self._paced:
                await asyncio.sleep(PACE_S)
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
        self._paced = False
        for told in self._next():
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

    def _next(self) -> list[Line]:
        if self._once:
            again = shlex.join((program(), "run", path_from_here(self._project), *self._flags))
            return [line(), line("Try next:"), line(f"  {again}", Piece("  serves until Ctrl-C", "dim"))]
        tries = [
            (("runs",), "every run, the newest first"),
            *((("runs", "show", short(run.run)), f"one of {run.workflow}, step by step") for run in self._first_runs()),
            (("tap",), "what passes on the bus, as it passes"),
            *((words, f"publish {words[1]} by hand") for words in self._trigger_example()),
        ]
        return [
            line(),
            line("Try next, from another terminal:"),
            *table([line(f"  {command(self._project, *words)}", Piece(about, "dim")) for words, about in tries]),
            line(Piece("Ctrl-C ends it; what is under way goes on with the next run.", "dim")),
        ]

    def _trigger_example(self) -> Iterator[tuple[str, ...]]:
        """An event that starts a workflow, with a value for each of its fields."""
        for event in filter(self._plan.started_by, self._plan.events):
            yield ("trigger", event, *example_fields(self._plan.events[event]), "--wait")
            return

    def _first_runs(self) -> "Sequence[CascadeRun]":
        return next((cascade.runs[:1] for cascade in self._done.values()), [])
