"""The engine with one thing wrong with it, thing by thing: what the simulator finds is worth what it finds of these."""

import contextlib
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

import msgspec

from loopy.bus import client, consumer, leases
from loopy.bus.blobs import Blobs
from loopy.bus.seal import Sealer
from loopy.bus.steering import Steering
from loopy.runs import decide, emissions, route, standing, state
from loopy_services.dispatcher import runs as dispatcher_runs
from loopy_services.dispatcher import spending as dispatcher_spending
from loopy_services.dispatcher.events import EventRouter
from loopy_services.dispatcher.performing import Performer
from loopy_services.dispatcher.slots import Slots
from loopy_services.executor import core as executor_core
from loopy_services.executor import service as executor_service
from loopy_services.executor.service import Executor
from loopy_services.ingress.sensing import Sensing
from loopy_services.scheduler import forsaken, janitor
from loopy_services.scheduler.janitor import Janitor
from loopy_services.scheduler.marks import Marks
from tests.sim import attempts, faults, invariants, keeping, limits, schedules, steered
from tests.sim.invariants import Invariant
from tests.sim.leaning import UNBIASED, Leaning


class Mutant(msgspec.Struct, frozen=True):
    """What is wrong, which functions are replaced by which to make it so, and the invariant that must notice.

    `leaning` is what the worlds are like in which it matters: those in which it is looked for.
    """

    wrong: str
    noticed_by: Invariant
    changes: tuple[tuple[Any, str, Any], ...]
    leaning: Leaning = UNBIASED

    @contextlib.contextmanager
    def at_work(self) -> Iterator[None]:
        """The engine is so, meanwhile."""
        with contextlib.ExitStack() as stack:
            for owner, name, replacement in self.changes:
                stack.enter_context(patch.object(owner, name, replacement))
            yield


_HEARD = {"lost": 0.0, "stall": 0.0, "away_every_s": 0.0}  # nobody has an excuse for not having heard of something

BUSY = Leaning(replicas=2, storm={"crash": 0.0, "late": 0.05})
CRASHING = Leaning(storm={"crash": 0.02})
STALE = Leaning(replicas=2, storm={"stale": 0.3})
SLOW = Leaning(replicas=3, storm={"slow": 0.3})
FAILING = Leaning(steps=5, joins=1, storm={"failing": 0.3, "slow": 0.1})
SLOTS = Leaning(slots=1.0)
SLOTS_OF_CANCELLED = Leaning(slots=1.0, steered=1.0, cancelling=0.5)
SPENDING = Leaning(spend=1.0)
SCHEDULED = Leaning(scheduled=1.0, replicas=2, storm={"crash": 0.01})
OVERLAPPING = Leaning(scheduled=1.0, replicas=2, storm={"slow": 0.3})
KEPT = Leaning(janitors=(2,), storm={"lost": 0.05, "stall": 0.003})
PAUSED = Leaning(steered=1.0, cancelling=0.0, storm=_HEARD)
CANCELLED = Leaning(steered=1.0, cancelling=0.6, storm={**_HEARD, "slow": 0.3})

MUTANTS = (
    Mutant("facts are stored again", invariants.stored_once, ((client, "publish_once", faults.stored_always),)),
    Mutant(
        "a message is stored before its large payload",
        invariants.large_values_are_there_before_their_messages,
        ((Blobs, "put", faults.claimed_before_it_is_there),),
    ),
    Mutant(
        "routes are recorded without regard to the cascade",
        invariants.the_right_runs_start,
        ((client, "publish_after", faults.stored_whatever_is_there),),
        leaning=BUSY,
    ),
    Mutant(
        "a join takes any predecessor",
        attempts.steps_wait_for_what_comes_before,
        ((standing, "_standing", faults.joined_on_any),),
    ),
    Mutant(
        "a `when` is not looked at",
        attempts.steps_wait_for_what_comes_before,
        ((standing, "_called_for", lambda *_: None),),
    ),
    Mutant(
        "an attempt is acknowledged before it is executed",
        invariants.every_run_comes_to_an_end,
        ((Executor, "handle", faults.acknowledged_first(Executor.handle)),),
    ),
    Mutant(
        "a fact is acknowledged before what follows from it is stored",
        invariants.every_run_comes_to_an_end,
        ((Performer, "perform", faults.acknowledged_first(Performer.perform)),),
    ),
    Mutant(
        "an event is acknowledged before it is routed",
        invariants.every_event_is_routed,
        ((EventRouter, "on_event", faults.acknowledged_first(EventRouter.on_event)),),
    ),
    Mutant(
        "a delivery is acknowledged before its events are stored",
        invariants.sensed_events_are_there,
        ((Sensing, "_sense", faults.acknowledged_first(Sensing._sense)),),
        leaning=CRASHING,
    ),
    Mutant(
        "a journal is believed that a replica has not all of",
        invariants.every_run_comes_to_an_end,
        ((dispatcher_runs, "read_before", faults.read_whatever_is_there),),
        leaning=STALE,
    ),
    Mutant(
        "an executor does not look whether an attempt is settled",
        attempts.agents_work_again_only_after_a_loss,
        (
            (executor_core, "settling_facts", lambda subjects, _: (subjects.start("none"),)),
            (Executor, "_has_result", faults.never),
        ),
    ),
    Mutant(
        "a slow executor does not say that it is at work, and its lease keeps nobody off",
        attempts.agents_work_again_only_after_a_loss,
        ((consumer.Consumption, "_extend", lambda *_: None), (leases, "standing", faults.free)),
        leaning=SLOW,
    ),
    Mutant(
        "failures are not recorded",
        attempts.agents_work_is_recorded,
        ((Executor, "handle", faults.successes_alone),),
    ),
    Mutant(
        "an emitted event gets another id each time",
        attempts.events_are_emitted_once,
        ((emissions, "emitted_id", faults.numbered_anew),),
    ),
    Mutant(
        "only the first of several events is emitted",
        attempts.events_are_emitted_once,
        ((decide, "emissions", faults.only_the_first),),
    ),
    Mutant(
        "no failure is the last",
        attempts.attempts_follow_failures,
        ((standing, "why_final", lambda *_: None),),
    ),
    Mutant(
        "a run ends with its first failure",
        invariants.outcomes_are_right,
        ((decide, "_all_settled", faults.ended_by_any_failure),),
    ),
    Mutant(
        "a run goes on after its end",
        attempts.nothing_is_requested_after_the_end,
        (
            (decide, "_all_settled", faults.ended_by_any_failure),
            (dispatcher_runs, "decide", faults.decided_though_ended),
            (executor_core, "settling_facts", faults.results_alone),
        ),
        leaning=FAILING,
    ),
    Mutant(
        "a slot has one holder more than it may have",
        limits.no_more_are_under_way_than_a_slot_allows,
        ((Slots, "_limit", lambda _, slot: slot.limit + 1),),
        leaning=SLOTS,
    ),
    Mutant(
        "a run does not ask for slots",
        limits.runs_wait_for_their_slots,
        ((route, "slots_of", lambda *_: ()),),
        leaning=SLOTS,
    ),
    Mutant(
        "nobody gives a slot back",
        invariants.every_run_comes_to_an_end,
        ((Slots, "leave", faults.nothing),),
        leaning=SLOTS,
    ),
    Mutant(
        "a run that is over is let in",
        invariants.every_run_comes_to_an_end,
        ((Slots, "_is_over", faults.never),),
        leaning=SLOTS_OF_CANCELLED,
    ),
    Mutant(
        "what an attempt cost is counted anew each time",
        limits.what_was_spent_is_counted_once,
        ((dispatcher_spending, "entry_message", faults.entered_anew),),
    ),
    Mutant(
        "limits of spend are not looked at",
        limits.nothing_begins_beyond_a_limit_of_spend,
        ((dispatcher_spending, "excess", lambda *_: None),),
        leaning=SPENDING,
    ),
    Mutant(
        "a scheduler counts from its start",
        schedules.schedules_fire_once,
        ((Marks, "counts_from", faults.from_now_on),),
        leaning=SCHEDULED,
    ),
    Mutant(
        "a scheduler does not see that a run is under way",
        schedules.schedules_fire_once,
        ((Marks, "under_way", faults.never),),
        leaning=OVERLAPPING,
    ),
    Mutant(
        "an event that comes again is taken for another",
        invariants.nothing_is_set_aside,
        ((EventRouter, "_is_second", faults.always),),
    ),
    Mutant(
        "a run is deleted without an archive",
        keeping.nothing_is_deleted_that_is_needed,
        ((Janitor, "_archived", faults.archived_nowhere),),
    ),
    Mutant(
        "a run is deleted so long after its start, ended or not",
        keeping.nothing_is_deleted_that_is_needed,
        ((Janitor, "_due", faults.due_by_starts),),
    ),
    Mutant(
        "nothing of a run stays",
        keeping.nothing_is_deleted_that_is_needed,
        ((janitor, "expendable", faults.all_of_it),),
    ),
    Mutant(
        "a run that failed is ended at once",
        invariants.outcomes_are_right,
        ((forsaken, "is_due", faults.always_due),),
    ),
    Mutant(
        "an archive has not got all of its run",
        keeping.every_run_that_ended_is_archived_whole,
        ((janitor, "archive_message", faults.archive_of_some),),
    ),
    Mutant(
        "what was long under way is trusted as if nothing had been deleted",
        attempts.agents_work_again_only_after_a_loss,
        ((executor_service, "is_late", faults.never_late), (dispatcher_runs, "is_late", faults.never_late)),
        leaning=KEPT,
    ),
    Mutant(
        "the seal on what a result carries is not looked at",
        attempts.steps_wait_for_what_comes_before,
        ((Sealer, "is_genuine", lambda *_: True),),
    ),
    Mutant(
        "every step is decided on alone",
        invariants.every_run_comes_to_an_end,
        ((dispatcher_runs, "deciding_alone", faults.every_step),),
    ),
    Mutant(
        "results of past epochs count",
        invariants.outcomes_are_right,
        ((state, "_resumed", faults.resumed_with_old_results),),
    ),
    Mutant(
        "an executor does not hear what people have runs do",
        steered.nothing_begins_in_a_paused_run,
        ((Steering, "is_paused", lambda *_: False),),
        leaning=PAUSED,
    ),
    Mutant(
        "a run that is cancelled goes on until its steps are done",
        steered.nobody_works_for_a_cancelled_run,
        ((Steering, "is_cancelled", lambda *_: False), (Executor, "_is_settled", faults.never)),
        leaning=CANCELLED,
    ),
    Mutant(
        "a cancellation calls for nothing",
        steered.cancelled_runs_end_as_cancelled,
        (
            (state, "evolve", faults.never_cancelled),
            (decide, "evolve", faults.never_cancelled),
            (Steering, "is_cancelled", lambda *_: False),
        ),
        leaning=CANCELLED,
    ),
    Mutant(
        "what is resumed is not asked for again",
        invariants.every_run_comes_to_an_end,
        ((dispatcher_runs, "decide", faults.nothing_when_resumed),),
    ),
    Mutant(
        "what is put right is not told to the agents",
        attempts.steps_wait_for_what_comes_before,
        ((state, "_amended", lambda *_: {}),),
    ),
    Mutant(
        "what lies in the place of a result is only set aside",
        invariants.every_run_comes_to_an_end,
        ((dispatcher_runs, "instead_of_result", lambda *_: None),),
    ),
    Mutant(
        "nothing is ever acknowledged",
        invariants.everything_settles,
        ((consumer, "ACK", consumer.IN_PROGRESS),),
    ),
)
