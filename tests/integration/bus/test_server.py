"""The embedded server: one a store, restarted when it dies, gone with its owner."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from loopy.bus.client import Bus
from loopy.bus.messages import Outgoing
from loopy.bus.server import EmbeddedServer, ServerError, StoreInUse
from loopy.bus.streams import RUNS, Durability
from tests.support.waiting import wait_until

needs_linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a child with its parent")

OWNER = """
import asyncio, sys
from pathlib import Path
from loopy.bus.server import EmbeddedServer

async def main():
    server = await EmbeddedServer.start(Path(sys.argv[1]))
    print(server.pid, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


def is_alive(pid: int) -> bool:
    """Whether a process exists and is no zombie."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def program(directory: Path, script: str) -> str:
    """An executable shell script, to stand for nats-server."""
    path = directory / "nats-server"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o700)
    return str(path)


async def test_a_second_start_on_one_store_is_refused(tmp_path: Path) -> None:
    server = await EmbeddedServer.start(tmp_path / "store")
    with pytest.raises(StoreInUse, match="is in use by another NATS server"):
        await EmbeddedServer.start(tmp_path / "store")
    await server.stop()
    again = await EmbeddedServer.start(tmp_path / "store")
    await again.stop()


@pytest.mark.parametrize(("durability", "interval"), [("process", "100ms"), ("power-loss", "always")])
async def test_how_often_the_disk_is_waited_for_outlives_the_server(
    durability: Durability, interval: str, tmp_path: Path
) -> None:
    server = await EmbeddedServer.start(tmp_path, durability)
    first = server.pid
    os.kill(first, signal.SIGKILL)
    await wait_until(lambda: server.pid != first)
    assert f'sync_interval: "{interval}"' in (tmp_path / "run" / "nats.conf").read_text()
    await server.stop()


async def test_data_outlives_the_server_and_a_killed_one_comes_back_on_its_port(tmp_path: Path) -> None:
    server = await EmbeddedServer.start(tmp_path)
    bus = await Bus.connect(server.url, name="test")
    await bus.provision()
    await bus.publish_once(Outgoing(bus.subjects.start("r"), b"{}"))
    first, url = server.pid, server.url
    os.kill(first, signal.SIGKILL)
    await wait_until(lambda: server.pid != first)
    assert server.url == url
    assert await bus.position(RUNS) == 1
    await bus.close()
    await server.stop()

    reopened = await EmbeddedServer.start(tmp_path)
    bus = await Bus.connect(reopened.url, name="test")
    assert await bus.position(RUNS) == 1
    assert bus.max_payload == 8 << 20
    await bus.close()
    await reopened.stop()


async def test_only_the_owner_can_read_the_credentials_and_only_this_machine_can_connect(tmp_path: Path) -> None:
    server = await EmbeddedServer.start(tmp_path / "store")
    token = server.url.removeprefix("nats://").partition("@")[0]
    assert f"@127.0.0.1:{server.url.rpartition(':')[2]}" in server.url
    assert (tmp_path / "store").stat().st_mode & 0o777 == 0o700
    holding = [
        path for path in (tmp_path / "store").rglob("*") if path.is_file() and token in path.read_text("latin-1")
    ]
    assert [(path.name, path.stat().st_mode & 0o777) for path in holding] == [("nats.conf", 0o600)]
    assert token not in repr(server)
    await server.stop()


@needs_linux
async def test_it_dies_with_its_owner_and_its_store_is_free_at_once(tmp_path: Path) -> None:
    owner = await asyncio.create_subprocess_exec(
        sys.executable, "-c", OWNER, str(tmp_path / "store"), stdout=subprocess.PIPE
    )
    assert owner.stdout is not None
    server = int(await owner.stdout.readline())
    assert is_alive(server)
    owner.kill()
    await owner.wait()
    await wait_until(lambda: not is_alive(server))
    again = await EmbeddedServer.start(tmp_path / "store")
    await again.stop()


async def test_one_that_is_missing_is_told_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOOPY_NATS_SERVER", str(tmp_path / "nowhere"))
    with pytest.raises(ServerError, match=r"no nats-server at .*nowhere: LOOPY_NATS_SERVER names no program, or use"):
        await EmbeddedServer.start(tmp_path / "store")


async def test_one_that_does_not_start_is_told_with_its_last_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOOPY_NATS_SERVER", program(tmp_path, "cat $2 >&2; echo no space left >&2; exit 1"))
    with pytest.raises(ServerError, match=r"nats-server did not start: .*no space left") as caught:
        await EmbeddedServer.start(tmp_path / "store")
    [token] = [line for line in (tmp_path / "store/run/nats.conf").read_text().splitlines() if "token" in line]
    assert token.split('"')[1] not in str(caught.value)
    monkeypatch.delenv("LOOPY_NATS_SERVER")
    server = await EmbeddedServer.start(tmp_path / "store")
    await server.stop()


async def test_one_that_keeps_dying_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = await EmbeddedServer.start(tmp_path / "store")
    monkeypatch.setenv("LOOPY_NATS_SERVER", program(tmp_path, "echo disk is gone >&2; exit 1"))
    os.kill(server.pid, signal.SIGKILL)
    with pytest.raises(ServerError, match=r"keeps dying .* disk is gone; its log is"):
        await asyncio.wait_for(server.wait(), 20)
    await server.stop()


async def test_a_store_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ServerError, match="cannot be used: Not a directory"):
        await EmbeddedServer.start(tmp_path / "file" / "store")


async def test_stopping_ends_the_wait_for_it(tmp_path: Path) -> None:
    server = await EmbeddedServer.start(tmp_path / "store")
    waiting = asyncio.create_task(server.wait())
    pid = server.pid
    await server.stop()
    await asyncio.wait_for(waiting, 5)
    assert not is_alive(pid)
