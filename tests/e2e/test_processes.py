"""The five services as processes of their own do what one process does; strangers on the bus are served as well."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import nats
import pytest

from loopy.bus.client import Bus
from loopy.bus.dead import read_dead
from loopy.bus.streams import DEAD
from loopy.runs.cascade import Cascade
from tests.support.command_line import Started, loopy
from tests.support.engine import finished_cascade
from tests.support.shop import executions_of, write_shop
from tests.support.waiting import wait_until

ORDER = ("trigger", "Order", "--field", "item=tea", "--field", "amount=2")


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    return write_shop(tmp_path / "shop")


@pytest.fixture
def serve(shop: Path, nats_url: str, namespace: str) -> Iterator[Any]:
    """Starts services, each a process; they are ready when it returns."""
    with ExitStack() as stack:

        def start(*names: str) -> list[Started]:
            where = ("--nats", nats_url, "--namespace", namespace)
            started = [stack.enter_context(Started("serve", name, shop, "--port", "0", *where)) for name in names]
            for process in started:
                process.complaint("services.ready")
            return started

        yield start


async def done(nats_url: str, namespace: str, cascade: str) -> Cascade:
    """The cascade, once it is done."""
    bus = await Bus.connect(nats_url, namespace=namespace, name="test")
    try:
        return await finished_cascade(bus, cascade, timeout_s=30)
    finally:
        await bus.close()


def outline(cascade: Cascade) -> list[tuple[str, list[str]]]:
    return [(run.workflow, [f"{step.name} {step.progress}" for step in run.steps]) for run in cascade.runs]


async def test_five_processes_do_what_one_does(serve: Any, shop: Path, nats_url: str, namespace: str) -> None:
    processes = serve("ingress", "scheduler", "dispatcher", "executor", "console")
    ready = json.loads(processes[0].complaint("services.ready"))
    assert ready["url"].startswith("http://127.0.0.1:")
    told = await asyncio.to_thread(
        loopy, *ORDER, "--id", "o1", "--wait", "--nats", nats_url, "--namespace", namespace, "--project", shop
    )
    assert told.returncode == 0, told.stderr
    assert outline(await done(nats_url, namespace, "o1")) == [
        ("sell", ["quote succeeded", "confirm succeeded"]),
        ("bill", ["send succeeded"]),
    ]
    assert executions_of(shop) == 3
    assert [process.stop() for process in processes] == [0] * 5


async def test_replicas_double_no_step(serve: Any, shop: Path, nats_url: str, namespace: str) -> None:
    serve("dispatcher", "dispatcher", "executor", "executor", "executor")
    client = await nats.connect(nats_url)
    ids = [f"b{number}" for number in range(20)]
    for identity in ids:
        await client.jetstream().publish(f"{namespace}.evt.Batch.{identity}", b'{"size": 1}')
    await client.close()
    for identity in ids:
        cascade = await done(nats_url, namespace, identity)
        assert outline(cascade) == [("batch", [f"{name} succeeded" for name in ("split", "left", "right", "join")])]
    assert executions_of(shop) == 4 * len(ids)


@pytest.fixture
async def stranger(nats_url: str) -> AsyncIterator[Any]:
    """A plain NATS client, which knows nothing of Loopy but docs/reference/subjects.md."""
    client = await nats.connect(nats_url)
    yield client
    await client.close()


async def test_a_stranger_starts_a_workflow_and_taps_what_it_emits(
    serve: Any, stranger: Any, namespace: str, nats_url: str
) -> None:
    serve("dispatcher", "executor")
    tapped = await stranger.subscribe(f"{namespace}.tap.evt.Invoice.>")
    await stranger.publish(f"{namespace}.evt.Order.s1", b'{"item": "tea", "amount": 2}')
    message = await tapped.next_msg(timeout=20)
    assert json.loads(message.data) == {"item": "tea", "total": 3}
    assert message.headers["ce-type"] == "Invoice"
    assert message.headers["ce-cascade"] == "s1"
    assert not (await done(nats_url, namespace, "s1")).failed


async def test_a_wrong_event_is_set_aside_with_the_reason_and_others_go_on(
    serve: Any, stranger: Any, bus: Bus, namespace: str, nats_url: str
) -> None:
    serve("dispatcher", "executor")
    wrong = [b'{"item": "tea", "amount": "two"}', b"\xff\xfe", b"[]", b"", b'{"item": "tea"}']
    for number, payload in zip(itertools.count(), wrong, strict=False):
        await stranger.publish(f"{namespace}.evt.Order.w{number}", payload)
    await stranger.publish(f"{namespace}.evt.Order.right", b'{"item": "tea", "amount": 2}')
    assert not (await done(nats_url, namespace, "right")).failed
    subject = bus.subjects.under("dead", ">")

    async def all_set_aside() -> bool:
        return len(await bus.last_each(DEAD, [subject])) == len(wrong)

    await wait_until(all_set_aside)
    letters = [read_dead(message) for message in await bus.last_each(DEAD, [subject])]
    by_id = {letter.subject.rpartition(".")[2]: letter for letter in letters}
    assert set(by_id) == {f"w{number}" for number in range(len(wrong))}
    assert "amount: expected int" in by_id["w0"].detail
    assert by_id["w0"].payload == wrong[0]


def test_a_service_needs_a_server(shop: Path) -> None:
    refused = loopy("serve", "dispatcher", shop)
    assert refused.returncode == 2
    assert "LOOPY_NATS_URL" in refused.stderr


@pytest.mark.parametrize("words", [["nobody"], [], ["dispatcher", "/nowhere"], ["executor", "--pool", "a b"]])
def test_what_cannot_be_served_is_one_clear_message(words: list[str]) -> None:
    refused = loopy("serve", *words, "--nats", "nats://127.0.0.1:1")
    assert refused.returncode == 2
    assert "Traceback" not in refused.stderr
