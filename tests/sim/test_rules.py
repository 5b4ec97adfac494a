"""The invariants' own rules, on histories made by hand: what they let pass that is promised, and what they notice."""

import pytest

from loopy.bus.codec import record_message
from loopy.bus.memory.stream import Kept
from loopy.bus.subjects import Subjects
from loopy.compiler.plan import Retry
from loopy.runs.records import AttemptRequested, Record, RunEnded
from tests.sim.attempts import agents_work_again_only_after_a_loss, attempts_follow_failures
from tests.sim.entries import Entry, Execution, Loss
from tests.sim.history import History
from tests.sim.invariants import outcomes_are_right
from tests.support.facts import NOW, PLAN, Facts, at, plan, step, workflow

FLOW = workflow(step("a"))
FACTS = Facts(FLOW)
SUBJECTS = Subjects("sim")


def history_of(*facts: tuple[float, Record]) -> History:
    """A history in which these facts were stored, each at so many seconds."""
    history = History(plan(FLOW), SUBJECTS, 0.0)
    for index, (seconds, fact) in enumerate(facts):
        message = record_message(SUBJECTS, fact)
        kept = Kept(index + 1, message.subject, message.payload, message.headers, at(seconds))
        history.entries.append(Entry(index, seconds, "RUN", kept))
    return history


def executed(history: History, started: float) -> list[str]:
    """What is said when the first attempt of `a` was executed then."""
    history.executions.append(Execution("executor0.1", FACTS.run, "a", 0, 1, started, ended=started + 1))
    return list(agents_work_again_only_after_a_loss(history))


@pytest.mark.parametrize(("started", "noticed"), [(14.0, False), (16.0, True)])
def test_an_attempt_whose_result_is_there_is_not_begun_once_all_may_know_it(started: float, noticed: bool) -> None:
    history = history_of((0, FACTS.started()), (10, FACTS.succeeded("a")))
    assert bool(executed(history, started)) is noticed


@pytest.mark.parametrize(
    ("started", "lost", "noticed"), [(17.2, None, False), (23.0, None, True), (23.0, "stalled", False)]
)
@pytest.mark.parametrize("said", [FACTS.cancelled(), FACTS.resumed(1, "a")])
def test_who_is_told_late_may_begin_what_is_not_wanted_any_more(
    said: Record, started: float, lost: str | None, noticed: bool
) -> None:
    history = history_of((0, FACTS.started()), (10, said))
    if lost is not None:
        history.losses.append(Loss(2.0, "executor0", lost))
    assert bool(executed(history, started)) is noticed


def test_the_end_of_a_cancelled_run_settles_no_sooner_than_the_cancellation() -> None:
    history = history_of((0, FACTS.started()), (10, FACTS.cancelled()), (10.1, FACTS.ended()))
    assert executed(history, 17.2) == []


def forsaken(at_s: float, *since: tuple[float, Record]) -> list[str]:
    """What is said when a run that failed was resumed, and was ended as failed, all that having happened since."""
    ended = RunEnded(FACTS.run, "w", "failed", at(at_s), "a", "nobody resumed it", "janitor")
    failed = (10, FACTS.failed("a", retryable=False))
    return list(outcomes_are_right(history_of((0, FACTS.started()), failed, *since, (at_s, ended))))


def test_a_run_stands_as_failed_by_the_failure_of_its_epoch_though_one_of_an_epoch_before_is_stored_later() -> None:
    again = FACTS.failed("a", retryable=False, epoch=1)
    late, newest = FACTS.gave_up("a"), FACTS.gave_up("a", 1)
    resumed = (20, FACTS.resumed(1, "a"))
    assert forsaken(60, resumed, (30, again), (31, newest), (34, late)) == []
    assert forsaken(40, resumed, (30, again), (31, newest), (34, late)) != []
    assert forsaken(60, resumed, (30, again), (34, late)) != []


@pytest.mark.parametrize(("failed_at", "breached"), [(10, False), (30, True)])
def test_an_attempt_follows_the_first_failure_of_the_one_before(failed_at: float, breached: bool) -> None:
    twice = Facts(workflow(step("a", retry=Retry(2))))
    asked = AttemptRequested(twice.run, "w", "a", 2, PLAN, twice.event, {}, 60.0, NOW)
    failed = twice.failed("a")
    facts: list[tuple[float, Record]] = [(0.0, twice.started()), (failed_at, failed), (20.0, asked), (60.0, failed)]
    facts.sort(key=lambda each: each[0])
    history = history_of(*facts)
    history.plan = plan(twice.workflow)
    assert bool(list(attempts_follow_failures(history))) is breached
