"""What the bus remembers of schedules and polls: when each was first seen, fired and passed over, and how it went."""

from collections.abc import Callable
from datetime import datetime

import msgspec

from loopy.bus.client import Bus
from loopy.bus.codec import Firing, cron_firing_message, read_record
from loopy.bus.journal import read_run
from loopy.bus.messages import Outgoing, Stored
from loopy.bus.streams import DEAD, EVENTS, RUNS
from loopy.bus.undecodable import Undecodable, decoder
from loopy.compiler.plan import CronTrigger, PollSource
from loopy.runs.ids import firing_id, run_id
from loopy.runs.records import EventRouted, Instant
from loopy_services.scheduler.core import digest, past_time


class Seen(msgspec.Struct, frozen=True):
    """The payload of the mark that a schedule or poll was seen: due times count from then on."""

    since: Instant


_encode = msgspec.json.Encoder().encode
_decode_seen: Callable[[bytes], Seen] = decoder(Seen, "bad_mark")


class Mark(msgspec.Struct, frozen=True):
    """The newest mark of a kind: its time, None when there is none that counts, and the sequence of the last stored."""

    at: datetime | None = None
    sequence: int = 0


class Marks:
    """Reads and sets the marks of one namespace. A mark is set once; whoever comes later finds it."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._subjects = bus.subjects

    async def counts_from(self, kind: str, name: str, declared: CronTrigger | PollSource, now: datetime) -> datetime:
        """The instant behind which due times are open: the newest of first seen, last fired, last passed over."""
        seen = await self._seen(name, declared, now)
        if kind == "cron":
            return await self.dealt_with(name, seen, now)
        return max(seen, await self.newest(kind, name, now) or seen)

    async def dealt_with(self, workflow: str, since: datetime, now: datetime) -> datetime:
        """The newest due time of a schedule that was fired or passed over, by whichever replica; at least `since`."""
        marks = (await self.newest("cron", workflow, now), await self.newest("passed", workflow, now))
        return max([since, *(mark for mark in marks if mark is not None)])

    async def newest(self, kind: str, name: str, now: datetime) -> datetime | None:
        """The time in the newest subject `firing.<kind>.<name>.<unix>`, or None."""
        return (await self.newest_mark(kind, name, now)).at

    async def newest_mark(self, kind: str, name: str, now: datetime) -> Mark:
        """The same, and up to which sequence it is known: a replica may answer that lags.

        What a stranger wrote there, and what lies ahead of `now` since a clock was wrong once, does not count.
        """
        every = self._subjects.under("firing", kind, name, "*")
        message = await self._bus.last(EVENTS, every)
        if message is None:
            return Mark()
        if (at := past_time(message.subject, now)) is not None:
            return Mark(at, message.sequence)
        messages = await self._bus.last_each(EVENTS, [every])
        times = [past_time(message.subject, now) for message in messages]
        newest = max((at for at in times if at is not None), default=None)
        return Mark(newest, max((message.sequence for message in messages), default=0))

    async def fire(self, firing: Firing, after: Mark | None) -> Stored | None:
        """Store a firing unless it is there; None when there is one of its schedule behind `after`, if that is given.

        Who looks whether a run is under way may look at the run of an older firing than the newest: a replica lags, or
        another scheduler fires meanwhile. Then the server refuses.
        """
        message = cron_firing_message(self._subjects, firing)
        if after is None:
            return await self._bus.publish_once(message)
        there = await self._bus.last(EVENTS, message.subject)
        if there is not None:
            return Stored(there.sequence, first=False)
        every = self._subjects.under("firing", "cron", firing.schedule, "*")
        return await self._bus.publish_after(message, scope=every, sequence=after.sequence)

    async def under_way(self, workflow: str, fired: datetime | None) -> bool:
        """Whether the run of this firing has neither ended nor failed.

        One that started none has none under way, nor has one that was set aside.
        """
        if fired is None:
            return False
        firing = firing_id(workflow, int(fired.timestamp()))
        run = await read_run(self._bus, run_id(workflow, firing))
        if run is not None:
            return not run.is_over
        message = await self._bus.last(RUNS, self._subjects.routed(firing, firing))
        if message is None:
            return not await self._is_set_aside(workflow, fired)
        try:
            routed = read_record(message)
        except Undecodable:
            return False
        return not isinstance(routed, EventRouted) or bool(routed.runs)

    async def _is_set_aside(self, workflow: str, at: datetime) -> bool:
        """Whether a firing is a dead letter: one of ours that nobody could route, or what a stranger put there."""
        firing = await self._bus.last(EVENTS, self._subjects.cron_firing(workflow, int(at.timestamp())))
        if firing is None:
            return False
        return await self._bus.last(DEAD, self._subjects.dead(EVENTS.name, firing.sequence)) is not None

    async def pass_over(self, workflow: str, at: datetime) -> None:
        """Remember that due times up to this one are not to be fired."""
        await self._bus.publish_once(Outgoing(self._subjects.firing_passed(workflow, int(at.timestamp())), b"{}"))

    async def _seen(self, name: str, declared: CronTrigger | PollSource, now: datetime) -> datetime:
        subject = self._subjects.firing_seen(name, digest(declared))
        if (await self._bus.publish_once(Outgoing(subject, _encode(Seen(now))))).first:
            return now
        message = await self._bus.last(EVENTS, subject)
        if message is None:
            return now
        try:
            return min(_decode_seen(message.payload).since, now)
        except Undecodable:
            return now
