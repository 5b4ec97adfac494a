"""What holds for everything, or for every run of a workflow: whether attempts begin, whether events are let in.

Each has a subject below `control`, where the last message holds and those before it tell who had what done before. A
change is stored only after what its author saw, so nobody undoes what he does not know of.
"""

import asyncio
import contextlib
from collections.abc import Callable
from datetime import datetime
from typing import Literal, TypeAlias, assert_never

import msgspec

from loopy.bus.client import Bus, BusError
from loopy.bus.following import Following
from loopy.bus.messages import Message, Outgoing
from loopy.bus.streams import CONTROL
from loopy.bus.undecodable import Undecodable, decoder
from loopy.runs.records import Instant

TRIES = 100
AGAIN_S = 0.02

Change: TypeAlias = Literal["halt", "resume", "close", "open"]
CHANGES: tuple[Change, ...] = ("halt", "resume", "close", "open")


class ControlSet(msgspec.Struct, frozen=True, omit_defaults=True):
    """Somebody had it so: `halted`, no attempt begins; `closed`, no event starts a run. `workflow` None: everything."""

    at: Instant
    by: str
    why: str = ""
    workflow: str | None = None
    halted: bool = False
    closed: bool = False


class Controls(msgspec.Struct, frozen=True):
    """What holds now: for everything (None: nobody ever said anything), and for workflows by name."""

    everything: ControlSet | None = None
    workflows: dict[str, ControlSet] = {}

    @property
    def halted(self) -> bool:
        """Whether no attempt begins, of whatever workflow."""
        return self.everything is not None and self.everything.halted

    @property
    def closed(self) -> bool:
        """Whether no event is let in."""
        return self.everything is not None and self.everything.closed

    @property
    def in_force(self) -> list[ControlSet]:
        """All that holds something back, everything's first."""
        said = (self.everything, *(self.workflows[name] for name in sorted(self.workflows)))
        return [each for each in said if each is not None and (each.halted or each.closed)]

    def halts(self, workflow: str) -> bool:
        """Whether no attempt of this workflow begins."""
        own = self.workflows.get(workflow)
        return self.halted or (own is not None and own.halted)

    def known_with(self, said: ControlSet) -> "Controls":
        """What holds once this was said too."""
        if said.workflow is None:
            return Controls(said, self.workflows)
        return Controls(self.everything, {**self.workflows, said.workflow: said})


class Control:
    """A view of what holds, kept current by following it; it may be a moment behind.

    `heard` is called with each thing that is said from when it is set.
    """

    def __init__(self, bus: Bus) -> None:
        self.now = Controls()
        self._following = Following(bus, CONTROL, [bus.subjects.controls()], self._see)
        self.heard: Callable[[ControlSet], None] | None = None
        self._changed = asyncio.Event()

    async def load(self) -> None:
        """Learn of all that is stored; from then on `follow` keeps it current."""
        await self._following.load()

    async def follow(self) -> None:
        """Learn of what is stored from now on; returns only when cancelled."""
        await self._following.follow()

    async def wait(self, seconds: float) -> None:
        """Return as soon as something else holds, at the latest after so long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._changed.wait()

    def _see(self, message: Message) -> None:
        said = _read(message)
        if said is None:
            return
        self.now = self.now.known_with(said)
        if self.heard is not None:
            self.heard(said)
        self._changed.set()
        self._changed = asyncio.Event()


async def read_controls(bus: Bus) -> Controls:
    """What holds now."""
    controls = Controls()
    for message in await bus.last_each(CONTROL, [bus.subjects.controls()]):
        said = _read(message)
        controls = controls if said is None else controls.known_with(said)
    return controls


async def change_control(
    bus: Bus, change: Change, workflow: str | None, by: str, why: str, now: datetime
) -> tuple[ControlSet, bool]:
    """Have it so for everything, or for a workflow: what holds then, and whether that is a change. BusError."""
    place = bus.subjects.control(workflow)
    for _ in range(TRIES):
        message = await bus.last(CONTROL, place)
        before = _read(message) if message is not None else None
        said = changed(before or ControlSet(now, by, why, workflow), change, by, why, now)
        if before is not None and (said.halted, said.closed) == (before.halted, before.closed):
            return before, False
        if before is None and not (said.halted or said.closed):
            return said, False
        sequence = message.sequence if message is not None else 0
        if await bus.publish_after(Outgoing(place, msgspec.json.encode(said)), scope=place, sequence=sequence):
            return said, True
        await asyncio.sleep(AGAIN_S)
    raise BusError(f"others changed {place} each time that it was tried; `loopy control` shows what holds")


def changed(before: ControlSet, change: Change, by: str, why: str, now: datetime) -> ControlSet:
    """What holds after a change; what it is not about stays."""
    halted, closed = before.halted, before.closed
    match change:
        case "halt":
            halted = True
        case "resume":
            halted = False
        case "close":
            closed = True
        case "open":
            closed = False
        case _:
            assert_never(change)
    return ControlSet(now, by, why, before.workflow, halted, closed)


_decode: Callable[[bytes], ControlSet] = decoder(ControlSet, "bad_control")


def _read(message: Message) -> ControlSet | None:
    """What was said; None when it cannot be understood, so that a stranger halts nothing by nonsense.

    It is about what its subject names.
    """
    try:
        said = _decode(message.payload)
    except Undecodable:
        return None
    *_, kind, name = message.subject.split(".")
    return msgspec.structs.replace(said, workflow=name if kind == "workflow" else None)
