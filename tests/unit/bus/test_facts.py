"""What a stranger wrote into a journal: everyone who reads it reads the same."""

import msgspec

from loopy.bus.client import Bus
from loopy.bus.codec import record_message
from loopy.bus.journal import read_run
from loopy.bus.memory.connection import MemoryConnection
from loopy.bus.memory.server import MemoryServer
from loopy.bus.messages import Outgoing
from loopy.bus.subjects import Subjects
from loopy.runs.records import AttemptFailed
from loopy.runs.state import RunState
from tests.support.facts import Facts, step, workflow

F = Facts(workflow(step("a"), step("b")))


async def read_with(*messages: Outgoing) -> RunState:
    """The run, with these messages in its journal besides its start."""
    bus = Bus(MemoryConnection(MemoryServer(), "test"), Subjects("unit"))
    await bus.provision()
    for message in (record_message(bus.subjects, F.started()), *messages):
        await bus.publish_once(message)
    state = await read_run(bus, F.run)
    assert state is not None
    return state


async def test_what_takes_a_results_place_is_that_attempts_failure() -> None:
    state = await read_with(Outgoing(Subjects("unit").result(F.run, "a", 0, 1), b"{"))
    [failure] = state.step("a").results
    assert isinstance(failure, AttemptFailed)
    assert (failure.attempt, failure.epoch, failure.reason, failure.retryable) == (1, 0, "bad_record", True)


async def test_nonsense_in_the_place_of_a_result_that_nobody_was_asked_for_changes_nothing() -> None:
    state = await read_with(Outgoing(Subjects("unit").result(F.run, "a", 0, 2), b"{"))
    assert state.step("a").results == ()


async def test_a_result_whose_times_have_no_zone_is_that_attempts_failure() -> None:
    naive = msgspec.json.encode(F.succeeded("a")).replace(b'Z"', b'"')
    state = await read_with(Outgoing(Subjects("unit").result(F.run, "a", 0, 1), naive))
    assert [result.reason for result in state.step("a").results if isinstance(result, AttemptFailed)] == ["bad_record"]


async def test_a_result_in_anothers_place_is_the_failure_of_that_one_and_no_result_of_its_own() -> None:
    misplaced = msgspec.json.encode(F.succeeded("b"))
    state = await read_with(Outgoing(Subjects("unit").result(F.run, "a", 0, 1), misplaced))
    assert [result.reason for result in state.step("a").results if isinstance(result, AttemptFailed)] == ["misplaced"]
    assert state.step("b").results == ()


async def test_anything_else_that_cannot_be_read_is_no_fact() -> None:
    subjects = Subjects("unit")
    odd = (subjects.end(F.run), subjects.under("run", "result", F.run, "a", "x", "1"), subjects.skip(F.run, "a", 0))
    assert await read_with(*(Outgoing(subject, b"{") for subject in odd)) == RunState(F.run, F.started(), admitted=True)
