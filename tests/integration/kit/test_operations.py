"""Health and metrics: where they are served, what readiness tells from start to end, what a cascade leaves counted."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

import httpx
import pytest
import structlog

from loopy.bus.client import Bus
from loopy.bus.messages import Outgoing
from loopy.bus.streams import STREAMS
from loopy.compiler.plan import Plan
from loopy.kit import service
from loopy.kit.current_plan import CurrentPlan
from loopy.kit.service import Host
from tests.support.files import write_files
from tests.support.services import ALL, services, settings_for
from tests.support.waiting import wait_until

Serve = Callable[[Host], Awaitable[None]]

PROJECT = {
    "registry.yml": """\
events:
  Noted: { text: str }
agents:
  Writer: { harness: { runtime: command, run: [cat] }, sandbox: here }
sandboxes:
  here: { provider: local, isolation: none }
""",
    "sensors/note.py": """\
from loopy import sensor
from loopy.events import Noted

@sensor(webhook="/hooks/note", emits="Noted")
def note(req):
    return Noted(text=req.json["text"])
""",
    "workflows/answer/draft.md": """\
---
on: Noted
agent: Writer
output: { answer: str }
---
Answer {{ event.text }}.
""",
}


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> dict[str, Serve]:
    """The services that there are, by name; a test puts its own here."""
    table: dict[str, Serve] = {}
    monkeypatch.setattr(service, "find_service", table.__getitem__)
    return table


def listening(lines: Sequence[Mapping[str, object]]) -> str:
    """Where health and metrics are, by the log."""
    return next((str(line["url"]) for line in lines if line["event"] == "operations.listening"), "")


async def readiness(client: httpx.AsyncClient, url: str) -> tuple[int, dict[str, str]]:
    answer = await client.get(f"{url}/readyz")
    assert answer.json()["ready"] == (answer.status_code == 200)
    return answer.status_code, answer.json()["services"]


async def test_readiness_comes_with_the_services_and_falls_before_they_begin_to_drain(
    known: dict[str, Serve], nats_url: str, namespace: str, tmp_path: Path
) -> None:
    may_start, may_end = asyncio.Event(), asyncio.Event()
    begun, told = asyncio.Event(), asyncio.get_running_loop().create_future()

    async def careful(host: Host) -> None:
        begun.set()
        await may_start.wait()
        host.ready()
        await host.stopping.wait()
        told.set_result(await readiness(client, url))
        await may_end.wait()

    known["a"] = careful
    stopping, ready = asyncio.Event(), asyncio.Event()
    settings = settings_for(nats_url, namespace, ops_port=0)
    with structlog.testing.capture_logs() as lines:
        async with httpx.AsyncClient() as client, asyncio.TaskGroup() as group:
            running = group.create_task(
                service.run_services(
                    ["a"], settings, tmp_path, CurrentPlan(Plan()), on_ready=lambda _: ready.set(), stopping=stopping
                )
            )
            await begun.wait()
            url = listening(lines)
            assert await readiness(client, url) == (503, {"a": "starting"})
            assert (await client.get(f"{url}/livez")).text == "alive\n"
            may_start.set()
            await ready.wait()
            assert await readiness(client, url) == (200, {"a": "ready"})
            stopping.set()
            assert await told == (503, {"a": "draining"})
            assert (await client.get(f"{url}/livez")).status_code == 200
            may_end.set()
            await running
            with pytest.raises(httpx.ConnectError):
                await client.get(f"{url}/livez")


async def test_a_service_that_has_lost_its_server_is_not_ready(
    known: dict[str, Serve], nats_url: str, namespace: str, tmp_path: Path
) -> None:
    hosts: list[Host] = []

    async def patient(host: Host) -> None:
        hosts.append(host)
        host.ready()
        await host.stopping.wait()

    known.update(a=patient, b=patient)
    with structlog.testing.capture_logs() as lines:
        async with (
            httpx.AsyncClient() as client,
            services(["a", "b"], tmp_path, settings_for(nats_url, namespace), plan=Plan()),
        ):
            url = listening(lines)
            hosts[0].bus._connection._up.clear()  # type: ignore[attr-defined]  # as when the server is gone
            assert await readiness(client, url) == (503, {"a": "disconnected", "b": "ready"})
            assert 'loopy_nats_connected{service="a"} 0.0' in (await client.get(f"{url}/metrics")).text
            assert (await client.post(f"{url}/readyz")).status_code == 405


async def test_a_cascade_leaves_its_traces_in_the_metrics_of_every_service(
    nats_url: str, namespace: str, tmp_path: Path
) -> None:
    write_files(tmp_path, PROJECT)
    settings = settings_for(nats_url, namespace, rehearse=True, slots=3)
    async with httpx.AsyncClient() as client, services(ALL, tmp_path, settings) as running:

        async def shown() -> list[str]:
            return (await client.get(f"{running.url}/metrics")).text.splitlines()

        for _ in range(2):
            await client.post(f"{running.url}/hooks/note", json={"text": "x"})
        await client.post(f"{running.url}/hooks/note", content=b"not json")
        await _publish_what_nobody_knows(nats_url, namespace)
        for line in (
            'loopy_deliveries_total{result="accepted",sensor="note",service="ingress"} 2.0',
            'loopy_deliveries_total{result="duplicate",sensor="note",service="ingress"} 1.0',
            'loopy_webhook_seconds_count{sensor="note",service="ingress"} 3.0',
            'loopy_sensed_total{result="mapped",sensor="note",service="ingress"} 1.0',
            'loopy_sensed_total{result="failed",sensor="note",service="ingress"} 1.0',
            'loopy_events_routed_total{service="dispatcher",type="Noted"} 1.0',
            'loopy_runs_started_total{service="dispatcher",workflow="answer"} 1.0',
            'loopy_run_start_seconds_count{service="dispatcher",workflow="answer"} 1.0',
            'loopy_attempts_total{outcome="succeeded",reason="",service="executor",workflow="answer"} 1.0',
            'loopy_attempt_seconds_count{outcome="succeeded",service="executor",workflow="answer"} 1.0',
            'loopy_runs_ended_total{outcome="succeeded",service="dispatcher",workflow="answer"} 1.0',
            'loopy_dead_letters_total{consumer="dispatcher-events",reason="unknown_event",service="dispatcher"} 1.0',
            'loopy_consumer_lag_messages{consumer="dispatcher-runs",service="dispatcher"} 0.0',
            'loopy_consumer_lag_messages{consumer="executor-default",service="executor"} 0.0',
            'loopy_slots{service="executor"} 3.0',
            'loopy_stream_limit_bytes{service="ingress",stream="EVT"} 1.610612736e+09',
            'loopy_slots_in_use{service="executor"} 0.0',
        ):
            await wait_until(lambda line=line: _among(shown, line))  # type: ignore[misc]  # bound in this turn
        held = {line.split(",")[1] for line in await shown() if line.startswith("loopy_stream_bytes{")}
        assert {f'stream="{stream.name}"' for stream in STREAMS} == {each.partition("}")[0] for each in held}
        ready = {line for line in await shown() if line.startswith("loopy_ready{")}
        assert ready == {f'loopy_ready{{service="{name}"}} 1.0' for name in ALL}


async def _among(shown: Callable[[], Awaitable[list[str]]], line: str) -> bool:
    return line in await shown()


async def _publish_what_nobody_knows(nats_url: str, namespace: str) -> None:
    bus = await Bus.connect(nats_url, namespace=namespace, name="stranger")
    await bus.publish_once(Outgoing(bus.subjects.event("Unheard", "e"), b"{}"))
    await bus.close()
