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
from tests.crash.executions import OF_EXECUTIONS
from tests.crash.faults import Fault
from tests.crash.journal import Journal
from tests.crash.lives import Lives
from tests.crash.people import People
from tests.crash.processes import Blow, Exit, Service, now_s
from tests.crash.promises import OF_RUNS, Breach
from tests.crash.sender import Posting, Sender
from tests.crash.steering import OF_STEERING
from tests.crash.times import OF_TIMES
from tests.crash.watching import LeaseWatch, Pulse
from tests.crash.workload import MENDED, write_workload

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
    """What is to happen: deliveries to post, and faults, both timed from the first delivery that is accepted.

    `seed` is what people's moments follow from; `settling_s` is how long what is left may take after the last fault.
    """

    seed: int
    postings: Sequence[Posting]
    faults: Sequence[Fault]
    settling_s: float = SETTLING_S


class Ended(msgspec.Struct, frozen=True):
    """A campaign that is over: the evidence, what it breaks, and how long it took to calm down after the last fault."""

    evidence: Evidence
    breaches: tuple[Breach, ...]
    settled_after_s: float


class Scene:
    """The project, the processes and what befell them, in one directory. `mutant` is what is wrong with all of them."""

    def __init__(self, directory: Path, server: Server, mutant: str = "") -> None:
        self._project = write_workload(directory / "project")
        self._server = server
        self._blows: list[Blow] = []
        self._pulse = Pulse()
        self._since = int(time.time()) - OVERDUE_S
        logs = directory / "logs"
        logs.mkdir()
        self._port = _free_port()
        self._sender = Sender(f"http://127.0.0.1:{self._port}/hooks/order")
        self._services = {name: Service(name, self._environment(name), logs, mutant) for name in SERVICES}

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
        bus = await Bus.connect(self._server.url, namespace=NAMESPACE, name="crash")
        async with AsyncExitStack() as stack:
            stack.push_async_callback(bus.close)
            await self._prepare(bus)
            people, watch = People(bus, campaign.seed, self._project / MENDED), LeaseWatch(bus)
            beside = [asyncio.create_task(work) for work in (people.steer(), watch.follow(), self._pulse.beat())]
            stack.push_async_callback(_over, beside)
            for service in self._services.values():
                keeping = asyncio.create_task(service.keep())
                stack.push_async_callback(asyncio.wait, [keeping])
                stack.callback(service.kill_now)
            await self._trouble(campaign)
            at_peace = now_s()
            codes = await self._end("scheduler")
            unsettled = await self._settle(watch, campaign.settling_s)
            settled_after_s = now_s() - at_peace
            codes += await self._end("ingress", "dispatcher", "executor", "console")
            evidence = self._evidence(await read_messages(self._server.url, NAMESPACE), watch, codes)
            (self._project.parent / "evidence.json").write_bytes(msgspec.json.encode(evidence))
            return Ended(evidence, (*unsettled, *breaches_of(evidence)), settled_after_s)

    async def _prepare(self, bus: Bus) -> None:
        """Make the streams, with schedules whose due times have been open for a while."""
        await bus.provision(replicas=self._server.replicas)
        for name, trigger in compiled_plan(self._project).schedules.items():
            since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self._since))
            seen = bus.subjects.firing_seen(name, digest(trigger))
            await bus.publish_once(Outgoing(seen, msgspec.json.encode({"since": since})))

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

    async def _settle(self, watch: LeaseWatch, patience_s: float) -> list[Breach]:
        """Return when nothing is under way any more; what still is when it should not be any more."""
        deadline = now_s() + patience_s
        busy: list[str] = []
        while now_s() < deadline:
            await asyncio.sleep(LOOK_S)
            busy = await busy_consumers(self._server.url, NAMESPACE)
            if not busy:
                evidence = self._evidence(await read_messages(self._server.url, NAMESPACE), watch, [])
                if not any(breach.may_come for breach in breaches_of(evidence)):
                    return []
        return [Breach(f"{consumer} is not done after {patience_s:g} s of peace") for consumer in busy]

    async def _end(self, *kinds: str) -> list[Exit]:
        """End the services of these kinds; those that did not end as they should."""
        ending = [service for name, service in self._services.items() if name.startswith(kinds)]
        codes = await asyncio.gather(*(service.end() for service in ending))
        return [Exit(service.name, code, now_s()) for service, code in zip(ending, codes, strict=True) if code != 0]

    def _evidence(self, messages: Sequence[Stored], watch: LeaseWatch, codes: Sequence[Exit]) -> Evidence:
        exits = [end for service in self._services.values() for end in service.exits]
        return Evidence(
            accepted=frozenset(self._sender.accepted),
            messages=tuple(messages),
            executions=read_executions(self._project / "executions"),
            leases=watch.seen,
            blows=tuple(self._blows),
            exits=(*exits, *codes),
            schedules_since=self._since,
            booted_at=time.time() - now_s(),
            stalls=self._pulse.stalls,
        )


PROMISES = (*OF_RUNS, *OF_STEERING, *OF_TIMES, *OF_EXECUTIONS)


def breaches_of(evidence: Evidence) -> list[Breach]:
    """Every promise that the evidence breaks."""
    journal = Journal(evidence)
    lives = Lives(journal)
    return [breach for promise in PROMISES for breach in promise(evidence, journal, lives)]


async def _over(beside: Sequence[asyncio.Task[None]]) -> None:
    """End what went on beside the campaign. What raised raises here."""
    for task in beside:
        task.cancel()
    for ended in await asyncio.gather(*beside, return_exceptions=True):
        if isinstance(ended, Exception):
            raise ended


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
