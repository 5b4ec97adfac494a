"""What the bus remembers of schedules and polls: when each was first seen, fired and passed over, and how it went."""

from collections.abc import Callable
from datetime import datetime

import msgspec

from loopy.bus.client import Bus
from loopy.bus.codec import read_record
from loopy.bus.journal import read_run
from loopy.bus.messages import Outgoing
from loopy.bus.streams import EVENTS, RUNS
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
        """The time in the newest subject `firing.<kind>.<name>.<unix>`, or None.

        What a stranger wrote there, and what lies ahead of `now` since a clock was wrong once, does not count.
        """
        every = self._subjects.under("firing", kind, name, "*")
        message = await self._bus.last(EVENTS, every)
        if message is None or (at := past_time(message.subject, now)) is not None:
            return None if message is None else at
        times = [past_time(message.subject, now) for message in await self._bus.last_each(EVENTS, [every])]
        return max((at for at in times if at is not None), default=None)

    async def under_way(self, workflow: str, now: datetime) -> bool:
        """Whether the last firing's run has neither ended nor failed. A firing that started none has none under way."""
        fired = await self.newest("cron", workflow, now)
        if fired is None:
            return False
        firing = firing_id(workflow, int(fired.timestamp()))
        run = await read_run(self._bus, run_id(workflow, firing))
        if run is not None:
            return not run.is_over
        message = await self._bus.last(RUNS, self._subjects.routed(firing, firing))
        if message is None:
            return True
        try:
            routed = read_record(message)
        except Undecodable:
            return False
        return not isinstance(routed, EventRouted) or bool(routed.runs)

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
