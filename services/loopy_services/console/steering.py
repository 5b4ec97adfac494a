"""The console's paths that have something done: runs are steered, events replayed, everything halted and closed."""

import uuid
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from litestar import Response

from loopy.bus import journal
from loopy.bus.client import Bus
from loopy.bus.control import CHANGES, Change, change_control, read_controls
from loopy.bus.repeating import FIRING, Repeat, find_event, is_firing, publish_event, repeated
from loopy.bus.steer import SteerResult, described, steer_run
from loopy.bus.undecodable import Undecodable
from loopy.clock import Clock
from loopy.kit.current_plan import CurrentPlan
from loopy.kit.problems import Problem
from loopy.runs.steer import Asked
from loopy.types.check import Mismatch
from loopy_services.console import core
from loopy_services.console.asking import Answer, AnyRequest, each_of, given, within, written

AT_ONCE = 8
SOURCE = "/console/replay"

Path = tuple[str, Callable[[AnyRequest], Awaitable[Answer]]]


class SteeringRoutes:
    """Everything below `/api` that steers."""

    def __init__(self, bus: Bus, current: CurrentPlan, clock: Clock) -> None:
        self._bus = bus
        self._current = current
        self._clock = clock

    @property
    def posts(self) -> Sequence[Path]:
        """The paths that are posted to."""
        return (
            *((f"/api/runs/{{run:str}}/{action}", self._one(action)) for action in core.ACTIONS),
            *((f"/api/runs/{action}", self._many(action)) for action in core.ACTIONS),
            ("/api/runs/replay", self.replay_many),
            ("/api/events/{event:str}/replay", self.replay),
            *((f"/api/control/{change}", self._change(change)) for change in CHANGES),
        )

    async def control(self, request: AnyRequest) -> Answer:
        """What holds for everything, and for workflows."""
        controls = await within(read_controls(self._bus))
        return Response({"halted": controls.halted, "closed": controls.closed, "in_force": controls.in_force})

    def _one(self, action: str) -> Callable[[AnyRequest], Awaitable[Answer]]:
        async def steer(request: AnyRequest) -> Answer:
            run, asked = request.path_params["run"], core.asked_of(action, await given(request))
            known = core.is_run_id(run) and await within(journal.find_run(self._bus, run)) is not None
            if not known:
                raise Problem(404, "no run has this id")
            result = await self._steered(run, asked)
            if result.refused is not None:
                raise Problem(409, " · ".join(filter(None, (result.refused.why, result.refused.hint))))
            return Response(described(result))

        return steer

    def _many(self, action: str) -> Callable[[AnyRequest], Awaitable[Answer]]:
        async def steer(request: AnyRequest) -> Answer:
            query = await given(request)
            asked, runs = core.asked_of(action, query), await self._selected(action, query)

            async def one(run: str) -> dict[str, Any]:
                return described(await self._steered(run, asked))

            return Response({"runs": await each_of("run", runs, one, at_once=AT_ONCE)})

        return steer

    async def replay(self, request: AnyRequest) -> Answer:
        """Publish an event anew."""
        answer = await self._replayed(request.path_params["event"], await given(request))
        if "error" in answer:
            raise Problem(404 if answer["error"] == NO_EVENT else 409, answer["error"])
        return Response(answer)

    async def replay_many(self, request: AnyRequest) -> Answer:
        """Publish anew the events that started the selected runs."""
        query = await given(request)
        wanted = core.RunQuery(core.MAX_LIMIT, core.bulk_of("replay", query))
        runs = wanted.answer(await within(journal.list_runs(self._bus, wanted.scanned)))
        events = list(dict.fromkeys(run.event for run in reversed(runs)))

        async def one(event: str) -> dict[str, Any]:
            return await self._replayed(event, query)

        return Response({"events": await each_of("event", events, one, at_once=1)})

    def _change(self, change: Change) -> Callable[[AnyRequest], Awaitable[Answer]]:
        async def set_control(request: AnyRequest) -> Answer:
            query = await given(request)
            workflow, why = core.text_of(query, "workflow"), core.text_of(query, "why") or ""
            if workflow is not None and change in ("close", "open"):
                raise core.QueryError("workflow is for halt and resume: an event's runs are one fact, of all workflows")
            if workflow is not None and workflow not in self._current.plan.workflows:
                raise Problem(404, "the plan has no workflow of this name")
            now = self._clock.now()
            said, is_new = await written(change_control(self._bus, change, workflow, core.name_of(query), why, now))
            return Response({"holds": said, "changed": is_new})

        return set_control

    async def _selected(self, action: str, query: dict[str, Any]) -> list[str]:
        """The runs that a bulk action is for, at most `MAX_LIMIT` of the newest."""
        wanted = core.RunQuery(core.MAX_LIMIT, core.bulk_of(action, query))
        return [run.run for run in wanted.answer(await within(journal.list_runs(self._bus, wanted.scanned)))]

    async def _steered(self, run: str, asked: Asked) -> SteerResult:
        return await written(steer_run(self._bus, run, asked, self._clock.now()))

    async def _replayed(self, identity: str, query: dict[str, Any]) -> dict[str, Any]:
        by, why = core.name_of(query), core.why_of(query)
        try:
            old = await within(find_event(self._bus, self._current.plan.events, identity))
            if old is None:
                scheduled = await within(is_firing(self._bus, identity))
                return {"event": identity, "error": FIRING if scheduled else NO_EVENT}
            repeat = Repeat(uuid.uuid4().hex[:24], SOURCE, self._clock.now(), by, why)
            new = repeated(self._current.plan, old, repeat)
        except (Undecodable, Mismatch) as error:
            return {"event": identity, "error": f"it does not fit the types of today: {error}"}
        await written(publish_event(self._bus, new))
        return {"event": identity, "replayed_as": new.id}


NO_EVENT = "no event has this id, of a type that the plan declares"
