"""What is wrong with the engine in each mutant: what its functions are replaced by."""

import asyncio
import contextlib
import itertools
from collections.abc import Awaitable, Callable, Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any
from unittest.mock import patch

import msgspec

from loopy.agents.harness import HarnessError
from loopy.bus import leases, writing
from loopy.bus.archive import Archive, archive_message
from loopy.bus.blobs import Blobs
from loopy.bus.claims import claim_to, claiming
from loopy.bus.client import Bus, BusError
from loopy.bus.codec import read_record
from loopy.bus.messages import Ack, Message, Outgoing, Stored, Verdict
from loopy.bus.spending import entry_message
from loopy.bus.streams import RUNS
from loopy.bus.subjects import Subjects
from loopy.bus.transport import Transport
from loopy.compiler.plan import Step, Workflow
from loopy.runs import decide, standing, state
from loopy.runs.effects import Effect
from loopy.runs.emissions import emissions as real_emissions
from loopy.runs.records import AttemptRequested, AttemptSucceeded, Data, Emitted, Record, RunCancelled, RunResumed
from loopy.runs.standing import Standing, StepStanding
from loopy.runs.state import RunState, StepState, fold
from loopy_services.executor.service import Executor
from loopy_services.scheduler.janitor import Janitor
from loopy_services.scheduler.marks import Marks


async def stored_always(connection: Transport, message: Outgoing, **_: Any) -> Stored:
    return await writing._publish(connection, message, {})


async def stored_whatever_is_there(
    connection: Transport, message: Outgoing, scope: str, sequence: int, **_: Any
) -> Stored | None:
    return await writing.publish_once(connection, message)


_background: set["asyncio.Task[Any]"] = set()


def acknowledged_first(real: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
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


async def claimed_before_it_is_there(self: Blobs, message: Outgoing) -> Outgoing:
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


def joined_on_any(step: Step, facts: StepState, event: Data, known: dict[str, StepStanding]) -> StepStanding:
    settled = tuple(name for name in step.after if known[name].standing.is_settled)
    return _standing(msgspec.structs.replace(step, after=settled[:1] or step.after), facts, event, known)


def ended_by_any_failure(stands: dict[str, StepStanding]) -> bool:
    failed = any(step.standing is Standing.FAILED for step in stands.values())
    return failed or all(step.standing.is_settled for step in stands.values())


def decided_though_ended(workflow: Workflow, before: RunState, record: Record, now: datetime) -> list[Effect]:
    return _decide(workflow, msgspec.structs.replace(before, ended=None, failed=None), record, now)


def results_alone(subjects: Subjects, request: AttemptRequested) -> tuple[str, ...]:
    return (subjects.result(request.run, request.step, request.epoch, request.attempt),)


def numbered_anew(*_: object) -> str:
    return f"emitted-{next(_numbers)}"


def only_the_first(success: AttemptSucceeded) -> Iterator[tuple[str, Emitted]]:
    return itertools.islice(real_emissions(success), 1)


async def read_whatever_is_there(bus: Bus, run: str, fact: Message) -> RunState:
    messages = await bus.last_each(RUNS, [bus.subjects.journal(run)])
    return fold(run, [read_record(message) for message in messages if message.sequence < fact.sequence])


async def from_now_on(self: Marks, kind: str, name: str, declared: object, now: datetime) -> datetime:
    await self._seen(name, declared, now)  # type: ignore[arg-type]
    return now


def entered_anew(*arguments: Any) -> Outgoing:
    entry = entry_message(*arguments)
    tokens = entry.subject.split(".")
    tokens[-5] = f"day-{next(_numbers)}"
    return msgspec.structs.replace(entry, subject=".".join(tokens))


async def never(*_: object) -> bool:
    return False


async def always(*_: object) -> bool:
    return True


def free(ours: leases.Holder, found: Message | None) -> leases.Free:
    return leases.Free(found.sequence if found is not None else 0)


async def nothing(*_: object) -> None:
    return None


async def successes_alone(self: Executor, message: Message) -> Verdict:
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
_resumed = state._resumed
_evolve = state.evolve


def every_step(workflow: Workflow) -> frozenset[str]:
    return frozenset(step.name for step in workflow.steps)


def resumed_with_old_results(before: RunState, record: RunResumed) -> RunState:
    after = _resumed(before, record)
    old = {name: msgspec.structs.replace(s, results=before.step(name).results) for name, s in after.steps.items()}
    return msgspec.structs.replace(after, steps=old)


def never_cancelled(before: RunState, record: Record) -> RunState:
    return before if isinstance(record, RunCancelled) else _evolve(before, record)


def nothing_when_resumed(workflow: Workflow, before: RunState, record: Record, now: datetime) -> list[Effect]:
    return [] if isinstance(record, RunResumed) else _decide(workflow, before, record, now)


async def archived_nowhere(self: Janitor, run: str, end: Message, journal: list[Message]) -> Archive:
    return Archive(run, end.sequence, self._clock.now(), tuple(journal))


async def due_by_starts(
    self: Janitor, after: int, now: datetime, kept: timedelta
) -> tuple[list[Message], datetime | None]:
    starts = [start async for start in self._bus.read(RUNS, [self._subjects.start("*")], after=after)]
    return [start for start in starts if start.time + kept <= now], None


def all_of_it(archive: Archive, journal: Iterable[Message]) -> list[Message]:
    return list(journal)


def archive_of_some(subjects: Subjects, run: str, end: int, facts: Iterable[Message], most: int) -> Outgoing:
    return archive_message(subjects, run, end, list(facts)[-1:], most)


def always_due(*_: object) -> bool:
    return True


def never_late(*_: object) -> bool:
    return False
