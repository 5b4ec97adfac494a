"""Steering by the console's API."""

from typing import Any

import httpx
import pytest

from loopy.bus.archive import archive_message
from loopy.bus.client import Bus
from loopy.bus.cloudevents import event_message
from loopy.bus.codec import plan_message
from loopy.bus.journal import read_run
from loopy.bus.streams import EVENTS, RUNS, stream_name
from loopy.compiler.plan import EventTrigger, Plan, Step, Workflow, plan_hash
from loopy.runs.records import Event, EventRouted, RunEnded, RunFailed
from loopy.runs.route import firing_event
from tests.integration.console.test_api import AT, PLAN, a_run, api, assert_problem, record
from tests.support.services import services, settings_for
from tests.support.waiting import wait_until

__all__ = ["api"]


async def failed_run(bus: Bus, number: int) -> str:
    """A run that has failed, and can be resumed."""
    run = await a_run(bus, number, outcome=None)
    await record(bus, RunFailed(run, "triage", 0, AT, "look", "no answer"))
    return run


async def test_a_run_is_paused_resumed_and_cancelled_on_record(api: httpx.AsyncClient, bus: Bus) -> None:
    run = await a_run(bus, 1, outcome=None)
    paused = (await api.post(f"/api/runs/{run}/pause?by=ada&why=lunch")).json()
    assert (paused["run"], paused["record"]["record"]) == (run, "RunPaused")
    assert (paused["record"]["by"], paused["record"]["why"]) == ("ada", "lunch")
    assert (await api.get("/api/runs?outcome=paused")).json()["runs"][0]["run"] == run
    again = assert_problem(await api.post(f"/api/runs/{run}/pause"), 409)
    assert again["detail"] == "it was paused already, by ada"
    resumed = (await api.post(f"/api/runs/{run}/resume", json={"by": "bob"})).json()
    assert (resumed["record"]["epoch"], resumed["record"]["by"]) == (1, "bob")
    cancelled = (await api.post(f"/api/runs/{run}/cancel")).json()
    assert cancelled["record"]["by"] == "console"
    state = await read_run(bus, run)
    assert state is not None
    assert state.cancelled is not None


async def test_a_run_is_retried_from_a_step_with_edits(api: httpx.AsyncClient, bus: Bus) -> None:
    run = await failed_run(bus, 1)
    assert "is not on the bus" in assert_problem(await api.post(f"/api/runs/{run}/retry"), 409)["detail"]
    await bus.publish_once(plan_message(bus.subjects, PLAN))
    edits = {"event": {"title": "2"}}
    refused = assert_problem(await api.post(f"/api/runs/{run}/retry", json={"from": "lok", "edits": edits}), 409)
    assert "did you mean `look`?" in refused["detail"]


@pytest.mark.parametrize("action", ["cancel", "pause", "resume", "retry"])
@pytest.mark.parametrize("run", ["0" * 24, "*", "%3E", "a" * 5000])
async def test_a_run_that_is_not_there_is_a_404(api: httpx.AsyncClient, bus: Bus, action: str, run: str) -> None:
    await a_run(bus, 1, outcome=None)
    assert_problem(await api.post(f"/api/runs/{run}/{action}"), 404)


async def test_many_are_chosen_as_in_the_list(api: httpx.AsyncClient, bus: Bus) -> None:
    runs = [await a_run(bus, number, outcome=None) for number in range(3)]
    other, failed = await a_run(bus, 4, workflow="other", outcome=None), await failed_run(bus, 5)
    assert_problem(await api.post("/api/runs/cancel"), 400)
    later = (await api.post("/api/runs/pause", json={"workflow": "triage", "since": "2026-03-01T12:00:01Z"})).json()
    assert [each["run"] for each in later["runs"]] == runs[:0:-1]
    answer = (await api.post("/api/runs/cancel?workflow=triage&by=ada")).json()
    assert {each["run"] for each in answer["runs"]} == set(runs)
    assert {each["record"]["by"] for each in answer["runs"]} == {"ada"}
    assert {each["run"] for each in (await api.post("/api/runs/cancel?all=true")).json()["runs"]} == {other, *runs}
    answer = (await api.post("/api/runs/cancel?outcome=failed")).json()
    assert [each["run"] for each in answer["runs"]] == [failed]


@pytest.mark.parametrize(
    "given",
    [
        {"by": ""},
        {"by": 7},
        {"why": "x" * 1001},
        {"from": 7},
        {"edits": []},
        {"edits": {"event": 7}},
    ],
)
async def test_what_a_request_says_wrongly_is_a_400(api: httpx.AsyncClient, bus: Bus, given: dict[str, Any]) -> None:
    run = await a_run(bus, 1, outcome=None)
    assert_problem(await api.post(f"/api/runs/{run}/retry", json=given), 400)
    for body in (b"[]", b"{", b"\xff"):
        assert_problem(await api.post(f"/api/runs/{run}/cancel", content=body), 400)
    assert_problem(await api.post("/api/runs/cancel?since=yesterday"), 400)
    assert_problem(await api.post("/api/runs/cancel?all=perhaps"), 400)
    state = await read_run(bus, run)
    assert state is not None
    assert state.cancelled is None


async def test_nothing_of_it_can_be_asked_by_another_sites_page(api: httpx.AsyncClient, bus: Bus) -> None:
    run = await a_run(bus, 1, outcome=None)
    foreign = {"Origin": "https://evil.example"}
    for path in (f"/api/runs/{run}/cancel", "/api/runs/cancel?all=true", "/api/control/halt", "/api/events/e/replay"):
        assert_problem(await api.post(path, headers=foreign), 403)
    state = await read_run(bus, run)
    assert state is not None
    assert state.cancelled is None


async def test_everything_is_halted_and_health_says_so(api: httpx.AsyncClient) -> None:
    assert (await api.get("/api/control")).json() == {"halted": False, "closed": False, "in_force": []}
    halted = (await api.post("/api/control/halt?by=ada&why=outage")).json()
    assert (halted["holds"]["halted"], halted["changed"]) == (True, True)
    assert (await api.post("/api/control/halt?by=bob")).json() == {**halted, "changed": False}
    await api.post("/api/control/halt?workflow=triage")
    await api.post("/api/control/close")

    async def health_says_so() -> bool:
        health = (await api.get("/api/health")).json()
        return (health["halted"], health["closed"], health["halted_workflows"]) == (True, True, ["triage"])

    await wait_until(health_says_so)
    shown = (await api.get("/api/control")).json()
    assert [each.get("workflow") for each in shown["in_force"]] == [None, "triage"]
    assert_problem(await api.post("/api/control/halt?workflow=nothing"), 404)
    assert_problem(await api.post("/api/control/close?workflow=triage"), 400)


async def test_events_are_replayed_alone_and_by_the_runs_that_they_started(
    bus: Bus, nats_url: str, namespace: str, tmp_path: Any
) -> None:
    look = Step("look", "workflows/triage/look.md", "A", "…")
    plan = Plan(
        workflows={"triage": Workflow("triage", EventTrigger("Incident"), (look,))},
        events={"Incident": {"title": "str"}},
    )
    settings = settings_for(nats_url, namespace)
    async with (
        services(["console"], tmp_path, settings, plan=plan) as running,
        httpx.AsyncClient(base_url=running.url) as client,
    ):
        for number in range(2):
            old = Event(f"e{number}", "Incident", "/test", AT, {"title": str(number)}, cascade=f"e{number}")
            await bus.publish_once(event_message(bus.subjects, old))
            await a_run(bus, number)
        one = (await client.post("/api/events/e0/replay")).json()
        assert one["event"] == "e0"
        assert_problem(await client.post("/api/events/nothing/replay"), 404)
        firing = firing_event("nightly", AT, None)
        await record(bus, EventRouted(firing.id, firing.type, firing.cascade, plan_hash(plan), AT))
        refused = assert_problem(await client.post(f"/api/events/{firing.id}/replay"), 409)
        assert refused["detail"] == "a schedule started it; it cannot be replayed"
        assert_problem(await client.post("/api/runs/replay"), 400)
        many = (await client.post("/api/runs/replay?workflow=triage&by=ada&why=anew")).json()["events"]
        assert [each["event"] for each in many] == ["e0", "e1"]
    stored = [message async for message in bus.read(EVENTS, [bus.subjects.under("evt", ">")])]
    assert len(stored) == 5
    assert [message.headers.get("ce-replayof") for message in stored[2:]] == ["e0", "e0", "e1"]
    assert [message.headers.get("ce-replayedby") for message in stored[2:]] == ["console", "ada", "ada"]
    assert [message.headers.get("ce-replayedwhy") for message in stored[2:]] == [None, "anew", "anew"]


async def test_an_archived_run_has_ended_and_shows_who_steered_it(api: httpx.AsyncClient, bus: Bus) -> None:
    run = await a_run(bus, 1, outcome=None)
    await api.post(f"/api/runs/{run}/cancel?by=ada")
    await record(bus, RunEnded(run, "triage", "cancelled", AT, by="ada"))
    facts = await bus.last_each(RUNS, [bus.subjects.journal(run)])
    await bus.publish_once(archive_message(bus.subjects, run, facts[-1].sequence, facts, bus.max_payload))
    await bus._connection.api(f"STREAM.PURGE.{stream_name(bus.subjects, RUNS)}", {"filter": bus.subjects.journal(run)})
    refused = assert_problem(await api.post(f"/api/runs/{run}/retry"), 409)
    assert "it has ended (cancelled)" in refused["detail"]
    assert [each["by"] for each in (await api.get(f"/api/runs/{run}")).json()["steering"]] == ["ada"]
    assert await bus.last_each(RUNS, [bus.subjects.journal(run)]) == []
