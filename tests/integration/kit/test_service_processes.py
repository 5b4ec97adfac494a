"""Services as processes of their own: they start from the environment alone, say why not, and stop well."""

import asyncio
import json
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.files import write_files
from tests.support.nats_server import NatsServer
from tests.support.services import process
from tests.support.waiting import wait_until

REGISTRY = "events:\n  Noted: { text: str }\n"
SENSOR = """
from loopy import sensor
from loopy.events import Noted

@sensor(webhook="/hooks/note", emits="Noted")
def note(req):
    return Noted(text=req.json["text"])
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    write_files(tmp_path, {"registry.yml": REGISTRY, "sensors/note.py": SENSOR})
    return tmp_path


async def said(child: asyncio.subprocess.Process, event: str) -> dict[str, str]:
    """The next log line of this event."""
    assert child.stderr is not None
    async for line in child.stderr:
        fields: dict[str, str] = json.loads(line)
        if fields["event"] == event:
            return fields
    raise AssertionError(f"it ended without {event}")


async def ready_url(child: asyncio.subprocess.Process) -> str:
    """Where a service listens, once it says that it is ready."""
    return (await said(child, "services.ready"))["url"]


async def last_words(child: asyncio.subprocess.Process) -> tuple[int | None, str]:
    """How a process ended, and what it said on stderr that is no log line."""
    _, err = await asyncio.wait_for(child.communicate(), 30)
    lines = [line for line in err.decode().splitlines() if not line.startswith("{")]
    return child.returncode, "\n".join(lines)


async def test_a_service_serves_until_sigterm_and_ends_with_0(project: Path, nats_url: str, namespace: str) -> None:
    async with process("ingress", project, nats_url, namespace) as child:
        url = await ready_url(child)
        async with httpx.AsyncClient() as client:
            assert (await client.post(f"{url}/hooks/note", json={"text": "x"})).status_code == 202
        child.send_signal(signal.SIGTERM)
        assert await last_words(child) == (0, "")


async def test_a_second_service_on_the_same_port_says_so_and_ends_with_2(
    project: Path, nats_url: str, namespace: str
) -> None:
    async with process("console", project, nats_url, namespace) as first:
        port = (await ready_url(first)).rpartition(":")[2]
        async with process("ingress", project, nats_url, namespace, LOOPY_PORT=port) as second:
            code, words = await last_words(second)
    assert code == 2
    assert words.startswith(f"error: port {port} on 127.0.0.1 is in use")


async def test_without_a_token_others_reach_no_api(project: Path, nats_url: str, namespace: str) -> None:
    async with process("console", project, nats_url, namespace, LOOPY_HOST="0.0.0.0") as child:
        code, words = await last_words(child)
    assert code == 2
    assert "LOOPY_TOKEN" in words


async def test_every_problem_of_the_environment_is_told_with_2(project: Path, namespace: str) -> None:
    async with process("console", project, "", namespace, LOOPY_SLOTS="none", LOOPY_TOKEN="two words") as child:
        code, words = await last_words(child)
    assert code == 2
    assert all(name in words for name in ("LOOPY_NATS_URL is", "LOOPY_SLOTS must", "LOOPY_TOKEN must"))
    assert "two words" not in words


async def test_a_project_that_does_not_compile_is_told_with_2(project: Path, nats_url: str, namespace: str) -> None:
    (project / "registry.yml").write_text("events:\n  Noted: { text: strr }\n")
    async with process("ingress", project, nats_url, namespace) as child:
        code, words = await last_words(child)
    assert code == 2
    assert "registry.yml:2:" in words


async def test_a_project_that_is_not_there_is_told_with_2(project: Path, nats_url: str, namespace: str) -> None:
    async with process("ingress", project / "nowhere", nats_url, namespace) as child:
        code, words = await last_words(child)
    assert code == 2
    assert "nowhere" in words
    assert "Traceback" not in words


async def test_a_broken_sensor_module_is_told_with_2(project: Path, nats_url: str, namespace: str) -> None:
    (project / "sensors/note.py").write_text(SENSOR + "\nimport nothing_like_it\n")
    async with process("ingress", project, nats_url, namespace) as child:
        code, words = await last_words(child)
    assert code == 2
    assert (
        words
        == "error: sensors/note.py does not import: ModuleNotFoundError: No module named 'nothing_like_it' (line 9)"
    )


async def test_a_server_that_is_not_there_is_told_with_2_and_without_credentials(project: Path, namespace: str) -> None:
    async with process("ingress", project, "nats://s3cr3t@127.0.0.1:1", namespace, LOOPY_NATS_WAIT_S="0") as child:
        code, words = await last_words(child)
    assert code == 2
    assert "127.0.0.1:1" in words
    assert "s3cr3t" not in words


@pytest.fixture
def absent(tmp_path: Path) -> Iterator[NatsServer]:
    """A server whose port is known and that is not there yet."""
    store = tmp_path / "nats"
    store.mkdir()
    server = NatsServer(store)
    server.start()
    server.kill()
    yield server
    server.kill()


async def test_a_service_that_is_started_before_the_server_waits_for_it(project: Path, absent: NatsServer) -> None:
    async with process("dispatcher", project, absent.url, "waits", LOOPY_OPS_PORT="0") as child:
        url = (await said(child, "operations.listening"))["url"]
        assert "connection refused" in (await said(child, "nats.awaited"))["error"]
        async with httpx.AsyncClient() as client:
            assert (await client.get(f"{url}/livez")).status_code == 200
            assert (await client.get(f"{url}/readyz")).status_code == 503
            absent.start()
            await ready_url(child)
            assert (await client.get(f"{url}/readyz")).json() == {"ready": True, "services": {"dispatcher": "ready"}}


async def test_a_service_that_waits_for_the_server_can_be_told_to_stop(project: Path, absent: NatsServer) -> None:
    async with process("executor", project, absent.url, "waits") as child:
        await said(child, "nats.awaited")
        child.send_signal(signal.SIGTERM)
        assert await last_words(child) == (0, "")


async def test_wrong_credentials_are_not_waited_over(project: Path, tmp_path: Path) -> None:
    store = tmp_path / "nats"
    store.mkdir()
    server = NatsServer(store, token="right-token")
    server.start()
    try:
        async with process("executor", project, server.url.replace("right", "wr0ng"), "waits") as child:
            code, words = await last_words(child)
    finally:
        server.kill()
    assert code == 2
    assert "it refuses the credentials" in words
    assert "wr0ng" not in words


@pytest.mark.parametrize("name", ["scheduler", "dispatcher", "executor", "console", "ingress"])
async def test_every_service_tells_of_its_health_and_metrics(
    name: str, project: Path, nats_url: str, namespace: str
) -> None:
    async with process(name, project, nats_url, namespace) as child, httpx.AsyncClient() as client:
        url = (await said(child, "operations.listening"))["url"]
        await ready_url(child)
        assert (await client.get(f"{url}/livez")).status_code == 200
        assert (await client.get(f"{url}/readyz")).json() == {"ready": True, "services": {name: "ready"}}
        metrics = (await client.get(f"{url}/metrics")).text
        assert f'loopy_ready{{service="{name}"}} 1.0' in metrics
        assert "process_resident_memory_bytes" in metrics


async def test_a_service_that_drains_says_so_while_it_still_works(project: Path, nats_url: str, namespace: str) -> None:
    delay = {"LOOPY_DRAIN_DELAY_S": "60", "LOOPY_OPS_PORT": "0"}
    async with process("ingress", project, nats_url, namespace, **delay) as child, httpx.AsyncClient() as client:
        operations = (await said(child, "operations.listening"))["url"]
        url = await ready_url(child)

        async def draining() -> bool:
            return (await client.get(f"{operations}/readyz")).status_code == 503

        child.send_signal(signal.SIGTERM)
        await wait_until(draining)
        assert (await client.post(f"{url}/hooks/note", json={"text": "x"})).status_code == 202
        child.send_signal(signal.SIGTERM)
        assert (await last_words(child))[0] == 130


async def test_a_path_for_operators_is_no_webhooks(project: Path, nats_url: str, namespace: str) -> None:
    (project / "sensors/note.py").write_text(SENSOR.replace("/hooks/note", "/metrics"))
    async with process("ingress", project, nats_url, namespace) as child:
        code, words = await last_words(child)
    assert (code, words) == (2, "error: sensor note: /metrics is for operators; choose another path")
