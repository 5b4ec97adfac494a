"""Ends the runs that failed and that nobody resumed; they would be lost fact by fact, by the age of their stream."""

from contextlib import aclosing
from datetime import datetime, timedelta
from functools import partial

import structlog

from loopy.bus.client import Bus
from loopy.bus.codec import record_message
from loopy.bus.facts import read_fact, readable_facts
from loopy.bus.messages import Message
from loopy.bus.places import clear
from loopy.bus.streams import RUNS
from loopy.runs.state import fold
from loopy_services.scheduler.keeping import ending, is_due

PORTION = 100

log = structlog.get_logger()


class Forsaken:
    """Goes through the failures of runs, in their order."""

    def __init__(self, bus: Bus, keep: timedelta) -> None:
        self._bus = bus
        self._keep = keep
        self._after = 0

    async def look(self, now: datetime) -> None:
        """End the runs that have stood as failed for as long as runs are kept, at most a portion of them."""
        for failure in await self._due(now):
            while not await self._deal_with(failure, now):
                pass
            self._after = failure.sequence

    async def _due(self, now: datetime) -> list[Message]:
        due: list[Message] = []
        filters = [self._bus.subjects.every("failed")]
        async with aclosing(self._bus.read(RUNS, filters, after=self._after)) as failures:
            async for failure in failures:
                if len(due) == PORTION or not is_due(failure.time, now, self._keep):
                    break
                due.append(failure)
        return due

    async def _deal_with(self, failure: Message, now: datetime) -> bool:
        """End the run of a failure if it stands; false when something was recorded of it meanwhile: decide anew."""
        run, subjects = failure.subject.split(".")[3], self._bus.subjects
        journal = await self._bus.last_each(RUNS, [subjects.journal(run)])
        newest = max((fact.sequence for fact in journal), default=0)
        if newest < failure.sequence:
            return not journal  # a replica answered that lags; or all of it was deleted since
        state = fold(run, readable_facts(subjects, journal))
        end = ending(state, now, self._keep)
        if end is None or state.failed is None or failure.subject != subjects.failed(run, state.failed.epoch):
            return True  # it has ended, or was resumed; one that has failed anew since has its time from then on
        for fact in journal:
            if fact.subject == subjects.end(run):  # it has not ended: then this is nonsense
                await clear(self._bus, RUNS, fact, partial(read_fact, subjects))
                return False
        message = record_message(subjects, end)
        said = max(fact.sequence for fact in journal if subjects.is_said_of(fact.subject, run))
        stored = await self._bus.publish_after(message, scope=subjects.said_of(run), sequence=said)
        if stored is not None:
            log.info("run.ended", run=run, workflow=end.workflow, outcome=end.outcome, detail=end.detail)
        return stored is not None
