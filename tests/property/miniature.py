"""A dispatcher in miniature, on a store in memory where the first writer wins, for properties of runs.

It is given the facts in any order, crashes between any two publishes, and gets facts again that it has dealt with.
Executors may do an attempt twice.
"""

from collections.abc import Callable
from typing import Any, Literal

import msgspec
from hypothesis import strategies as st

from loopy.compiler.plan import Emission, Retry, Step, Workflow
from loopy.runs.decide import decide, retry
from loopy.runs.effects import (
    Effect,
    EndRun,
    FailRun,
    PublishEvent,
    QueueRun,
    ReleaseSlots,
    RequestAttempt,
    SkipStep,
    StartTimer,
)
from loopy.runs.records import AttemptRequested, Carried, Record
from loopy.runs.standing import standings
from loopy.runs.state import fold
from tests.support.facts import NOW, Facts, emitted, event, step, workflow

Behaviour = Literal["succeeds", "fails", "fails_for_good"]
Key = tuple[str, ...]
MOST_STEPS = 8


class World(msgspec.Struct, frozen=True):
    """A workflow, what its event says to each `when`, and how each attempt of each step goes."""

    flow: Workflow
    whens: dict[str, bool]
    behaviours: dict[str, tuple[Behaviour, ...]]


@st.composite
def worlds(draw: st.DrawFn) -> World:
    count = draw(st.integers(1, MOST_STEPS))
    steps: list[Step] = []
    for index in range(count):
        before = [each.name for each in steps]
        after = draw(st.lists(st.sampled_from(before), min_size=1, max_size=3, unique=True)) if before else []
        name = f"s{index}"
        when = f"event.{name} == true" if draw(st.booleans()) else None
        steps.append(step(name, *after, when=when, retry=Retry(draw(st.integers(1, 3))), emits=(Emission("E", 2),)))
    kinds: st.SearchStrategy[Behaviour] = st.sampled_from(["succeeds", "succeeds", "fails", "fails_for_good"])
    return World(
        workflow(*steps),
        {each.name: draw(st.integers(0, 3)) > 0 for each in steps},
        {each.name: tuple(draw(st.lists(kinds, min_size=3, max_size=3))) for each in steps},
    )


class Store:
    """What is published, by subject; the first writer wins. `order` has the subjects in the order of the stream."""

    def __init__(self) -> None:
        self.stored: dict[Key, Any] = {}

    def publish(self, key: Key, value: Any) -> bool:
        if key in self.stored:
            return False
        self.stored[key] = value
        return True

    @property
    def order(self) -> list[Key]:
        return list(self.stored)

    def of(self, kind: str) -> list[Key]:
        return [key for key in self.stored if key[0] == kind]


class Simulation:
    """One run in a world, driven by choices that Hypothesis makes."""

    def __init__(self, world: World, choose: Callable[[int], int]) -> None:
        self.world = world
        self.choose = choose
        self.facts = Facts(world.flow, event(data=dict(world.whens)))
        self.store = Store()
        self.pending: list[Key] = []
        self.publish(("start",), self.facts.started())

    def publish(self, key: Key, value: Any) -> None:
        if key not in self.store.stored and isinstance(value, AttemptRequested):
            self.wanted_now(value)
        if self.store.publish(key, value):
            self.pending.append(key)

    def go(self) -> None:
        while self.pending:
            key = self.pending[self.choose(len(self.pending))]
            if not self.handle(key) or self.choose(5) == 4:  # crashed; or done, but the acknowledgement was lost
                continue
            self.pending.remove(key)

    def handle(self, key: Key) -> bool:
        value = self.store.stored[key]
        match key[0]:
            case "attempt":
                self.execute(value)
                return True
            case "start" | "result":
                return self.perform(decide(self.world.flow, fold(self.facts.run, self.journal(key)), value, NOW))
            case "timer":
                state = fold(self.facts.run, self.journal(None))
                return self.perform(retry(self.world.flow, state, value.step, value.epoch, value.attempt, NOW))
            case _:
                return True

    def journal(self, until: Key | None) -> list[Record]:
        order = [key for key in self.store.order if key[0] in ("start", "result", "skip", "failed", "end")]
        return [self.store.stored[key] for key in (order if until is None else order[: order.index(until)])]

    def perform(self, effects: list[Effect]) -> bool:
        """Publish the effects, or crash on the way; whether it came to the end."""
        crash_before = self.choose(len(effects) + 4) - 1
        for index, effect in enumerate(effects):
            if index == crash_before:
                return False
            self.publish(place(effect), content(effect))
        return True

    def execute(self, requested: AttemptRequested) -> None:
        name, attempt = requested.step, requested.attempt
        behaves = self.world.behaviours[name][attempt - 1]
        if behaves == "succeeds":
            carried = Carried(requested.plan, requested.event, requested.inputs, "sealed")
            success = self.facts.succeeded(name, attempt, emits=(emitted("E"), emitted("E")), n=attempt)
            self.publish(("result", name, str(attempt)), msgspec.structs.replace(success, carried=carried))
        else:
            failure = self.facts.failed(name, attempt, retryable=behaves == "fails")
            self.publish(("result", name, str(attempt)), failure)

    def wanted_now(self, requested: AttemptRequested) -> None:
        """A step starts when its predecessors are settled and one succeeded, and while it is not settled itself."""
        stands = standings(self.world.flow, fold(self.facts.run, self.journal(None)))
        before = [stands[name].standing for name in self.world.flow.step(requested.step).after]
        assert all(each.is_settled for each in before)
        assert not before or any(each.value == "succeeded" for each in before)
        assert not stands[requested.step].standing.is_settled


class DoublingSimulation(Simulation):
    """Executors that now and then do an attempt twice, with different results."""

    def execute(self, requested: AttemptRequested) -> None:
        if self.choose(3) == 2:
            other = self.facts.failed(requested.step, requested.attempt)
            self.publish(("result", requested.step, str(requested.attempt)), other)
        super().execute(requested)


def place(effect: Effect) -> Key:
    match effect:
        case RequestAttempt(attempt):
            return ("attempt", attempt.step, str(attempt.attempt))
        case SkipStep(skip):
            return ("skip", skip.step)
        case PublishEvent(event=published):
            return ("event", published.id)
        case StartTimer(step=name, attempt=attempt):
            return ("timer", name, str(attempt))
        case FailRun():
            return ("failed",)
        case EndRun():
            return ("end",)
        case QueueRun() | ReleaseSlots():
            raise AssertionError(effect)


def content(effect: Effect) -> Any:
    match effect:
        case RequestAttempt(attempt):
            return attempt
        case SkipStep(skip):
            return skip
        case PublishEvent(event=published):
            return published
        case StartTimer():
            return effect
        case FailRun(failure):
            return failure
        case EndRun(end):
            return end
        case QueueRun() | ReleaseSlots():
            raise AssertionError(effect)


def choices(data: st.DataObject) -> Callable[[int], int]:
    return lambda count: data.draw(st.integers(0, count - 1))
