"""The console's HTTP: each path, what is read or done for it, and how long that may take."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import TypeAlias

import msgspec
from litestar import Litestar, Response, get, post

from loopy.bus import journal
from loopy.bus.client import Bus
from loopy.bus.control import Control
from loopy.bus.deadletters import (
    SetAside,
    Settlement,
    Unsettled,
    described,
    drop_dead,
    find_dead,
    list_dead,
    replay_dead,
    with_original,
)
from loopy.bus.deliveries import newest_deliveries, newest_failures
from loopy.clock import Clock
from loopy.compiler.plan import encode_plan
from loopy.kit.api import api
from loopy.kit.current_plan import CurrentPlan
from loopy.kit.documents import complete
from loopy.kit.problems import Problem
from loopy_services.console import core
from loopy_services.console.asking import Answer, AnyRequest, given, query_of, within, written
from loopy_services.console.steering import SteeringRoutes

MOST_BODY = 1 << 20

Settle: TypeAlias = Callable[[Bus, SetAside, str, datetime], Awaitable[Settlement]]


class Routes:
    """Everything that `/api` answers."""

    def __init__(self, bus: Bus, current: CurrentPlan, clock: Clock, control: Control) -> None:
        self._control = control
        self._steering = SteeringRoutes(bus, current, clock)
        self._bus = bus
        self._current = current
        self._clock = clock

    def app(self) -> Litestar:
        """The ASGI application."""
        routes: Sequence[tuple[str, Callable[[AnyRequest], Awaitable[Answer]]]] = (
            ("/api/runs", self.runs),
            ("/api/runs/{run:str}", self.run),
            ("/api/cascades/{cascade:str}", self.cascade),
            ("/api/deliveries", self.deliveries),
            ("/api/dead", self.dead),
            ("/api/dead/{id:str}", self.dead_letter),
            ("/api/control", self._steering.control),
            ("/api/plan", self.plan),
            ("/api/health", self.health),
        )
        actions = (
            ("/api/dead/{id:str}/replay", self.replay),
            ("/api/dead/{id:str}/drop", self.drop),
            *self._steering.posts,
        )
        reads = [get(path)(_answering(answer)) for path, answer in routes]
        posts = [post(path, status_code=200)(_answering(answer)) for path, answer in actions]
        return api([*reads, *posts], max_body=MOST_BODY)

    async def runs(self, request: AnyRequest) -> Answer:
        """The newest runs, the newest first."""
        query = core.run_query(query_of(request))
        return Response({"runs": query.answer(await within(journal.list_runs(self._bus, query.scanned)))})

    async def run(self, request: AnyRequest) -> Answer:
        """One run with all that its journal holds, or its archive."""
        run = request.path_params["run"]
        found = await within(journal.find_run(self._bus, run)) if core.is_run_id(run) else None
        if found is None:
            raise Problem(404, "no run has this id")
        return Response(core.shown_run(found))

    async def cascade(self, request: AnyRequest) -> Answer:
        """A first event and all that follows from it."""
        cascade = await within(journal.read_cascade(self._bus, request.path_params["cascade"]))
        if cascade.root is None:
            raise Problem(404, "no event of this id has been routed, or it is not the first of its cascade")
        return Response({"done": cascade.done, "failed": cascade.failed, "cascade": cascade})

    async def deliveries(self, request: AnyRequest) -> Answer:
        """The newest deliveries, the newest first, or with `failed=true` those that could not be mapped."""
        query = query_of(request)
        limit = core.limit_of(query)
        if core.flag_of(query, "failed"):
            failures = await within(newest_failures(self._bus, limit))
            return Response({"deliveries": [core.shown_failure(failed) for failed in failures]})
        deliveries = await within(newest_deliveries(self._bus, limit))
        return Response({"deliveries": [core.shown_delivery(delivery) for delivery in deliveries]})

    async def dead(self, request: AnyRequest) -> Answer:
        """The messages that were set aside and are open, or with `settled=true` the others; the newest first."""
        query = query_of(request)
        limit, settled, stream = core.limit_of(query), core.flag_of(query, "settled"), core.stream_of(query)
        found = await within(list_dead(self._bus, reason=query.get("reason"), stream=stream))
        chosen = [described(each) for each in reversed(found) if (each.settled is not None) == settled]
        return Response({"dead": chosen[:limit]})

    async def dead_letter(self, request: AnyRequest) -> Answer:
        """One of them, with headers and payload."""
        found = await self._found(request)
        try:
            whole = await within(with_original(self._bus, found.letter))
        except Unsettled:
            whole = found.letter
        return Response(described(found, whole))

    async def replay(self, request: AnyRequest) -> Answer:
        """Give one to the consumer that could not process it once more."""
        return await self._settled(request, replay_dead)

    async def drop(self, request: AnyRequest) -> Answer:
        """Settle one for good."""
        return await self._settled(request, drop_dead)

    async def _settled(self, request: AnyRequest, settle: Settle) -> Answer:
        by = core.name_of(await given(request))
        found = await self._found(request)
        try:
            settlement = await written(settle(self._bus, found, by, self._clock.now()))
        except Unsettled as refused:
            raise Problem(409, str(refused)) from None
        return Response({"id": found.id, "settled": settlement})

    async def _found(self, request: AnyRequest) -> SetAside:
        found = await within(find_dead(self._bus, *core.dead_place(request.path_params["id"])))
        if found is None:
            raise Problem(404, "no message of this id was set aside")
        return found

    async def plan(self, request: AnyRequest) -> Answer:
        """The plan by which this process starts new runs, as it is on the bus."""
        return Response({"hash": self._current.hash, "plan": msgspec.Raw(encode_plan(self._current.plan))})

    async def health(self, request: AnyRequest) -> Answer:
        """200 when the bus can be talked to, else 503; and whether somebody had everything stand still."""
        connected, held = self._bus.connected, self._control.now
        told = {
            "status": "ok" if connected else "disconnected",
            "plan": self._current.hash,
            "halted": held.halted,
            "closed": held.closed,
            "halted_workflows": sorted(name for name in held.workflows if held.workflows[name].halted),
        }
        return Response(told, status_code=200 if connected else 503)


def _answering(answer: Callable[[AnyRequest], Awaitable[Answer]]) -> Callable[[AnyRequest], Awaitable[Answer]]:
    async def respond(request: AnyRequest) -> Answer:
        try:
            answered = await answer(request)
        except core.QueryError as error:
            raise Problem(400, str(error)) from None
        answered.content = complete(answered.content)
        return answered

    return respond
