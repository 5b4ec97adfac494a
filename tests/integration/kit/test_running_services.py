"""Services from start to end: readiness, failures told in one message, a graceful stop, nothing left behind."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import pytest

from loopy.bus.streams import EVENTS
from loopy.compiler.plan import Plan
from loopy.kit import service
from loopy.kit.current_plan import CurrentPlan
from loopy.kit.errors import CannotStart, ServiceFailed
from loopy.kit.problems import Receive, Scope, Send
from loopy.kit.service import Host
from tests.support.services import services, settings_for

Serve = Callable[[Host], Awaitable[None]]


async def hello(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers every request alike."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> dict[str, Serve]:
    """The services that there are, by name; a test puts its own here."""
    table: dict[str, Serve] = {}
    monkeypatch.setattr(service, "find_service", table.__getitem__)
    return table


async def patient(host: Host) -> None:
    """Ready at once, ends when told."""
    host.ready()
    await host.stopping.wait()


async def test_each_service_gets_a_bus_of_its_own_on_provisioned_streams(
    known: dict[str, Serve], nats_url: str, namespace: str, tmp_path: Path
) -> None:
    hosts: list[Host] = []

    async def curious(host: Host) -> None:
        assert await host.bus.position(EVENTS) == 0
        hosts.append(host)
        await patient(host)

    known.update(a=curious, b=curious)
    async with services(["a", "b"], tmp_path, settings_for(nats_url, namespace), plan=Plan()):
        assert hosts[0].bus is not hosts[1].bus
        assert hosts[0].http is hosts[1].http
    assert not any(host.bus.connected for host in hosts)


async def test_the_listener_answers_once_all_are_ready_and_is_gone_at_the_end(
    known: dict[str, Serve], nats_url: str, namespace: str, tmp_path: Path
) -> None:
    async def serving(host: Host) -> None:
        host.http.mount("/", hello, protected=False)
        await patient(host)

    known["web"] = serving
    async with httpx.AsyncClient() as client:
        async with services(["web"], tmp_path, settings_for(nats_url, namespace), plan=Plan()) as running:
            assert (await client.get(running.url)).text == "hello"
        with pytest.raises(httpx.ConnectError):
            await client.get(running.url)


async def test_a_service_that_fails_ends_all_with_one_message(
    known: dict[str, Serve], nats_url: str, namespace: str, tmp_path: Path
) -> None:
    async def failing(host: Host) -> None:
        host.ready()
        raise KeyError("pr_url")

    known.update(good=patient, bad=failing)
    with pytest.raises(ServiceFailed, match=r"bad failed: KeyError: 'pr_url'"):
        async with services(["good", "bad"], tmp_path, settings_for(nats_url, namespace), plan=Plan()) as running:
            await running.ended


async def test_a_service_that_ends_untold_is_a_failure(
    known: dict[str, Serve], nats_url: str, namespace: str, tmp_path: Path
) -> None:
    async def leaving(host: Host) -> None:
        host.ready()

    known["a"] = leaving
    with pytest.raises(ServiceFailed, match="a ended though nothing told it to"):
        async with services(["a"], tmp_path, settings_for(nats_url, namespace), plan=Plan()) as running:
            await running.ended


async def test_what_must_be_mended_outside_is_told_before_any_other_failure(
    known: dict[str, Serve], nats_url: str, namespace: str, tmp_path: Path
) -> None:
    async def unusable(host: Host) -> None:
        raise CannotStart("mend this")

    async def failing(host: Host) -> None:
        raise OSError("because of that")

    known.update(a=failing, b=unusable)
    with pytest.raises(CannotStart, match="mend this"):
        async with services(["a", "b"], tmp_path, settings_for(nats_url, namespace), plan=Plan()):
            pass


async def test_a_server_that_is_not_there_is_one_clear_message(known: dict[str, Serve], tmp_path: Path) -> None:
    known["a"] = patient
    settings = settings_for("nats://s3cr3t@127.0.0.1:1", "nowhere")
    with pytest.raises(CannotStart) as caught:
        async with services(["a"], tmp_path, settings, plan=Plan()):
            pass
    assert "127.0.0.1:1" in str(caught.value)
    assert "s3cr3t" not in str(caught.value)


async def test_a_connection_that_is_closed_for_good_ends_the_process(
    known: dict[str, Serve], nats_url: str, namespace: str, tmp_path: Path
) -> None:
    async def closing(host: Host) -> None:
        host.ready()
        await host.bus.close()
        await host.stopping.wait()

    known["a"] = closing
    with pytest.raises(ServiceFailed, match="a lost its connection to NATS for good"):
        async with services(["a"], tmp_path, settings_for(nats_url, namespace), plan=Plan()) as running:
            await running.ended


async def test_being_told_to_stop_before_all_are_ready_stops(
    known: dict[str, Serve], nats_url: str, namespace: str, tmp_path: Path
) -> None:
    started = asyncio.Event()

    async def slow(host: Host) -> None:
        started.set()
        await host.stopping.wait()

    known["a"] = slow
    stopping = asyncio.Event()
    told: list[object] = []
    running = asyncio.create_task(
        service.run_services(
            ["a"],
            settings_for(nats_url, namespace),
            tmp_path,
            CurrentPlan(Plan()),
            on_ready=told.append,
            stopping=stopping,
        )
    )
    await started.wait()
    stopping.set()
    await running
    assert told == []


async def test_a_service_that_outstays_the_grace_is_cancelled(
    known: dict[str, Serve], nats_url: str, namespace: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "MARGIN_S", 0.05)
    ended: list[str] = []

    async def stubborn(host: Host) -> None:
        host.ready()
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(host.name)

    known["a"] = stubborn
    async with services(["a"], tmp_path, settings_for(nats_url, namespace, grace_s=0), plan=Plan()):
        assert ended == []
    assert ended == ["a"]
