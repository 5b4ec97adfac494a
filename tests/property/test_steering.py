"""Whatever people have a run do, and whenever: decisions stay total, and what may run is asked for.

A run is played fact by fact: results of attempts, in any order, and wishes in between. What is asked for is remembered,
as the bus would: the same thing asked for twice is one.
"""

from collections.abc import Iterator
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from loopy.compiler.plan import Plan, Step, Workflow
from loopy.compiler.plan import Retry as RetryPolicy
from loopy.runs.decide import decide, retry
from loopy.runs.edits import Refused, and_after
from loopy.runs.effects import Effect, EndRun, FailRun, PublishEvent, RequestAttempt, SkipStep, StartTimer
from loopy.runs.records import AttemptFailed, AttemptSucceeded, Record
from loopy.runs.standing import Standing, standings
from loopy.runs.state import RunState, evolve, fold
from loopy.runs.steer import Asked, Cancel, Pause, Resume, Retry, Wish, steer
from tests.support.facts import NOW, Facts, event, plan, step, workflow

MOST_STEPS, MOST_TURNS = 5, 25
Attempt = tuple[str, int, int]


@st.composite
def flows(draw: st.DrawFn) -> Workflow:
    """A workflow of a few steps, some with a condition on the event."""
    steps: list[Step] = []
    for index in range(draw(st.integers(1, MOST_STEPS))):
        before = [each.name for each in steps]
        after = draw(st.lists(st.sampled_from(before), min_size=1, max_size=3, unique=True)) if before else []
        when = "event.title == 'boom'" if draw(st.integers(0, 4)) == 0 else None
        policy = RetryPolicy(draw(st.integers(1, 2)))
        steps.append(step(f"s{index}", *after, when=when, retry=policy, output={"n": "int?"}))
    return workflow(*steps)


class Play:
    """One run, its journal, and all that was asked for so far."""

    def __init__(self, flow: Workflow) -> None:
        self.flow = flow
        self.facts = Facts(flow, event())
        self.plan: Plan = plan(flow)
        self.state = RunState(self.facts.run)
        self.journal: list[Record] = []
        self.requested: set[Attempt] = set()
        self.timers: set[Attempt] = set()
        self.events: set[str] = set()
        self.record(self.facts.started())

    def record(self, record: Record) -> None:
        """Store a fact, and perform what follows from it."""
        effects = decide(self.flow, self.state, record, NOW)
        self.state = evolve(self.state, record)
        self.journal.append(record)
        self.perform(effects)

    def perform(self, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case RequestAttempt(attempt=attempt):
                    assert self.state.is_open
                    assert attempt.epoch == self.state.step(attempt.step).epoch
                    self.requested.add((attempt.step, attempt.epoch, attempt.attempt))
                case StartTimer():
                    self.timers.add((effect.step, effect.epoch, effect.attempt))
                case SkipStep(skip=skip):
                    self.record(skip)
                case FailRun(failure=failure):
                    self.record(failure)
                case EndRun(end=end):
                    self.record(end)
                case PublishEvent():
                    pass
                case _:
                    raise AssertionError(effect)

    def under_way(self) -> list[Attempt]:
        """What executors may still answer: also attempts of epochs that are past."""
        known = {(r.step, r.epoch, r.attempt) for r in self.journal if isinstance(r, AttemptSucceeded | AttemptFailed)}
        return sorted(self.requested - known)

    def ready(self) -> Iterator[Attempt]:
        for name, stands in standings(self.flow, self.state).items():
            if stands.standing is Standing.READY:
                facts = self.state.step(name)
                yield name, facts.epoch, len(facts.results) + 1

    def answer(self, attempt: Attempt, *, succeeds: bool) -> None:
        name, epoch, number = attempt
        head = (self.facts.run, self.flow.name, name, number, "x", NOW, NOW)
        if succeeds:
            self.record(AttemptSucceeded(*head, {"n": 1}, epoch=epoch))
        else:
            self.record(AttemptFailed(*head, "bad_output", "no answer", epoch=epoch))

    def fire(self, timer: Attempt) -> None:
        self.timers.remove(timer)
        self.perform(retry(self.flow, self.state, *timer, NOW))

    def wish(self, wish: Wish) -> None:
        record = steer(self.plan, self.state, Asked(wish, "ada"), NOW)
        if not isinstance(record, Refused):
            assert evolve(self.state, record) is not self.state
            self.record(record)

    def check(self) -> None:
        """In an open run, all that is ready was asked for, or will be when a timer fires."""
        if self.state.is_open and self.state.failed is None:
            assert set(self.ready()) <= self.requested | self.timers
        assert fold(self.facts.run, self.journal) == self.state


def wishes(play: Play) -> st.SearchStrategy[Wish]:
    names = [each.name for each in play.flow.steps]
    edits: st.SearchStrategy[dict[str, Any]] = st.sampled_from(
        [{}, {"event": {"title": "calm"}}, {"s0": {"n": 7}}, {"s1": {"n": "x"}}, {"event": {"nothing": 1}}]
    )
    retries = st.builds(Retry, st.sampled_from([None, *names, "nobody"]), edits)
    return st.one_of(st.sampled_from([Pause(), Resume()]), retries, st.just(Cancel()))


def played(data: st.DataObject, flow: Workflow) -> Play:
    """A run after any number of turns."""
    play = Play(flow)
    for _ in range(data.draw(st.integers(0, MOST_TURNS))):
        turn = data.draw(st.sampled_from(["answer", "answer", "answer", "fire", "wish"]))
        if turn == "answer" and (open_ones := play.under_way()):
            play.answer(data.draw(st.sampled_from(open_ones)), succeeds=data.draw(st.integers(0, 2)) > 0)
        elif turn == "fire" and play.timers:
            play.fire(data.draw(st.sampled_from(sorted(play.timers))))
        elif turn == "wish":
            play.wish(data.draw(wishes(play)))
        play.check()
    return play


@given(flows(), st.data())
def test_whatever_is_wished_all_that_may_run_is_asked_for_and_the_run_comes_to_an_end(
    flow: Workflow, data: st.DataObject
) -> None:
    play = played(data, flow)
    play.wish(Resume())
    if play.state.failed is not None:
        play.wish(Retry())
    for _ in range(200):
        if play.state.is_over:
            break
        while play.timers:
            play.fire(min(play.timers))
        for attempt in play.under_way():
            play.answer(attempt, succeeds=True)
    assert play.state.ended is not None or play.state.failed is not None
    if play.state.cancelled is not None:
        assert play.state.ended is not None


@given(flows(), st.data())
def test_facts_that_come_again_change_nothing_and_call_for_nothing_new(flow: Workflow, data: st.DataObject) -> None:
    play = played(data, flow)
    again = data.draw(st.lists(st.sampled_from(play.journal), max_size=6))
    assert fold(play.facts.run, [*play.journal, *again]) == play.state
    for record in again:
        assert decide(flow, play.state, record, NOW) == []


@given(flows(), st.data())
def test_no_wish_raises_and_a_retry_takes_all_that_comes_after(flow: Workflow, data: st.DataObject) -> None:
    play = played(data, flow)
    wish = data.draw(wishes(play))
    record = steer(play.plan, play.state, Asked(wish, "ada"), NOW)
    if isinstance(wish, Retry) and not isinstance(record, Refused):
        steps = getattr(record, "steps", ())
        assert steps == and_after(flow, steps)
        decide(flow, play.state, record, NOW)
