"""The engine with one thing wrong with it, thing by thing: what the simulator finds is worth what it finds of these."""

import asyncio
import contextlib
import itertools
from collections.abc import Awaitable, Callable, Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any
from unittest.mock import patch

import msgspec

from loopy.agents.harness import HarnessError
from loopy.bus import client, consumer, leases, writing
from loopy.bus.archive import Archive, archive_message
from loopy.bus.blobs import Blobs
from loopy.bus.claims import claim_to, claiming
from loopy.bus.client import Bus, BusError
from loopy.bus.codec import read_record
from loopy.bus.messages import Ack, Message, Outgoing, Stored, Verdict
from loopy.bus.streams import RUNS
from loopy.bus.subjects import Subjects
from loopy.bus.transport import Transport
from loopy.compiler.plan import Step, Workflow
from loopy.runs import decide, emissions, standing
from loopy.runs.effects import Effect
from loopy.runs.emissions import emissions as real_emissions
from loopy.runs.records import AttemptRequested, AttemptSucceeded, Data, Emitted, Record
from loopy.runs.standing import Standing, StepStanding
from loopy.runs.state import RunState, StepState, fold
from loopy_services.dispatcher import runs as dispatcher_runs
from loopy_services.dispatcher.events import EventRouter
from loopy_services.dispatcher.performing import Performer
from loopy_services.executor import core as executor_core
from loopy_services.executor import service as executor_service
from loopy_services.executor.service import Executor
from loopy_services.ingress.sensing import Sensing
from loopy_services.scheduler import forsaken, janitor
from loopy_services.scheduler.janitor import Janitor
from loopy_services.scheduler.marks import Marks
from tests.sim import attempts, invariants, keeping, schedules
from tests.sim.invariants import Invariant


class Mutant(msgspec.Struct, frozen=True):
    """What is wrong, which functions are replaced by which to make it so, and the invariant that must notice.

    `likely` are seeds that are tried first, since it took many to find one in which it matters.
    """

    wrong: str
    noticed_by: Invariant
    changes: tuple[tuple[Any, str, Any], ...]
    likely: tuple[int, ...] = ()

    @contextlib.contextmanager
    def at_work(self) -> Iterator[None]:
        """The engine is so, meanwhile."""
        with contextlib.ExitStack() as stack:
            for owner, name, replacement in self.changes:
                stack.enter_context(patch.object(owner, name, replacement))
            yield


async def _stored_always(connection: Transport, message: Outgoing, **_: Any) -> Stored:
    return await writing._publish(connection, message, {})


async def _stored_whatever_is_there(
    connection: Transport, message: Outgoing, scope: str, sequence: int, **_: Any
) -> Stored | None:
    return await writing.publish_once(connection, message)


_background: set["asyncio.Task[Any]"] = set()


def _acknowledged_first(real: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    """The same work, but done after it was acknowledged; a crash in between loses it."""

    async def work(self: Any, *arguments: Any, **named: Any) -> Verdict:
        task = asyncio.ensure_future(_while_open(self, real(self, *arguments, **named)))
        _background.add(task)
        task.add_done_callback(_background.discard)
        return Ack()

    return work


async def _while_open(service: Any, work: Awaitable[Any]) -> None:
    """Do it, and be cancelled with the process."""
    bus: Bus = service._bus
    working, closed = asyncio.ensure_future(work), asyncio.ensure_future(bus.closed())
    await asyncio.wait((working, closed), return_when=asyncio.FIRST_COMPLETED)
    for task in (working, closed):
        task.cancel()
    await asyncio.gather(working, closed, return_exceptions=True)


async def _claimed_before_it_is_there(self: Blobs, message: Outgoing) -> Outgoing:
    async def store() -> None:
        with contextlib.suppress(BusError):
            await _put(self, message)

    task = asyncio.ensure_future(store())
    _background.add(task)
    task.add_done_callback(_background.discard)
    return claiming(message, claim_to(message, self._connection.max_payload))


_put = Blobs.put
_numbers = itertools.count()
_standing = standing._standing
_decide = decide.decide
_executed = Executor._executed


def _joined_on_any(step: Step, facts: StepState, event: Data, known: dict[str, StepStanding]) -> StepStanding:
    settled = tuple(name for name in step.after if known[name].standing.is_settled)
    return _standing(msgspec.structs.replace(step, after=settled[:1] or step.after), facts, event, known)


def _ended_by_any_failure(stands: dict[str, StepStanding]) -> bool:
    failed = any(step.standing is Standing.FAILED for step in stands.values())
    return failed or all(step.standing.is_settled for step in stands.values())


def _decided_though_ended(workflow: Workflow, before: RunState, record: Record, now: datetime) -> list[Effect]:
    return _decide(workflow, msgspec.structs.replace(before, ended=None, failed=None), record, now)


def _results_alone(subjects: Subjects, request: AttemptRequested) -> tuple[str, ...]:
    return (subjects.result(request.run, request.step, request.epoch, request.attempt),)


def _numbered_anew(*_: object) -> str:
    return f"emitted-{next(_numbers)}"


def _only_the_first(success: AttemptSucceeded) -> Iterator[tuple[str, Emitted]]:
    return itertools.islice(real_emissions(success), 1)


async def _read_whatever_is_there(bus: Bus, run: str, fact: Message) -> RunState:
    messages = await bus.last_each(RUNS, [bus.subjects.journal(run)])
    return fold(run, [read_record(message) for message in messages if message.sequence < fact.sequence])


async def _from_now_on(self: Marks, kind: str, name: str, declared: object, now: datetime) -> datetime:
    await self._seen(name, declared, now)  # type: ignore[arg-type]
    return now


async def _never(*_: object) -> bool:
    return False


async def _always(*_: object) -> bool:
    return True


def _free(ours: leases.Holder, found: Message | None) -> leases.Free:
    return leases.Free(found.sequence if found is not None else 0)


async def _nothing(*_: object) -> None:
    return None


async def _successes_alone(self: Executor, message: Message) -> Verdict:
    async def executed(*arguments: Any) -> Outgoing:
        outgoing = await _executed(self, *arguments)
        if b'"record":"AttemptFailed"' in outgoing.payload:
            raise _Unrecorded
        return outgoing

    with contextlib.suppress(_Unrecorded), patch.object(self, "_executed", executed):
        return await _handle(self, message)
    return Ack()


class _Unrecorded(HarnessError):
    def __init__(self) -> None:
        super().__init__("unrecorded", "")


_handle = Executor.handle


async def _archived_nowhere(self: Janitor, run: str, end: Message, journal: list[Message]) -> Archive:
    return Archive(run, end.sequence, self._clock.now(), tuple(journal))


async def _due_by_starts(
    self: Janitor, after: int, now: datetime, kept: timedelta
) -> tuple[list[Message], datetime | None]:
    starts = [start async for start in self._bus.read(RUNS, [self._subjects.start("*")], after=after)]
    return [start for start in starts if start.time + kept <= now], None


def _all_of_it(archive: Archive, journal: Iterable[Message]) -> list[Message]:
    return list(journal)


def _archive_of_some(subjects: Subjects, run: str, end: int, facts: Iterable[Message], most: int) -> Outgoing:
    return archive_message(subjects, run, end, list(facts)[-1:], most)


def _always_due(*_: object) -> bool:
    return True


def _never_late(*_: object) -> bool:
    return False


MUTANTS = (
    Mutant("facts are stored again", invariants.stored_once, ((client, "publish_once", _stored_always),)),
    Mutant(
        "a message is stored before its large payload",
        invariants.large_values_are_there_before_their_messages,
        ((Blobs, "put", _claimed_before_it_is_there),),
    ),
    Mutant(
        "routes are recorded without regard to the cascade",
        invariants.the_right_runs_start,
        ((client, "publish_after", _stored_whatever_is_there),),
        likely=(16,),
    ),
    Mutant(
        "a join takes any predecessor",
        attempts.steps_wait_for_what_comes_before,
        ((standing, "_standing", _joined_on_any),),
    ),
    Mutant(
        "a `when` is not looked at",
        attempts.steps_wait_for_what_comes_before,
        ((standing, "_called_for", lambda *_: None),),
    ),
    Mutant(
        "an attempt is acknowledged before it is executed",
        invariants.every_run_comes_to_an_end,
        ((Executor, "handle", _acknowledged_first(Executor.handle)),),
    ),
    Mutant(
        "a fact is acknowledged before what follows from it is stored",
        invariants.every_run_comes_to_an_end,
        ((Performer, "perform", _acknowledged_first(Performer.perform)),),
    ),
    Mutant(
        "an event is acknowledged before it is routed",
        invariants.every_event_is_routed,
        ((EventRouter, "on_event", _acknowledged_first(EventRouter.on_event)),),
    ),
    Mutant(
        "a delivery is acknowledged before its events are stored",
        invariants.sensed_events_are_there,
        ((Sensing, "_sense", _acknowledged_first(Sensing._sense)),),
        likely=(93,),
    ),
    Mutant(
        "a journal is believed that a replica has not all of",
        invariants.every_run_comes_to_an_end,
        ((dispatcher_runs, "read_before", _read_whatever_is_there),),
        likely=(21,),
    ),
    Mutant(
        "an executor does not look whether an attempt is settled",
        attempts.agents_work_again_only_after_a_loss,
        ((executor_core, "settling_facts", lambda subjects, _: (subjects.start("none"),)),),
    ),
    Mutant(
        "a slow executor does not say that it is at work, and its lease keeps nobody off",
        attempts.agents_work_again_only_after_a_loss,
        ((consumer.Consumption, "_extend", _nothing), (leases, "standing", _free)),
        likely=(114,),
    ),
    Mutant(
        "failures are not recorded",
        attempts.agents_work_is_recorded,
        ((Executor, "handle", _successes_alone),),
    ),
    Mutant(
        "an emitted event gets another id each time",
        attempts.events_are_emitted_once,
        ((emissions, "emitted_id", _numbered_anew),),
    ),
    Mutant(
        "only the first of several events is emitted",
        attempts.events_are_emitted_once,
        ((decide, "emissions", _only_the_first),),
    ),
    Mutant(
        "no failure is the last",
        attempts.attempts_follow_failures,
        ((standing, "why_final", lambda *_: None),),
    ),
    Mutant(
        "a run ends with its first failure",
        invariants.outcomes_are_right,
        ((decide, "_all_settled", _ended_by_any_failure),),
    ),
    Mutant(
        "a run goes on after its end",
        attempts.nothing_is_requested_after_the_end,
        (
            (decide, "_all_settled", _ended_by_any_failure),
            (dispatcher_runs, "decide", _decided_though_ended),
            (executor_core, "settling_facts", _results_alone),
        ),
        likely=(117,),
    ),
    Mutant(
        "a scheduler counts from its start",
        schedules.schedules_fire_once,
        ((Marks, "counts_from", _from_now_on),),
        likely=(52,),
    ),
    Mutant(
        "a scheduler does not see that a run is under way",
        schedules.schedules_fire_once,
        ((Marks, "under_way", _never),),
        likely=(43,),
    ),
    Mutant(
        "an event that comes again is taken for another",
        invariants.nothing_is_set_aside,
        ((EventRouter, "_is_second", _always),),
    ),
    Mutant(
        "a run is deleted without an archive",
        keeping.nothing_is_deleted_that_is_needed,
        ((Janitor, "_archived", _archived_nowhere),),
    ),
    Mutant(
        "a run is deleted so long after its start, ended or not",
        keeping.nothing_is_deleted_that_is_needed,
        ((Janitor, "_due", _due_by_starts),),
    ),
    Mutant(
        "nothing of a run stays",
        keeping.nothing_is_deleted_that_is_needed,
        ((janitor, "expendable", _all_of_it),),
    ),
    Mutant(
        "a run that failed is ended at once",
        invariants.outcomes_are_right,
        ((forsaken, "is_due", _always_due),),
    ),
    Mutant(
        "an archive has not got all of its run",
        keeping.every_run_that_ended_is_archived_whole,
        ((janitor, "archive_message", _archive_of_some),),
    ),
    Mutant(
        "what was long under way is trusted as if nothing had been deleted",
        attempts.agents_work_again_only_after_a_loss,
        ((executor_service, "is_late", _never_late), (dispatcher_runs, "is_late", _never_late)),
        likely=(55,),
    ),
    Mutant(
        "nothing is ever acknowledged",
        invariants.everything_settles,
        ((consumer, "ACK", consumer.IN_PROGRESS),),
    ),
)
