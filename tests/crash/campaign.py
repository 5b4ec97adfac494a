"""A campaign: the five services at work on a load, while processes are killed and stopped; then the evidence."""

import asyncio
import socket
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Protocol

import msgspec

from loopy.bus.client import Bus
from loopy.bus.messages import Outgoing
from loopy.kit.process import compiled_plan
from loopy_services.scheduler.core import digest
from tests.crash.evidence import Evidence, Stored, busy_consumers, read_executions, read_messages
from tests.crash.faults import Fault
from tests.crash.journal import Journal
from tests.crash.processes import Blow, Exit, Service, now_s
from tests.crash.promises import OF_RUNS, Breach
from tests.crash.sender import Posting, Sender
from tests.crash.times import OF_TIMES
from tests.crash.workload import write_workload

REPLICAS = {"ingress": 1, "scheduler": 2, "dispatcher": 2, "executor": 3, "console": 1}
SERVICES = tuple(f"{name}-{number}" for name, count in REPLICAS.items() for number in range(1, count + 1))
NAMESPACE = "crash"
OVERDUE_S = 600
SLOTS = "4"
LOOK_S = 0.5
SETTLING_S = 90.0


class Server(Protocol):
    """What the services are connected to, and how it is hurt."""

    replicas: int

    @property
    def url(self) -> str:
        """Where to connect."""
        ...

    async def strike(self, fault: Fault) -> Blow | None:
        """Hurt it, and heal it again; None when there was nothing to hurt."""
        ...


class Campaign(msgspec.Struct, frozen=True):
    """What is to happen: deliveries to post, and faults, both timed from the first delivery that is accepted."""

    postings: Sequence[Posting]
    faults: Sequence[Fault]


class Ended(msgspec.Struct, frozen=True):
    """A campaign that is over: the evidence, what it breaks, and how long it took to calm down after the last fault."""

    evidence: Evidence
    breaches: tuple[Breach, ...]
    settled_after_s: float


class Scene:
    """The project, the processes and what befell them, in one directory."""

    def __init__(self, directory: Path, server: Server) -> None:
        self._project = write_workload(directory / "project")
        self._server = server
        self._blows: list[Blow] = []
        self._since = int(time.time()) - OVERDUE_S
        logs = directory / "logs"
        logs.mkdir()
        self._port = _free_port()
        self._sender = Sender(f"http://127.0.0.1:{self._port}/hooks/order")
        self._services = {name: Service(name, self._environment(name), logs) for name in SERVICES}

    def _environment(self, name: str) -> dict[str, str]:
        return {
            "LOOPY_NATS_URL": self._server.url,
            "LOOPY_NAMESPACE": NAMESPACE,
            "LOOPY_PROJECT": str(self._project),
            "LOOPY_PORT": str(self._port) if name.startswith("ingress") else "0",
            "LOOPY_REPLICAS": str(self._server.replicas),
            "LOOPY_SLOTS": SLOTS,
        }

    async def play(self, campaign: Campaign) -> Ended:
        """Play a campaign to its end."""
        await self._prepare()
        async with AsyncExitStack() as stack:
            for service in self._services.values():
                keeping = asyncio.create_task(service.keep())
                stack.push_async_callback(asyncio.wait, [keeping])
                stack.callback(service.kill_now)
            await self._trouble(campaign)
            (self._project.parent / "blows.json").write_bytes(msgspec.json.encode(self._blows))
            at_peace = now_s()
            codes = await self._end("scheduler")
            unsettled = await self._settle()
            settled_after_s = now_s() - at_peace
            codes += await self._end("ingress", "dispatcher", "executor", "console")
            evidence = self._evidence(await read_messages(self._server.url, NAMESPACE), codes)
            return Ended(evidence, (*unsettled, *breaches_of(evidence)), settled_after_s)

    async def _prepare(self) -> None:
        """Make the streams, with schedules whose due times have been open for a while."""
        bus = await Bus.connect(self._server.url, namespace=NAMESPACE, name="crash")
        await bus.provision(replicas=self._server.replicas)
        for name, trigger in compiled_plan(self._project).schedules.items():
            since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self._since))
            seen = bus.subjects.firing_seen(name, digest(trigger))
            await bus.publish_once(Outgoing(seen, msgspec.json.encode({"since": since})))
        await bus.close()

    async def _trouble(self, campaign: Campaign) -> None:
        """Load and faults, until every delivery is accepted and every fault is over."""
        first, *others = campaign.postings
        await self._sender.post_all([msgspec.structs.replace(first, at_s=0.0)])
        async with asyncio.TaskGroup() as group:
            group.create_task(self._sender.post_all(others))
            for fault in campaign.faults:
                group.create_task(self._strike(fault))

    async def _strike(self, fault: Fault) -> None:
        await asyncio.sleep(fault.at_s)
        service = self._services.get(fault.target)
        if service is None:
            blow = await self._server.strike(fault)
        elif not service.is_up:
            return
        else:
            blow = await (service.kill(fault.lasts_s) if fault.how == "kill" else service.stop(fault.lasts_s))
        if blow is not None:
            self._blows.append(blow)

    async def _settle(self) -> list[Breach]:
        """Return when nothing is under way any more; what still is when it should not be any more."""
        deadline = now_s() + SETTLING_S
        busy: list[str] = []
        while now_s() < deadline:
            await asyncio.sleep(LOOK_S)
            busy = await busy_consumers(self._server.url, NAMESPACE)
            if not busy:
                evidence = self._evidence(await read_messages(self._server.url, NAMESPACE), [])
                if not any(breach.may_come for breach in breaches_of(evidence)):
                    return []
        return [Breach(f"{consumer} is not done after {SETTLING_S:g} s of peace") for consumer in busy]

    async def _end(self, *kinds: str) -> list[Exit]:
        """End the services of these kinds; those that did not end as they should."""
        ending = [service for name, service in self._services.items() if name.startswith(kinds)]
        codes = await asyncio.gather(*(service.end() for service in ending))
        return [Exit(service.name, code, now_s()) for service, code in zip(ending, codes, strict=True) if code != 0]

    def _evidence(self, messages: Sequence[Stored], codes: Sequence[Exit]) -> Evidence:
        exits = [end for service in self._services.values() for end in service.exits]
        return Evidence(
            accepted=frozenset(self._sender.accepted),
            messages=tuple(messages),
            executions=read_executions(self._project / "executions"),
            blows=tuple(self._blows),
            exits=(*exits, *codes),
            schedules_since=self._since,
            booted_at=time.time() - now_s(),
        )


def breaches_of(evidence: Evidence) -> list[Breach]:
    """Every promise that the evidence breaks."""
    journal = Journal(evidence)
    return [breach for promise in (*OF_RUNS, *OF_TIMES) for breach in promise(evidence, journal)]


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
