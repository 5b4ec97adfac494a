"""Large values from end to end, on a server that takes 1 MiB in one message, as NATS does by default."""

import asyncio
import hashlib
import json
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import msgspec
import pytest

from loopy.bus import messages
from loopy.bus.claims import blob_subjects
from loopy.bus.client import Bus
from loopy.bus.cloudevents import event_message
from loopy.bus.codec import Delivery
from loopy.bus.deadletters import SetAside, list_dead
from loopy.bus.deliveries import newest_deliveries
from loopy.bus.journal import read_run
from loopy.bus.streams import EVENTS
from loopy.kit.settings import Settings
from loopy.runs.ids import run_id
from loopy.runs.records import AttemptFailed, AttemptSucceeded
from tests.support.command_line import LOOPY, environment
from tests.support.engine import finished_cascade
from tests.support.facts import event
from tests.support.files import write_files
from tests.support.nats_server import NatsServer
from tests.support.services import ALL, Running, services, settings_for
from tests.support.waiting import wait_until

MB = 1_000_000
WRITES = """import json, sys
sys.stdin.read()
print(json.dumps({"output": {"report": "r" * 5_000_000}, "emits": {"Report": [{"text": "t" * 2_000_000}]}}))
"""
MEASURES = """import json, sys
prompt = sys.stdin.read().partition("## Your answer")[0]
print(json.dumps({"output": {"characters": prompt.count("t"), "reports": prompt.count("r" * 1_000_000)}}))
"""
TOO_MUCH = """import sys
sys.stdin.read()
print('{"output": {"text": "%s"}}' % ("x" * 3_000_000))
"""
SENSORS = """from loopy import sensor
from loopy.events import Begin

@sensor(webhook="/hooks/begin", emits="Begin")
def begin(req):
    return Begin(how=str(len(req.body)))
"""


def write_project(root: Path) -> Path:
    """Write: `write/write` gives 5 MB and emits 2 MB; `write/check` and `read/measure` have prompts of these."""
    programs = {"Writer": WRITES, "Measurer": MEASURES, "Flooder": TOO_MUCH}
    registry = {
        "agents": {
            name: {"sandbox": "here", "harness": {"runtime": "command", "run": [sys.executable, "-c", program]}}
            for name, program in programs.items()
        },
        "sandboxes": {"here": {"provider": "local", "isolation": "none"}},
        "events": {"Begin": {"how": "str"}, "Report": {"text": "str"}, "Flood": {"how": "str"}},
    }
    once = "retry: { attempts: 1 }"
    measuring = f"agent: Measurer\noutput: {{ characters: int, reports: int }}\n{once}"
    steps = {
        "write/write": ("on: Begin\nagent: Writer\noutput: { report: str }\nemits: Report", "Write."),
        "write/check": (f"after: write\n{measuring}", "{{ write.report }}"),
        "read/measure": (f"on: Report\n{measuring}", "{{ event.text }}"),
        "flood/flood": (f"on: Flood\nagent: Flooder\noutput: {{ text: str }}\n{once}", "Flood."),
    }
    files = {f"workflows/{name}.md": f"---\n{head}\n---\n{prose}\n" for name, (head, prose) in steps.items()}
    write_files(root, {"registry.yml": json.dumps(registry), "sensors/sensors.py": SENSORS, **files})
    return root


@pytest.fixture(scope="module")
def small_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    """A server with the `max_payload` that NATS has by default."""
    server = NatsServer(tmp_path_factory.mktemp("nats"), max_payload="1MB")
    server.start()
    yield server
    server.kill()


@pytest.fixture
def small_settings(small_server: NatsServer, namespace: str) -> Settings:
    """Settings for services on it."""
    return settings_for(small_server.url, namespace, webhook_max_bytes=4 * MB, largest_value_bytes=16 << 20)


@pytest.fixture
async def small_bus(small_server: NatsServer, namespace: str) -> AsyncIterator[Bus]:
    """A bus on it, with every stream and consumer."""
    bus = await Bus.connect(small_server.url, namespace=namespace, name="test")
    await bus.provision()
    assert bus.max_payload == 1 << 20
    yield bus
    await bus.close()


@pytest.fixture
async def running(small_bus: Bus, small_settings: Settings, tmp_path: Path) -> AsyncIterator[Running]:
    """Every service, on the project."""
    async with services(ALL, write_project(tmp_path / "project"), small_settings) as all_services:
        yield all_services


async def command(server: NatsServer, bus: Bus, *words: str) -> bytes:
    """What a command that must succeed prints."""
    where = ("--nats", server.url, "--namespace", bus.subjects.namespace)
    child = await asyncio.create_subprocess_exec(
        LOOPY, *words, *where, env=environment(), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    said, complained = await child.communicate()
    assert child.returncode == 0, complained.decode()
    return said


async def test_a_large_output_and_a_large_event_go_where_they_are_used(
    running: Running, small_bus: Bus, small_server: NatsServer
) -> None:
    bus = small_bus
    await bus.publish_once(event_message(bus.subjects, event("first", "Begin", data={"how": "at length"})))
    cascade = await finished_cascade(bus, "first")
    assert (cascade.failed, [run.workflow for run in cascade.runs]) == (False, ["write", "read"])
    writing, reading = (run.run for run in cascade.runs)

    journal = {run: await read_run(bus, run) for run in (writing, reading)}
    results = {
        step: result
        for state in journal.values()
        if state is not None
        for step, facts in state.steps.items()
        for result in facts.results
        if isinstance(result, AttemptSucceeded)
    }
    assert results["write"].output == {"report": "r" * 5 * MB}
    assert results["check"].output["reports"] == 5
    assert results["measure"].output["characters"] == 2 * MB

    async with httpx.AsyncClient(base_url=running.url, timeout=30) as api:
        shown = (await api.get(f"/api/runs/{writing}")).json()
        read = (await api.get(f"/api/runs/{reading}")).json()
        listed = (await api.get("/api/runs")).json()["runs"]
    assert shown["steps"]["write"]["results"][0]["output"]["report"] == "r" * 5 * MB
    assert read["started"]["event"]["data"] == {"text": "t" * 2 * MB}
    assert {run["run"] for run in listed} == {writing, reading}

    told = json.loads(await command(small_server, bus, "runs", "show", writing, "--json"))
    assert told["attempts"][0]["output"]["report"] == "r" * 5 * MB
    drawn = (await command(small_server, bus, "runs", "show", reading)).decode()
    assert "measure" in drawn
    assert len(drawn) < 10_000


async def test_a_large_webhook_is_kept_whole_and_leads_to_its_event(running: Running, small_bus: Bus) -> None:
    body = b"x" * 3 * MB
    async with httpx.AsyncClient(base_url=running.url, timeout=30) as web:
        answer = await web.post("/hooks/begin", content=body, headers={"Request-ID": "big"})
        assert answer.status_code == 202
        again = await web.post("/hooks/begin", content=body, headers={"Request-ID": "big"})
        assert again.json()["duplicate"] is True
    [delivery] = await newest_deliveries(small_bus, 5)
    assert isinstance(delivery, Delivery)
    assert hashlib.sha256(delivery.body).digest() == hashlib.sha256(body).digest()

    async def sensed() -> bool:
        message = await small_bus.last(EVENTS, small_bus.subjects.under("evt", "Begin", ">"))
        return message is not None and json.loads(message.payload) == {"how": str(len(body))}

    await wait_until(sensed)


async def test_an_output_beyond_what_may_be_stored_is_a_failure_that_names_size_and_limit(
    small_bus: Bus, small_settings: Settings, tmp_path: Path
) -> None:
    tight = msgspec.structs.replace(small_settings, largest_value_bytes=2 << 20)
    async with services(ALL, write_project(tmp_path / "project"), tight):
        await small_bus.publish_once(event_message(small_bus.subjects, event("flood", "Flood", data={"how": "all"})))
        run = run_id("flood", "flood")
        failures: list[AttemptFailed] = []

        async def has_failed() -> bool:
            state = await read_run(small_bus, run)
            results = [] if state is None else [r for facts in state.steps.values() for r in facts.results]
            failures[:] = [result for result in results if isinstance(result, AttemptFailed)]
            return bool(failures)

        await wait_until(has_failed, 20)
    assert failures[0].reason == "bad_output"
    assert failures[0].detail.startswith("the answer takes 3,000,")
    assert "it may take 2,088,960 (LOOPY_LARGEST_VALUE_BYTES)" in failures[0].detail


async def test_an_event_whose_blob_was_deleted_by_hand_becomes_a_dead_letter_with_the_reason(
    small_bus: Bus, small_settings: Settings, small_server: NatsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(messages, "PATIENCE", 2)
    bus, lost, kept = small_bus, event("lost", "Report", data={"text": "t" * MB}), event("kept", "Report")
    for each in (lost, event("kept", "Report", data={"text": "t" * MB})):
        await bus.publish_once(event_message(bus.subjects, each))
    message = await bus.last(EVENTS, bus.subjects.event("Report", lost.id))
    assert message is not None
    await bus._connection.api(
        f"STREAM.PURGE.{bus.subjects.namespace.upper()}_BLOB", {"filter": blob_subjects(bus.subjects, message)}
    )
    async with services(ALL, write_project(tmp_path / "project"), small_settings):
        letters: list[SetAside] = []

        async def are_set_aside() -> bool:
            letters[:] = await list_dead(bus)
            return bool(letters)

        await wait_until(are_set_aside, 20)
        assert not (await finished_cascade(bus, kept.id)).failed
    [letter] = letters
    assert (letter.letter.reason, letter.letter.subject) == ("lost_blob", message.subject)
    assert "is lost: blob " in letter.letter.detail
    assert letter.letter.detail.endswith(" of 2 is not there")
    shown = (await command(small_server, bus, "dead", "show", letter.id)).decode()
    assert "lost_blob" in shown
    assert "Loopy-Claim" in shown
