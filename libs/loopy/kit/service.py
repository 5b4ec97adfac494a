"""The shape of a service, and how services run until they are told to stop.

Connect, provision, start each, then listen: whoever connects meets services that work. At the end the reverse: be
unready, stop listening, let work under way end within the grace, close. Services share a process or not; they share
nothing else.
"""

import asyncio
import inspect
import os
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import AsyncExitStack
from functools import partial
from importlib.metadata import entry_points
from pathlib import Path
from typing import TypeAlias

import msgspec

from loopy.bus.client import Bus, BusError
from loopy.bus.plans import PlanStore
from loopy.clock import Clock, SystemClock
from loopy.compiler.plan import Plan
from loopy.kit.current_plan import CurrentPlan, Take
from loopy.kit.errors import CannotStart, ServiceFailed
from loopy.kit.first_connection import connect
from loopy.kit.http import HttpServer
from loopy.kit.metrics import UNMEASURED, Metrics
from loopy.kit.operations import Operations
from loopy.kit.settings import Settings
from loopy.kit.tracing import UNTRACED, Tracer, open_tracer

GROUP = "loopy.services"
MARGIN_S = 5.0  # beyond the grace: for what a service does after its work has ended


class Host(msgspec.Struct, frozen=True):
    """What a service is given. All of it is made by whoever runs the service: `loopy run`, `loopy serve`, a test."""

    name: str
    settings: Settings
    bus: Bus
    project: Path
    current: CurrentPlan
    clock: Clock
    http: HttpServer
    stopping: asyncio.Event
    is_ready: asyncio.Event
    metrics: Metrics = UNMEASURED
    tracer: Tracer = UNTRACED

    @property
    def plan(self) -> Plan:
        """The plan that new runs are started by at this moment."""
        return self.current.plan

    def ready(self) -> None:
        """The service does its work from now on."""
        self.is_ready.set()


Serve: TypeAlias = Callable[[Host], Awaitable[None]]
OnReady: TypeAlias = Callable[[HttpServer], Awaitable[None] | None]


async def run_services(
    names: Sequence[str],
    settings: Settings,
    project: Path,
    current: CurrentPlan,
    *,
    on_ready: OnReady,
    stopping: asyncio.Event,
) -> None:
    """Run these services until `stopping` is set, then end them gracefully: first of all they are not ready any more.

    They work by the `current` plan, which may be switched once they are ready.

    `on_ready` is called once, when all of them are ready and the listener answers; if it is still at work when
    `stopping` is set, it is cancelled. Raises CannotStart when something outside must be mended first, ServiceFailed
    when a service or the connection to NATS ends untold.
    """
    services = [find_service(name) for name in names]
    http, operations, draining = HttpServer(settings), Operations(settings), asyncio.Event()
    async with AsyncExitStack() as stack:
        stack.push_async_callback(operations.close)
        stack.push_async_callback(http.stop)
        await operations.open_apart()
        hosts: list[Host] = []
        for name in names:
            bus = await connect(settings, f"loopy-{name}", stopping)
            if bus is None:
                return
            stack.push_async_callback(bus.close)
            metrics, tracer = operations.metrics(name), open_tracer(os.environ, name)
            stack.push_async_callback(tracer.close)
            clock, is_ready = SystemClock(), asyncio.Event()
            host = Host(name, settings, bus, project, current, clock, http, draining, is_ready, metrics, tracer)
            hosts.append(host)
        operations.watch(hosts)
        await _provision(hosts, current.plan)
        try:
            async with asyncio.TaskGroup() as group:
                work = [group.create_task(_serve(host, serve)) for host, serve in zip(hosts, services, strict=True)]
                watch = [group.create_task(_watch(host)) for host in hosts]
                opening = group.create_task(_open(hosts, current, http, operations, on_ready))
                await stopping.wait()
                operations.draining = True
                await asyncio.sleep(settings.drain_delay_s)
                draining.set()
                opening.cancel()
                await asyncio.gather(http.stop(), asyncio.wait(work, timeout=settings.grace_s + MARGIN_S))
                for task in (*work, *watch):
                    task.cancel()
        except BaseExceptionGroup as failures:
            raise _first(failures) from None


def find_service(name: str) -> Serve:
    """The `serve` of a service, by its entry point. Raises CannotStart when it is not installed."""
    known = {point.name: point for point in entry_points(group=GROUP)}
    if name not in known:
        raise CannotStart(f"there is no service {name!r}; there are {', '.join(sorted(known)) or 'none'}")
    serve: Serve = known[name].load()
    return serve


async def _provision(hosts: Sequence[Host], plan: Plan) -> None:
    """Make the streams and consumers be on the server; any connection will do."""
    for host in hosts[:1]:
        try:
            await host.bus.provision(
                replicas=host.settings.replicas,
                pools=_pools(plan, host.settings),
                durability=host.settings.durability,
            )
        except BusError as error:
            raise CannotStart(str(error)) from None


def _pools(plan: Plan, settings: Settings) -> list[str]:
    """Every pool that a step asks for or an executor serves."""
    asked = {step.pool for workflow in plan.workflows.values() for step in workflow.steps}
    return sorted({"default", settings.pool, *asked})


async def _serve(host: Host, serve: Serve) -> None:
    """One service, from its start to its end; ending untold is a failure."""
    import structlog

    structlog.contextvars.bind_contextvars(service=host.name)
    log = structlog.get_logger()
    try:
        await serve(host)
    except CannotStart:
        raise
    except Exception as error:
        log.debug("service.failed", exc_info=True)
        cause = _first(error) if isinstance(error, ExceptionGroup) else error
        raise ServiceFailed(f"{host.name} failed: {type(cause).__name__}: {cause}") from error
    if not host.stopping.is_set():
        raise ServiceFailed(f"{host.name} ended though nothing told it to")
    log.info("service.stopped")


async def _watch(host: Host) -> None:
    """Fails when a service's connection is closed for good, which no reconnecting can mend."""
    await host.bus.closed()
    raise ServiceFailed(f"{host.name} lost its connection to NATS for good")


async def _put_on_the_bus(host: Host, plan: Plan) -> Take:
    """Make a new plan's consumers be on the server, and the plan itself, where its runs find it."""
    await host.bus.provision(replicas=host.settings.replicas, pools=_pools(plan, host.settings))
    await PlanStore(host.bus, plan).store_as_newest()
    return lambda: None


async def _open(
    hosts: Sequence[Host], current: CurrentPlan, http: HttpServer, operations: Operations, on_ready: OnReady
) -> None:
    """Listen once all services are ready, and say so."""
    import structlog

    for host in hosts:
        await host.is_ready.wait()
    for host in hosts[:1]:  # after all services: a plan that one of them refuses is not on the bus
        current.prepared_by(partial(_put_on_the_bus, host))
    await operations.open(http)
    await http.start()
    structlog.get_logger().info("services.ready", services=[host.name for host in hosts], url=http.url)
    answer = on_ready(http)
    if inspect.isawaitable(answer):
        await answer


def _first(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    """The failure to tell of: what must be mended outside, else whatever came first."""
    leaves = list(_leaves(failures))
    return next((leaf for leaf in leaves if isinstance(leaf, CannotStart)), leaves[0])


def _leaves(failures: BaseExceptionGroup[BaseException]) -> Iterable[BaseException]:
    for failure in failures.exceptions:
        if isinstance(failure, BaseExceptionGroup):
            yield from _leaves(failure)
        else:
            yield failure
