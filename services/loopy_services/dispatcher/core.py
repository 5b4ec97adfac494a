"""What the dispatcher decides besides `runs`: which events it lets in, and what an effect is as a message. Pure."""

from collections.abc import Callable
from datetime import datetime
from typing import assert_never

import msgspec

from loopy.bus.cloudevents import event_message, read_event
from loopy.bus.codec import Firing, firing_done_message, record_message
from loopy.bus.facts import read_fact
from loopy.bus.messages import DeadLetter, Message, Outgoing
from loopy.bus.sizes import room_for
from loopy.bus.subjects import Subjects
from loopy.bus.undecodable import Undecodable, decoder
from loopy.clock import rfc3339
from loopy.compiler.plan import Plan
from loopy.runs.effects import PublishEvent, SkipStep, StartTimer
from loopy.runs.records import AttemptFailed, AttemptRequested, Event, RunEnded, RunStarted
from loopy.runs.route import CRON
from loopy.runs.spending import Excess
from loopy.types.check import Mismatch, checker_of

TIMER_TARGET = "Nats-Schedule-Target"


class DueAttempt(msgspec.Struct, frozen=True):
    """What a timer carries: the attempt that is to be requested when it fires."""

    run: str
    step: str
    epoch: int
    attempt: int


_encode = msgspec.json.Encoder().encode
_decode_due: Callable[[bytes], DueAttempt] = decoder(DueAttempt, "bad_timer")


def admit(plan: Plan, event: Event) -> DeadLetter | None:
    """Why an event cannot be let in: its type is not in the registry, or its data is not of that type.

    `cron` is no type that anyone may publish: such an event would pass for a firing.
    """
    fields = plan.events.get(event.type) if event.type != CRON else None
    if fields is None:
        known = ", ".join(sorted(plan.events)) or "none"
        return DeadLetter("unknown_event", f"no event `{event.type}` is in the registry; it has {known}")
    try:
        checker_of(fields).check(event.data)
    except Mismatch as mismatch:
        return DeadLetter("wrong_type", f"not a `{event.type}`: {mismatch}")
    return None


def oversize(event: Event, largest_value: int) -> DeadLetter | None:
    """Why an event is too large to start a run: the run's first record holds it, and must be storable too."""
    size, most = len(_encode(event)), room_for(largest_value)
    if size <= most:
        return None
    allowed = f"to start a run it may take {most:,} (LOOPY_LARGEST_VALUE_BYTES)"
    return DeadLetter("too_large", f"the event takes {size:,} bytes; {allowed}")


def admit_firing(plan: Plan, schedule: str) -> DeadLetter | None:
    """Why a firing cannot be let in: no workflow of that name has a schedule (any more)."""
    if schedule in plan.schedules:
        return None
    return DeadLetter("unknown_schedule", f"the plan has no workflow `{schedule}` with a cron trigger")


def message_of(subjects: Subjects, effect: SkipStep | PublishEvent | StartTimer) -> Outgoing:
    """The message that brings an effect about."""
    match effect:
        case SkipStep(skip=skip):
            return record_message(subjects, skip)
        case PublishEvent(event=event):
            return event_message(subjects, event)
        case StartTimer():
            return _timer(subjects, effect)
        case _:
            assert_never(effect)


def understood(subjects: Subjects, effect: SkipStep | PublishEvent | StartTimer, message: Message) -> None:
    """Undecodable when a message that lies where an effect's belongs is none such."""
    match effect:
        case SkipStep():
            read_fact(subjects, message)
        case PublishEvent():
            read_event(subjects, message)
        case StartTimer():
            name = due_attempt(message.payload)
            if message.headers.get(TIMER_TARGET) != subjects.fire(name.run, name.step, name.epoch, name.attempt):
                raise Undecodable("bad_timer", "nothing is published when it is due")
            if message.subject != subjects.timer(name.run, name.step, name.epoch, name.attempt):
                raise Undecodable("misplaced", "a timer of another attempt")
        case _:
            assert_never(effect)


def may_be_carried(started: RunStarted, attempt: AttemptRequested) -> bool:
    """Whether what follows from the attempt's success can be told by what it was asked with.

    A run that holds slots, or was resumed, has more to its state than that.
    """
    return attempt.epoch == 0 and not started.slots and attempt.event == started.event


def unrequestable(request: AttemptRequested, why: str, now: datetime) -> AttemptFailed:
    """The failure of an attempt that cannot be asked for, as what it is to be told cannot be stored; for good."""
    detail = f"the event and the outputs of the steps before it are too much to be stored: {why}"
    head = request.result_head("dispatcher", now, now)
    return AttemptFailed(*head, "too_large", detail, retryable=False, epoch=request.epoch)


def over_limit(request: AttemptRequested, excess: Excess, now: datetime) -> AttemptFailed:
    """The failure of an attempt that may not begin because a limit is reached; for good, until somebody resumes it."""
    head = request.result_head("dispatcher", now, now)
    return AttemptFailed(*head, "over_limit", excess.detail, retryable=False, epoch=request.epoch)


def abandoned(started: RunStarted, why: str, now: datetime) -> RunEnded:
    """The end of a run that nobody can move on, so that nobody waits for it."""
    return RunEnded(started.run, started.workflow, "failed", now, None, why)


def due_attempt(payload: bytes) -> DueAttempt:
    """The attempt that a timer which fired is about. Undecodable."""
    return _decode_due(payload)


def firing_mark(subjects: Subjects, started: RunStarted, ended: RunEnded) -> Outgoing | None:
    """The mark that a schedule's firing had a run that succeeded; None when this run calls for none."""
    if started.event.type != CRON or ended.outcome != "succeeded":
        return None
    last_run = started.event.data.get("last_run")
    last = datetime.fromisoformat(last_run) if last_run else None
    return firing_done_message(subjects, Firing(started.workflow, started.event.time, last))


def is_dealt_with(mark: str, newest: str, now: datetime) -> bool:
    """Whether a mark need not be set since the newest one is it, or is of a later firing.

    One ahead of `now` is none: a wrong clock, or a stranger.
    """
    at = newest.rpartition(".")[2]
    later = at.isascii() and at.isdecimal() and int(mark.rpartition(".")[2]) < int(at) <= now.timestamp()
    return later or mark == newest


def _timer(subjects: Subjects, timer: StartTimer) -> Outgoing:
    """The server itself publishes the payload on the target when the time has come."""
    name = (timer.run, timer.step, timer.epoch, timer.attempt)
    return Outgoing(
        subjects.timer(*name),
        _encode(DueAttempt(*name)),
        {"Nats-Schedule": f"@at {rfc3339(timer.at)}", TIMER_TARGET: subjects.fire(*name)},
    )
