"""All five services take a new plan while they run: new events by the new one, what is under way by its own."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from loopy.bus.client import Bus
from loopy.bus.cloudevents import event_message
from loopy.bus.errors import ApiRefused
from loopy.bus.journal import read_run
from loopy.bus.plans import PlanStore
from loopy.bus.streams import ATTEMPTS, PLANS, consumer_name, executor_consumer, stream_name
from loopy.compiler.plan import Plan, plan_hash
from loopy.kit.errors import CannotStart
from loopy.kit.process import compiled_plan
from loopy.runs.ids import run_id
from loopy.runs.state import RunState
from tests.support.facts import event
from tests.support.files import write_files
from tests.support.scribe import begun, said, write_scribe, written
from tests.support.services import ALL, Running, services, settings_for
from tests.support.waiting import wait_until


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return write_scribe(tmp_path)


@pytest.fixture
async def running(bus: Bus, project: Path, nats_url: str, namespace: str) -> AsyncIterator[Running]:
    async with services(ALL, project, settings_for(nats_url, namespace)) as running:
        yield running


async def ping(bus: Bus, identity: str) -> str:
    """Publish an event; the run that it starts."""
    await bus.publish_once(event_message(bus.subjects, event(identity, "Ping", data={})))
    return run_id("w", identity)


async def ended(bus: Bus, run: str) -> RunState:
    found: list[RunState] = []

    async def has_ended() -> bool:
        state = await read_run(bus, run)
        found[:] = [state] if state is not None and state.ended is not None else []
        return bool(found)

    await wait_until(has_ended)
    return found[0]


async def test_a_run_under_way_goes_on_by_its_own_plan_while_a_new_event_takes_the_new_one(
    running: Running, bus: Bus, project: Path
) -> None:
    old, before = await ping(bus, "e1"), running.current.hash
    await wait_until(lambda: begun(project) == 1)
    (project / "workflows/w/second.md").write_text(said("new"))
    await running.current.switch(compiled_plan(project))
    new = await ping(bus, "e2")
    await wait_until(lambda: begun(project) == 2)
    (project / "open").touch()
    for run, plan, word in ((old, before, "old"), (new, running.current.hash, "new")):
        state = await ended(bus, run)
        assert state.started is not None
        assert state.ended is not None
        assert (state.started.plan, state.ended.outcome) == (plan, "succeeded")
        assert f"Write {word}." in written(project)
    assert before != running.current.hash


async def test_a_run_under_way_goes_on_though_its_workflow_is_gone(running: Running, bus: Bus, project: Path) -> None:
    run = await ping(bus, "e1")
    await wait_until(lambda: begun(project) == 1)
    (project / "workflows/w").rename(project / "workflows/another")
    await running.current.switch(compiled_plan(project))
    (project / "open").touch()
    state = await ended(bus, run)
    assert state.ended is not None
    assert state.ended.outcome == "succeeded"
    assert "Write old." in written(project)


async def test_the_console_tells_of_the_plan_that_is_current(running: Running, project: Path) -> None:
    async with httpx.AsyncClient(base_url=running.url) as web:
        assert (await web.get("/api/plan")).json()["hash"] == running.current.hash
        (project / "workflows/w/second.md").write_text(said("new"))
        await running.current.switch(compiled_plan(project))
        answer = (await web.get("/api/plan")).json()
        assert answer["hash"] == running.current.hash
        assert "Write new." in answer["plan"]["workflows"]["w"]["steps"][1]["prose"]
        assert (await web.get("/api/health")).json()["plan"] == running.current.hash


async def newest(bus: Bus) -> str:
    message = await bus.last(PLANS, bus.subjects.plan("*"))
    assert message is not None
    return message.subject.rpartition(".")[2]


async def test_the_newest_plan_on_the_bus_is_the_one_that_is_served_also_after_an_edit_was_undone(
    running: Running, bus: Bus, project: Path
) -> None:
    step, hashes = project / "workflows/w/second.md", [running.current.hash]
    for word in ("new", "old", "new"):
        step.write_text(said(word))
        await running.current.switch(compiled_plan(project))
        hashes.append(running.current.hash)
        assert await newest(bus) == running.current.hash
    assert hashes[0] == hashes[2] != hashes[1] == hashes[3]
    assert len([message async for message in bus.read(PLANS, [bus.subjects.plan("*")])]) == 2


async def test_a_pool_that_a_new_plan_names_has_its_consumer_before_the_plan_serves(
    running: Running, bus: Bus, project: Path
) -> None:
    consumer = (
        f"CONSUMER.INFO.{stream_name(bus.subjects, ATTEMPTS)}.{consumer_name(bus.subjects, executor_consumer('gpu'))}"
    )
    with pytest.raises(ApiRefused):
        await bus._connection.api(consumer, {})
    (project / "workflows/w/second.md").write_text(said("new").replace("agent:", "executors: { pool: gpu }\nagent:"))
    await running.current.switch(compiled_plan(project))
    await bus._connection.api(consumer, {})


async def test_a_plan_that_is_refused_is_not_on_the_bus(running: Running, bus: Bus, project: Path) -> None:
    sensor = '@sensor(webhook="/hooks/a", emits="Ping")\ndef a(req): pass\n'
    write_files(project, {"sensors/a.py": f"from loopy import sensor\n{sensor}1 / 0\n"})
    refused = compiled_plan(project)
    with pytest.raises(CannotStart):
        await running.current.switch(refused)
    assert await newest(bus) == running.current.hash != plan_hash(refused)
    assert await PlanStore(bus, Plan()).get(plan_hash(refused)) is None


async def test_an_event_that_is_new_in_a_new_plan_is_let_in_at_once(running: Running, bus: Bus, project: Path) -> None:
    registry = project / "registry.yml"
    registry.write_text(registry.read_text().replace('"Ping": {}', '"Ping": {}, "Pong": {}'))
    write_files(project, {"workflows/v/only.md": "---\non: Pong\nagent: Writer\n---\nWrite more.\n"})
    await running.current.switch(compiled_plan(project))
    await bus.publish_once(event_message(bus.subjects, event("e1", "Pong", data={})))
    async with asyncio.timeout(10):
        state = await ended(bus, run_id("v", "e1"))
    assert state.ended is not None
    assert state.ended.outcome == "succeeded"
