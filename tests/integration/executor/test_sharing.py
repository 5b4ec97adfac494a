"""Several executors, and executors that stop or die: no step is done twice, none is lost."""

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from loopy.bus.client import Bus
from loopy.bus.provisioning import ensure_consumer
from loopy.bus.streams import RUNS, executor_consumer
from loopy.compiler.plan import encode_plan
from tests.integration.executor.desk import alive, done, planned, publish, requested
from tests.support.services import services, settings_for


@pytest.fixture
def settings(nats_url: str, namespace: str) -> Any:
    return settings_for(nats_url, namespace, slots=2)


async def test_executors_share_attempts_and_double_none(bus: Bus, settings: Any, tmp_path: Path) -> None:
    plan = planned(f"echo $$ >> {tmp_path}/executed; echo '{{}}'")
    runs = [f"r{number}" for number in range(24)]
    await publish(bus, *(requested(plan, run) for run in runs))
    async with (
        services(["executor"], tmp_path, settings, plan=plan),
        services(["executor"], tmp_path, settings, plan=plan),
    ):
        executors = {(await done(bus, run)).executor for run in runs}
    assert len(executors) == 2
    assert len((tmp_path / "executed").read_text().split()) == len(runs)


async def test_a_stopping_executor_lets_attempts_end(bus: Bus, settings: Any, tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    plan = planned(f"echo started > {fifo}; cat {fifo} > /dev/null; echo '{{}}'")
    async with services(["executor"], tmp_path, settings, plan=plan) as running:
        await publish(bus, requested(plan, "r1"))
        assert await asyncio.to_thread(fifo.read_text) == "started\n"
        running.stopping.set()
        await publish(bus, requested(plan, "r2"))
        await asyncio.to_thread(fifo.write_text, "go on")
        await running.ended
    assert (await done(bus, "r1")).attempt == 1
    assert await bus.last(RUNS, bus.subjects.journal("r2")) is None


# The first execution says so and stays; every later one answers at once.
ONCE_STUCK = "if mkdir {dir}/first; then echo $$ > {dir}/fifo; exec sleep 600; fi; echo '{{}}'"


async def test_what_does_not_end_within_the_grace_is_given_back(
    bus: Bus, nats_url: str, namespace: str, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "fifo")
    plan = planned(ONCE_STUCK.format(dir=tmp_path))
    settings = settings_for(nats_url, namespace, grace_s=0.1)
    async with services(["executor"], tmp_path, settings, plan=plan):
        await publish(bus, requested(plan))
        stuck = (await asyncio.to_thread((tmp_path / "fifo").read_text)).strip()
    assert not alive(stuck)
    async with services(["executor"], tmp_path, settings, plan=plan):
        assert (await done(bus)).attempt == 1


LONE_EXECUTOR = """
import asyncio, sys
from pathlib import Path
import msgspec
from loopy.compiler.plan import Plan
from tests.support.services import services, settings_for

async def main():
    url, namespace, project, plan = sys.argv[1:]
    plan = msgspec.json.decode(plan, type=Plan)
    async with services(["executor"], Path(project), settings_for(url, namespace), plan=plan):
        await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_the_attempt_of_an_executor_that_died_is_taken_by_another(
    bus: Bus, nats_url: str, namespace: str, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "fifo")
    plan = planned(ONCE_STUCK.format(dir=tmp_path))
    lone = await asyncio.create_subprocess_exec(
        sys.executable, "-c", LONE_EXECUTOR, nats_url, namespace, str(tmp_path), encode_plan(plan).decode()
    )
    await publish(bus, requested(plan))
    await asyncio.to_thread((tmp_path / "fifo").read_text)
    lone.kill()
    await lone.wait()
    async with services(["executor"], tmp_path, settings_for(nats_url, namespace), plan=plan):
        hasty = msgspec.structs.replace(executor_consumer("default"), ack_wait_s=0.5)
        await ensure_consumer(bus._connection, bus.subjects, hasty)
        success = await done(bus)
    assert str(lone.pid) not in success.executor.split("-")
