"""Whatever the graph, the failures, the order of deliveries and the crashes: each thing happens once, in its order."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from loopy.compiler.plan import Step
from loopy.runs.chain import deciding_alone, standings_before, state_before
from loopy.runs.decide import decide
from loopy.runs.records import AttemptFailed, AttemptSucceeded, Record, RunEnded, RunFailed
from loopy.runs.standing import standings
from loopy.runs.state import fold
from tests.property.miniature import DoublingSimulation, Key, Simulation, Store, World, choices, worlds
from tests.support.facts import NOW, Facts, event


class Expected(msgspec.Struct):
    """What a world comes to, worked out without the code under test."""

    attempts: set[Key] = msgspec.field(default_factory=set)
    skipped: set[Key] = msgspec.field(default_factory=set)
    events: int = 0
    outcome: str = "skipped"


def expected(world: World) -> Expected:
    result, came_to = Expected(), dict[str, str]()
    for each in world.flow.steps:
        before = [came_to[name] for name in each.after]
        if "failed" in before or "blocked" in before:
            came_to[each.name] = "blocked"
        elif (before and set(before) == {"skipped"}) or (each.when and not world.whens[each.name]):
            came_to[each.name] = "skipped"
            result.skipped.add(("skip", each.name))
        else:
            came_to[each.name] = executed(each, world, result)
    outcomes = set(came_to.values())
    result.outcome = "failed" if "failed" in outcomes else "succeeded" if "succeeded" in outcomes else "skipped"
    return result


def executed(each: Step, world: World, result: Expected) -> str:
    for attempt in range(1, each.retry.attempts + 1):
        result.attempts.add(("attempt", each.name, str(attempt)))
        match world.behaviours[each.name][attempt - 1]:
            case "succeeds":
                result.events += 2
                return "succeeded"
            case "fails_for_good":
                return "failed"
    return "failed"


def kinds_after_the_end(store: Store) -> set[str]:
    """What a fact calls for that was stored before the end, yet dealt with after it, and late results."""
    return {key[0] for key in store.order[store.order.index(over(store)) + 1 :]}


def over(store: Store) -> Key:
    """Where it is stored that the run ended, or failed."""
    return ("failed",) if ("failed",) in store.stored else ("end",)


@given(worlds(), st.data())
def test_a_run_comes_to_what_its_graph_says_each_thing_once(world: World, data: st.DataObject) -> None:
    simulation = Simulation(world, choices(data))
    simulation.go()
    store, wanted = simulation.store, expected(world)
    assert set(store.of("attempt")) == wanted.attempts
    assert set(store.of("skip")) == wanted.skipped
    assert len(store.of("event")) == wanted.events
    if wanted.outcome == "failed":
        assert over(store) == ("failed",)
        assert ("end",) not in store.stored
    else:
        assert store.stored["end",].outcome == wanted.outcome
    assert kinds_after_the_end(store) <= {"event", "skip"}


@given(worlds(), st.data())
def test_attempts_done_twice_neither_double_nor_revive_anything(world: World, data: st.DataObject) -> None:
    simulation = DoublingSimulation(world, choices(data))
    simulation.go()
    store = simulation.store
    assert "attempt" not in kinds_after_the_end(store)
    stands = standings(world.flow, fold(simulation.facts.run, simulation.journal(None)))
    assert all(each.standing.is_settled for each in stands.values())
    succeeded = [each for each in stands.values() if each.standing.value == "succeeded"]
    assert len(store.of("event")) == 2 * len(succeeded)
    assert isinstance(store.stored[over(store)], RunEnded | RunFailed)


@given(worlds(), st.data())
def test_what_is_decided_by_a_success_alone_is_what_the_journal_says(world: World, data: st.DataObject) -> None:
    simulation = DoublingSimulation(world, choices(data))
    simulation.go()
    alone = deciding_alone(world.flow)
    for key in simulation.store.of("result"):
        success = simulation.store.stored[key]
        if not isinstance(success, AttemptSucceeded) or success.step not in alone:
            continue
        before = state_before(success)
        assert before is not None
        by_journal = fold(success.run, simulation.journal(key))
        stood = standings_before(world.flow, success, before)
        assert decide(world.flow, before, success, NOW, stood) == decide(world.flow, by_journal, success, NOW)


@given(worlds(), st.data())
def test_duplicates_leave_a_state_as_it_is(world: World, data: st.DataObject) -> None:
    facts = Facts(world.flow, event(data=dict(world.whens)))
    records: list[Record] = [facts.started()]
    for each in world.flow.steps:
        records += [facts.failed(each.name), facts.succeeded(each.name, 2)]
    state = fold(facts.run, records)
    again = data.draw(st.lists(st.sampled_from(records), max_size=5))
    assert fold(facts.run, [*records, *again]) == state


@given(worlds(), st.data())
def test_the_order_of_different_steps_facts_does_not_change_the_state(world: World, data: st.DataObject) -> None:
    facts = Facts(world.flow, event(data=dict(world.whens)))
    results: list[AttemptFailed | AttemptSucceeded] = [facts.succeeded(each.name) for each in world.flow.steps]
    shuffled = data.draw(st.permutations([facts.started(), *results]))
    assert fold(facts.run, shuffled) == fold(facts.run, [facts.started(), *results])
