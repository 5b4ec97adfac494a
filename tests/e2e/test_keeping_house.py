"""Runs that ended are archived and shown from there; a full stream is told of, waited for and gone on from."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from loopy.bus.client import Bus
from loopy.bus.streams import EVENTS, RUNS, Stream, stream_name
from tests.support.command_line import Run, loopy
from tests.support.waiting import wait_until

A_MOMENT = {"LOOPY_KEEP_DAYS": "0.00001"}


def show(shop: Path, run: str) -> dict[str, Any]:
    """What `loopy runs show` prints as JSON."""
    done = loopy("runs", "show", run, "--json", cwd=shop)
    assert done.returncode == 0, done.stderr
    shown: dict[str, Any] = json.loads(done.stdout)
    return shown


def newest_run(shop: Path) -> str:
    """The id of the run that began last."""
    return str(json.loads(loopy("runs", "--json", cwd=shop).stdout)[0]["run"])


async def test_a_run_that_ended_long_ago_is_shown_from_its_archive_and_says_so(shop: Path) -> None:
    with Run(shop) as run:
        assert loopy("trigger", "Batch", "--field", "size=1", "--wait", cwd=shop).returncode == 0
        identity = newest_run(shop)
        before, told = show(shop, identity), loopy("runs", "show", identity, cwd=shop).stdout
        assert before["archived_at"] is None
        run.stop()
    with Run(shop, env=A_MOMENT) as run:

        def is_archived() -> bool:
            return show(shop, identity)["archived_at"] is not None

        await wait_until(is_archived, 20)
        assert show(shop, identity) | {"archived_at": None} == before
        *same, _, archived, _ = loopy("runs", "show", identity, cwd=shop).stdout.split("\n")
        assert same == told.rstrip("\n").split("\n")
        assert archived.startswith("archived ")
        assert newest_run(shop) == identity
        async with httpx.AsyncClient(base_url=run.there.http_url) as web:
            answer = (await web.get(f"/api/runs/{identity}")).json()
        assert (answer["ended"]["outcome"], answer["archived_at"] is None) == ("succeeded", False)
        assert set(answer["steps"]) == {"split", "left", "right", "join"}


@pytest.fixture
async def live(shop: Path) -> AsyncIterator[tuple[Run, Bus]]:
    """A shop that runs, and its bus."""
    with Run(shop) as run:
        bus = await Bus.connect(run.there.nats_url, namespace=run.there.namespace, name="test")
        yield run, bus
        await bus.close()


async def limit(bus: Bus, stream: Stream, most: int) -> None:
    """Let a stream hold so many messages at most; -1: as many as there are."""
    name = stream_name(bus.subjects, stream)
    config = (await bus._connection.api(f"STREAM.INFO.{name}", {}))["config"]
    await bus._connection.api(f"STREAM.UPDATE.{name}", {**config, "max_msgs": most})


async def test_trigger_tells_of_a_full_stream_with_its_limit_and_what_to_do(shop: Path, live: tuple[Run, Bus]) -> None:
    _, bus = live
    await limit(bus, EVENTS, max(1, (await bus.room(EVENTS)).messages))
    loopy("trigger", "Batch", "--field", "size=1", cwd=shop)  # it may take the only place
    refused = loopy("trigger", "Batch", "--field", "size=1", cwd=shop)
    assert refused.returncode == 2
    assert f"the stream {stream_name(bus.subjects, EVENTS)} is full: maximum messages exceeded" in refused.stderr
    assert "it may hold 1,610,612,736 bytes" in refused.stderr
    assert "it drains by itself" in refused.stderr
    assert "--max-bytes" in refused.stderr
    await limit(bus, EVENTS, -1)
    assert loopy("trigger", "Batch", "--field", "size=1", "--wait", cwd=shop).returncode == 0


async def test_services_wait_for_room_say_so_once_and_go_on(shop: Path, live: tuple[Run, Bus]) -> None:
    run, bus = live
    await limit(bus, RUNS, 1)
    for number in range(3):
        assert loopy("trigger", "Batch", "--field", "size=1", "--id", f"b{number}", cwd=shop).returncode == 0
    assert stream_name(bus.subjects, RUNS) in run.complaint("bus.full")
    await limit(bus, RUNS, -1)
    for _ in range(3):
        run.line("batch/join")

    async def are_done() -> bool:
        listed = json.loads(loopy("runs", "--json", cwd=shop).stdout)
        return [each["outcome"] for each in listed] == ["succeeded"] * 3

    await wait_until(are_done, 20)
    assert len([line for line in run.complained if "bus.full" in line]) == 1
    assert run.stop() == 0


async def test_the_room_that_an_operator_gave_is_kept_when_services_start_again(shop: Path) -> None:
    async def room(run: Run, most: int | None = None) -> int | None:
        bus = await Bus.connect(run.there.nats_url, namespace=run.there.namespace, name="test")
        if most is not None:
            name = stream_name(bus.subjects, EVENTS)
            config = (await bus._connection.api(f"STREAM.INFO.{name}", {}))["config"]
            await bus._connection.api(f"STREAM.UPDATE.{name}", {**config, "max_bytes": most})
        found = (await bus.room(EVENTS)).most_bytes
        await bus.close()
        return found

    with Run(shop) as run:
        assert await room(run, EVENTS.max_bytes * 2) == EVENTS.max_bytes * 2
        run.stop()
    with Run(shop) as run:
        assert await room(run) == EVENTS.max_bytes * 2
        assert await room(run, 1 << 20) == 1 << 20
        run.stop()
    with Run(shop) as run:
        assert await room(run) == EVENTS.max_bytes
