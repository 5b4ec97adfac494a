"""Executors that die, stand still or lose their server: one result, one execution at a time, and a quick successor."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest

from loopy.bus.client import Bus
from loopy.bus.leases import Leases
from loopy.bus.streams import LEASES, RUNS
from loopy.clock import SystemClock
from loopy.compiler.plan import Plan, encode_plan
from loopy.runs.records import RunEnded
from loopy_services.executor.holding import Holding, LeaseLost
from tests.integration.executor.desk import alive, done, planned, publish, requested
from tests.support.assignments import AT
from tests.support.nats_server import NatsServer
from tests.support.services import services, settings_for
from tests.support.waiting import wait_until

EXECUTOR = """
import asyncio, sys
from functools import partial
from pathlib import Path
import msgspec
from loopy.compiler.plan import Plan
from tests.support.services import services, settings_for

async def main():
    url, namespace, project, plan = sys.argv[1:]
    Path(project).mkdir()
    plan = msgspec.json.decode(plan, type=Plan)
    async with services(["executor"], Path(project), settings_for(url, namespace, lease_s=2), plan=plan):
        await asyncio.Event().wait()

asyncio.run(main())
"""
# Each execution leaves its process' number, and ends when there is a file `go`. `exec` leaves no other process.
WAITING = "echo $$ >> {dir}/agents; while ! test -e {dir}/go; do sleep 0.05; done; echo '{{}}'"


@asynccontextmanager
async def executor(url: str, namespace: str, project: Path, plan: Plan) -> AsyncIterator[asyncio.subprocess.Process]:
    """An executor in a process of its own; killed at the end."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", EXECUTOR, url, namespace, str(project), encode_plan(plan).decode()
    )
    try:
        yield child
    finally:
        if child.returncode is None:
            child.kill()
        await child.wait()


def agents(directory: Path) -> list[str]:
    """The agents that were started, by the number of their process."""
    file = directory / "agents"
    return file.read_text().split() if file.exists() else []


def has_begun(directory: Path, number: int) -> bool:
    """Whether so many agents were started."""
    return len(agents(directory)) >= number


@pytest.mark.alone
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
async def test_what_a_lost_executor_had_is_taken_over_within_seconds(
    bus: Bus, nats_url: str, namespace: str, tmp_path: Path, how: signal.Signals
) -> None:
    plan = planned(WAITING.format(dir=tmp_path))
    async with executor(nats_url, namespace, tmp_path / "a", plan) as first:
        await publish(bus, requested(plan))
        await wait_until(lambda: len(agents(tmp_path)) == 1)
        async with services(["executor"], tmp_path / "b", settings_for(nats_url, namespace, lease_s=2), plan=plan):
            first.send_signal(how)
            began = asyncio.get_running_loop().time()
            await wait_until(lambda: len(agents(tmp_path)) == 2)
            took_s = asyncio.get_running_loop().time() - began
            (tmp_path / "go").touch()
            success = await done(bus)
    assert took_s < 6
    assert success.executor.split("-")[-2] != str(first.pid)


async def test_an_executor_that_stood_still_finds_its_lease_lost_and_ends_its_agent(
    bus: Bus, nats_url: str, namespace: str, tmp_path: Path
) -> None:
    plan = planned(WAITING.format(dir=tmp_path))
    settings = settings_for(nats_url, namespace, lease_s=2)
    async with executor(nats_url, namespace, tmp_path / "a", plan) as first:
        await publish(bus, requested(plan))
        await wait_until(lambda: len(agents(tmp_path)) == 1)
        first.send_signal(signal.SIGSTOP)
        async with services(["executor"], tmp_path / "b", settings, plan=plan) as running:
            await wait_until(lambda: len(agents(tmp_path)) == 2)
            old, new = agents(tmp_path)
            assert alive(old)
            first.send_signal(signal.SIGCONT)
            await wait_until(lambda: not alive(old))
            assert alive(new)
            (tmp_path / "go").touch()
            success = await done(bus)
            assert not running.ended.done()
    assert success.executor.split("-")[-2] != str(first.pid)
    assert len(agents(tmp_path)) == 2


async def test_who_stood_still_before_beginning_and_lost_the_lease_begins_nothing(bus: Bus) -> None:
    ours = await Leases(bus, SystemClock(), "ours", 1).take("r1", "fix", 0, 1)
    assert ours is not None
    others, begun = Leases(bus, SystemClock(), "others", 1), []

    async def taken_over() -> bool:
        return await others.take("r1", "fix", 0, 1) is not None

    async def unsettled() -> bool:
        return False

    async def work() -> None:
        begun.append(1)

    async def record(_: None) -> None:
        raise AssertionError("nothing was done")

    await wait_until(taken_over)
    with pytest.raises(LeaseLost):
        await Holding(ours, 1, unsettled).work(work, record)
    assert not begun


async def test_the_late_answer_of_an_executor_that_stood_still_is_not_recorded(
    bus: Bus, nats_url: str, namespace: str, tmp_path: Path
) -> None:
    plan = planned(WAITING.format(dir=tmp_path))
    settings = settings_for(nats_url, namespace, lease_s=2)
    async with executor(nats_url, namespace, tmp_path / "a", plan) as first:
        await publish(bus, requested(plan))
        await wait_until(lambda: len(agents(tmp_path)) == 1)
        first.send_signal(signal.SIGSTOP)
        async with services(["executor"], tmp_path / "b", settings, plan=plan):
            await wait_until(lambda: len(agents(tmp_path)) == 2)
            (tmp_path / "go").touch()
            success = await done(bus)
            first.send_signal(signal.SIGCONT)
            # The late one has nothing to say, and takes up what is asked of it next.
            await publish(bus, *(requested(plan, f"s{n}") for n in range(20)))
            executors = {(await done(bus, f"s{n}")).executor for n in range(20)}
    assert str(first.pid) in {name.split("-")[-2] for name in executors}
    assert await done(bus) == success
    facts = [message async for message in bus.read(RUNS, [bus.subjects.journal("r1")])]
    assert len(facts) == 1


async def test_nothing_is_executed_twice_though_the_server_is_killed(namespace: str, tmp_path: Path) -> None:
    (tmp_path / "nats").mkdir()
    server = NatsServer(tmp_path / "nats")
    server.start()
    plan = planned(f"echo $$ >> {tmp_path}/agents; sleep 0.3; echo '{{}}'")
    settings = settings_for(server.url, namespace, lease_s=3, slots=8)
    bus = await Bus.connect(server.url, namespace=namespace, name="test")
    runs = [f"r{number}" for number in range(40)]
    try:
        async with (
            services(["executor"], tmp_path / "a", settings, plan=plan),
            services(["executor"], tmp_path / "b", settings, plan=plan),
        ):
            await publish(bus, *(requested(plan, run) for run in runs))
            for begun in (4, 14, 24, 34):
                await wait_until(partial(has_begun, tmp_path, begun), 30)
                server.kill()
                server.start()
            for run in runs:
                assert (await done(bus, run)).attempt == 1
    finally:
        await bus.close()
        server.kill()
    assert len(agents(tmp_path)) == len(runs)


async def test_an_agent_is_ended_when_its_run_is(bus: Bus, nats_url: str, namespace: str, tmp_path: Path) -> None:
    plan = planned(f"setsid sleep 600 & echo $$ $! >> {tmp_path}/agents; wait")
    async with services(["executor"], tmp_path, settings_for(nats_url, namespace), plan=plan):
        await publish(bus, requested(plan))
        await wait_until(lambda: len(agents(tmp_path)) == 2)
        await publish(bus, RunEnded("r1", "resolve", "cancelled", AT))
        await wait_until(lambda: not any(map(alive, agents(tmp_path))), 2.0)
        assert [m.subject async for m in bus.read(RUNS, [bus.subjects.journal("r1")])] == [bus.subjects.end("r1")]


async def test_the_next_attempt_of_a_step_need_not_wait_for_the_lease_of_the_last(
    bus: Bus, nats_url: str, namespace: str, tmp_path: Path
) -> None:
    plan = planned(f"echo $$ >> {tmp_path}/agents; exit 1")
    async with services(["executor"], tmp_path, settings_for(nats_url, namespace, lease_s=5), plan=plan):
        await publish(bus, requested(plan), requested(plan, attempt=2))
        await wait_until(lambda: len(agents(tmp_path)) == 2, 4.0)
    for attempt in (1, 2):
        assert await bus.last(LEASES, bus.subjects.lease("r1", "fix", 0, attempt)) is not None
