"""The janitor: archives runs that ended long enough ago, then deletes their messages. Nobody else deletes.

A run's archive is stored first, and only what is in it is deleted then. Both may be done again: a crash anywhere, or
two janitors at once, changes nothing. Runs come in the order of their ends, each deleted before the next is archived;
so the newest archive tells where to go on.
"""

import asyncio
from contextlib import aclosing
from datetime import datetime, timedelta
from functools import partial

import structlog

from loopy.bus.archive import Archive, archive_message, newest_end, read_archive
from loopy.bus.client import Bus, BusError
from loopy.bus.codec import read_record
from loopy.bus.facts import read_fact
from loopy.bus.messages import Message
from loopy.bus.places import clear
from loopy.bus.streams import ARCHIVES, ATTEMPTS, DISPATCHER_RUNS, LEASES, RUNS, TIMERS, Stream
from loopy.bus.undecodable import Undecodable
from loopy.clock import Clock
from loopy.kit.metrics import RUNS_ARCHIVED, UNMEASURED, Metrics
from loopy.runs.records import RunStarted
from loopy_services.scheduler.forsaken import Forsaken
from loopy_services.scheduler.keeping import expendable, is_due, is_pressed, kept_for, kind_of, until_next

PORTION = 100
AFTER_FAILURE_S = 30.0
# After each run it rests for as long as the run took, unless there is to be hurried.
REST = 1.0
# The facts of a run that dispatchers consume.
DECIDED_ON = ("result", "admit", "resume", "cancel")

log = structlog.get_logger()


class Janitor:
    """Goes through the ends of runs. `keep` is how long a run's messages stay once it has ended."""

    def __init__(self, bus: Bus, clock: Clock, keep: timedelta, metrics: Metrics = UNMEASURED) -> None:
        self._bus = bus
        self._subjects = bus.subjects
        self._clock = clock
        self._keep = keep
        self._metrics = metrics
        self._forsaken = Forsaken(bus, keep)
        self._after: int | None = None

    async def run(self) -> None:
        """Keep house until cancelled, at any moment."""
        while True:
            try:
                wait_s = (await self.look()).total_seconds()
            except BusError as error:
                log.warning("janitor.failed", error=str(error))
                wait_s = AFTER_FAILURE_S
            await asyncio.sleep(wait_s)

    async def look(self) -> timedelta:
        """Archive and delete a portion of what is due; how long until there may be more."""
        if self._after is None:
            self._after = max(0, await newest_end(self._bus) - 1)
        now = self._clock.now()
        await self._forsaken.look(now)
        rooms = [await self._bus.room(stream) for stream in (RUNS, ATTEMPTS, LEASES)]
        pressed = is_pressed(room.fullness for room in rooms)
        kept = kept_for(self._keep, pressed=pressed)
        dealt_with = await self._bus.dealt_with(DISPATCHER_RUNS, RUNS)
        due, following = await self._due(self._after, now, kept)
        for end in due:
            begun = self._clock.monotonic()
            if not await self._clear(end, dealt_with):
                return until_next(now, now, timedelta())
            self._after = end.sequence
            await asyncio.sleep(0 if pressed else REST * (self._clock.monotonic() - begun))
        return timedelta() if len(due) == PORTION else until_next(following, now, kept)

    async def _due(self, after: int, now: datetime, kept: timedelta) -> tuple[list[Message], datetime | None]:
        """The next ends that are due, and when the run ended that comes after them, if one has."""
        due: list[Message] = []
        async with aclosing(self._bus.read(RUNS, [self._subjects.end("*")], after=after)) as ends:
            async for end in ends:
                if len(due) == PORTION or not is_due(end.time, now, kept):
                    return due, end.time
                due.append(end)
        return due, None

    async def _clear(self, end: Message, dealt_with: int) -> bool:
        """Archive and delete one run; False when that has to be tried again.

        So it is while one of its facts, perhaps in the hands of a dispatcher that died, may still be delivered: what
        follows from it, such as an event, would be lost with it.
        """
        run = end.subject.split(".")[3]
        journal = await self._bus.last_each(RUNS, [self._subjects.journal(run)])
        stands = next((fact for fact in journal if fact.subject == end.subject), None)
        if stands is None or stands.sequence < end.sequence:
            return False  # a replica answered that has not got as far
        if stands.sequence > end.sequence:
            return True  # nonsense lay in its place: its turn comes with what stands now
        if not await self._has_ended(end):
            return True
        if any(fact.sequence > dealt_with for fact in journal if kind_of(fact) in DECIDED_ON):
            return False
        try:
            archive = await self._archived(run, end, journal)
        except Undecodable as error:
            log.warning("janitor.archive_unreadable", run=run, error=str(error))
            return True  # nothing that is not archived is deleted, so the run stays until it is old enough
        if archive is None:
            return False
        if not archive.holds(end):
            log.warning("janitor.archive_unreadable", run=run, error="it does not hold the run's end")
            return True
        for fact in expendable(archive, journal):
            await self._delete(RUNS, fact)
        # A lease goes after its attempt: it says that somebody began it.
        await self._delete_all(ATTEMPTS, [self._subjects.attempts_of(run)])
        await self._delete_all(TIMERS, self._subjects.timers_of(run))
        await self._delete_all(LEASES, [self._subjects.leases_of(run)])
        return True

    async def _has_ended(self, end: Message) -> bool:
        """Whether this is a run's end. Nonsense in its place ends none, and is out of the way then."""
        return not await clear(self._bus, RUNS, end, partial(read_fact, self._subjects))

    async def _archived(self, run: str, end: Message, journal: list[Message]) -> Archive | None:
        """The run's archive, which is stored now unless it was before; None when a replica has not got it yet.

        Undecodable when it is none of ours.
        """
        facts = sorted([*await self._routed(journal), *journal], key=lambda fact: fact.sequence)
        message = archive_message(self._subjects, run, end.sequence, facts, self._bus.max_payload)
        if (await self._bus.publish_once(message)).first:
            self._metrics.add(RUNS_ARCHIVED)
            log.debug("run.archived", run=run, facts=len(facts))
            return Archive(run, end.sequence, self._clock.now(), tuple(facts))
        stored = await self._bus.last(ARCHIVES, message.subject)
        return read_archive(stored) if stored is not None else None

    async def _routed(self, journal: list[Message]) -> list[Message]:
        """The fact that led to the run, if it is still there."""
        for fact in journal:
            if kind_of(fact) == "start":
                try:
                    started = read_record(fact)
                except Undecodable:
                    return []
                if isinstance(started, RunStarted):
                    event = started.event
                    routed = await self._bus.last(RUNS, self._subjects.routed(event.cascade, event.id))
                    return [routed] if routed is not None else []
        return []

    async def _delete_all(self, stream: Stream, filters: list[str]) -> None:
        for message in await self._bus.last_each(stream, filters):
            await self._delete(stream, message)

    async def _delete(self, stream: Stream, message: Message) -> None:
        """Delete a message, and before it what lies beside it, so that a crash in between leaves nothing unclaimed."""
        await self._bus.delete_blob(message)
        await self._bus.delete(stream, message.sequence)
