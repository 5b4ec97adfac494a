"""A word on a run that was read when it was an epoch behind."""

from datetime import timedelta

from loopy.bus.client import Bus
from loopy.bus.codec import record_message
from loopy.bus.journal import read_run
from loopy.bus.memory.connection import MemoryConnection
from loopy.bus.memory.server import MemoryServer
from loopy.bus.memory.stream import MemoryStream
from loopy.bus.steer import steer_run
from loopy.bus.steering import Steering
from loopy.bus.subjects import Subjects
from loopy.runs.records import RunPaused
from loopy.runs.steer import Asked, Pause
from tests.support.facts import NOW, Facts, step, workflow

F = Facts(workflow(step("a")))


async def test_a_pause_by_a_stale_read_is_made_anew_until_it_counts() -> None:
    server = MemoryServer()
    bus = Bus(MemoryConnection(server, "test"), Subjects("unit"))
    await bus.provision()
    for record in (F.started(), F.resumed(1, "a")):
        await bus.publish_once(record_message(bus.subjects, record))
    stale = [1, 1]  # so many reads of the journal miss the last message

    def lag(stream: MemoryStream) -> int:
        return stale.pop() if stream.name == "UNIT_RUN" and stale else 0

    server.lag = lag
    result = await steer_run(bus, F.run, Asked(Pause(), "ada"), NOW + timedelta(seconds=1))
    assert isinstance(result.record, RunPaused)
    assert result.record.epoch == 1
    state, steering = await read_run(bus, F.run), Steering(bus)
    await steering.load()
    assert state is not None
    assert state.paused == result.record
    assert steering.is_paused(F.run)
