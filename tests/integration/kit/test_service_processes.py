"""Services as processes of their own: they start from the environment alone, say why not, and stop well."""

import asyncio
import json
import signal
from pathlib import Path

import httpx
import pytest

from tests.support.files import write_files
from tests.support.services import process

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


async def ready_url(child: asyncio.subprocess.Process) -> str:
    """Where a service listens, once it says that it is ready."""
    assert child.stderr is not None
    async for line in child.stderr:
        said = json.loads(line)
        if said["event"] == "services.ready":
            return str(said["url"])
    raise AssertionError("it ended before it was ready")


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
            code, said = await last_words(second)
    assert code == 2
    assert said.startswith(f"error: port {port} on 127.0.0.1 is in use")


async def test_without_a_token_others_reach_no_api(project: Path, nats_url: str, namespace: str) -> None:
    async with process("console", project, nats_url, namespace, LOOPY_HOST="0.0.0.0") as child:
        code, said = await last_words(child)
    assert code == 2
    assert "LOOPY_TOKEN" in said


async def test_every_problem_of_the_environment_is_told_with_2(project: Path, namespace: str) -> None:
    async with process("console", project, "", namespace, LOOPY_SLOTS="none", LOOPY_TOKEN="two words") as child:
        code, said = await last_words(child)
    assert code == 2
    assert all(name in said for name in ("LOOPY_NATS_URL is", "LOOPY_SLOTS must", "LOOPY_TOKEN must"))
    assert "two words" not in said


async def test_a_project_that_does_not_compile_is_told_with_2(project: Path, nats_url: str, namespace: str) -> None:
    (project / "registry.yml").write_text("events:\n  Noted: { text: strr }\n")
    async with process("ingress", project, nats_url, namespace) as child:
        code, said = await last_words(child)
    assert code == 2
    assert "registry.yml:2:" in said


async def test_a_project_that_is_not_there_is_told_with_2(project: Path, nats_url: str, namespace: str) -> None:
    async with process("ingress", project / "nowhere", nats_url, namespace) as child:
        code, said = await last_words(child)
    assert code == 2
    assert "nowhere" in said
    assert "Traceback" not in said


async def test_a_broken_sensor_module_is_told_with_2(project: Path, nats_url: str, namespace: str) -> None:
    (project / "sensors/note.py").write_text(SENSOR + "\nimport nothing_like_it\n")
    async with process("ingress", project, nats_url, namespace) as child:
        code, said = await last_words(child)
    assert code == 2
    assert (
        said
        == "error: sensors/note.py does not import: ModuleNotFoundError: No module named 'nothing_like_it' (line 9)"
    )


async def test_a_server_that_is_not_there_is_told_with_2_and_without_credentials(project: Path, namespace: str) -> None:
    async with process("ingress", project, "nats://s3cr3t@127.0.0.1:1", namespace) as child:
        code, said = await last_words(child)
    assert code == 2
    assert "127.0.0.1:1" in said
    assert "s3cr3t" not in said
