"""Seeing, while the campaign goes on, what is not kept: every message of a lease, and how late the machine is."""

import asyncio

from loopy.bus.client import Bus
from loopy.bus.streams import LEASES
from tests.crash.evidence import Stall, Stored
from tests.crash.processes import now_s

BEAT_S = 0.1
LATE_S = 0.3


class LeaseWatch:
    """All that was seen of leases. One that is renewed before it is read is missed, as if it had been silent longer."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._seen: dict[int, Stored] = {}

    async def follow(self) -> None:
        """See every message from the first on; returns only when cancelled."""
        subjects = self._bus.subjects
        async for message in self._bus.read(LEASES, [subjects.under("lease", ">")], follow=True):
            subject = message.subject.removeprefix(subjects.under(""))
            self._seen[message.sequence] = Stored(
                "LEASE", message.sequence, subject, message.headers, message.payload, message.time.timestamp()
            )

    @property
    def seen(self) -> tuple[Stored, ...]:
        """In order."""
        return tuple(self._seen[sequence] for sequence in sorted(self._seen))


class Pulse:
    """Notes when this process comes late to what it wanted to do: then so do those that it watches."""

    def __init__(self) -> None:
        self._stalls: list[Stall] = []

    async def beat(self) -> None:
        """Be late, or not, for ever; returns only when cancelled."""
        while True:
            begun = now_s()
            await asyncio.sleep(BEAT_S)
            if now_s() - begun > BEAT_S + LATE_S:
                self._stalls.append(Stall(begun, now_s()))

    @property
    def stalls(self) -> tuple[Stall, ...]:
        """In order."""
        return tuple(self._stalls)
