"""The console's API on a real listener and a real bus."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loopy.bus.client import Bus
from loopy.bus.codec import (
    Delivery,
    FailedDelivery,
    delivery_message,
    failed_delivery_message,
    record_message,
)
from loopy.compiler.plan import EventTrigger, Plan, Step, Workflow, encode_plan, plan_hash
from loopy.runs import ids
from loopy.runs.records import (
    AttemptSucceeded,
    Event,
    EventRouted,
    Record,
    RoutedRun,
    RunEnded,
    RunStarted,
)
from tests.support.services import services, settings_for

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
PLAN = Plan(
    workflows={
        "triage": Workflow("triage", EventTrigger("Incident"), (Step("look", "workflows/triage/look.md", "A", "…"),))
    }
)


@pytest.fixture
async def api(bus: Bus, nats_url: str, namespace: str, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a console that runs on the test's bus."""
    async with (
        services(["console"], tmp_path, settings_for(nats_url, namespace), plan=PLAN) as running,
        httpx.AsyncClient(base_url=running.url) as client,
    ):
        yield client


async def record(bus: Bus, *facts: Record) -> None:
    for fact in facts:
        await bus.publish_once(record_message(bus.subjects, fact))


async def a_run(bus: Bus, number: int, *, workflow: str = "triage", outcome: Any = "succeeded") -> str:
    """A run with one step, ended unless `outcome` is None; its id."""
    event = Event(f"e{number}", "Incident", "/test", AT, {"title": str(number)}, cascade=f"e{number}")
    run = ids.run_id(workflow, event.id)
    at = AT + timedelta(seconds=number)
    await record(
        bus,
        EventRouted(event.id, "Incident", event.cascade, plan_hash(PLAN), at, (RoutedRun(run, workflow),)),
        RunStarted(run, workflow, plan_hash(PLAN), event, at),
        AttemptSucceeded(run, workflow, "look", 1, "executor-1", at, at, {"found": number}),
    )
    if outcome is not None:
        await record(bus, RunEnded(run, workflow, outcome, at + timedelta(seconds=1)))
    return run


def assert_problem(response: httpx.Response, status: int) -> dict[str, Any]:
    """That the response is a problem document of this status; the document."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = response.json()
    assert document["status"] == status
    assert set(document) == {"type", "title", "status", "detail"}
    return document


async def test_runs_are_listed_the_newest_first(api: httpx.AsyncClient, bus: Bus) -> None:
    runs = [await a_run(bus, number) for number in range(3)]
    answer = (await api.get("/api/runs", params={"limit": 2})).json()
    assert [run["run"] for run in answer["runs"]] == [runs[2], runs[1]]
    assert answer["runs"][0]["outcome"] == "succeeded"


async def test_runs_are_chosen_by_workflow_and_outcome(api: httpx.AsyncClient, bus: Bus) -> None:
    other = await a_run(bus, 1, workflow="resolve")
    failed = await a_run(bus, 2, outcome="failed")
    running = await a_run(bus, 3, outcome=None)
    for query, expected in (
        ("workflow=resolve", [other]),
        ("outcome=failed", [failed]),
        ("outcome=running", [running]),
        ("workflow=resolve&outcome=failed", []),
        ("limit=1", [running]),
    ):
        answer = (await api.get(f"/api/runs?{query}")).json()
        assert [run["run"] for run in answer["runs"]] == expected, query


async def test_a_run_is_shown_with_its_steps_and_their_outputs(api: httpx.AsyncClient, bus: Bus) -> None:
    run = await a_run(bus, 7)
    shown = (await api.get(f"/api/runs/{run}")).json()
    assert shown["started"]["event"]["data"] == {"title": "7"}
    assert shown["steps"]["look"]["results"][0]["output"] == {"found": 7}
    assert shown["ended"]["outcome"] == "succeeded"
    assert shown["attempts"] == shown["steps"]["look"]["results"]
    assert (shown["attempts"][0]["epoch"], shown["attempts"][0]["emits"]) == (0, [])
    assert shown["attempts"][0]["usage"] == {"input_tokens": 0, "output_tokens": 0, "spend_usd": 0.0}


@pytest.mark.parametrize("run", ["0" * 24, "*", "%3E", "..%2F..", "%00", "a" * 5000, "%ff"])
async def test_a_run_that_is_not_there_is_a_404_whatever_its_name(api: httpx.AsyncClient, bus: Bus, run: str) -> None:
    await a_run(bus, 1)
    assert_problem(await api.get(f"/api/runs/{run}"), 404)


async def test_a_cascade_is_shown_as_a_tree(api: httpx.AsyncClient, bus: Bus) -> None:
    run = await a_run(bus, 4)
    shown = (await api.get("/api/cascades/e4")).json()
    assert (shown["done"], shown["failed"]) == (True, False)
    assert shown["cascade"]["roots"][0]["runs"][0]["run"] == run
    assert_problem(await api.get("/api/cascades/nothing"), 404)
    assert_problem(await api.get("/api/cascades/*"), 404)


async def test_deliveries_are_listed_and_the_failed_ones_with_their_error(api: httpx.AsyncClient, bus: Bus) -> None:
    for number in range(3):
        delivery = Delivery("sentry", f"d{number}", "/hooks/sentry", {}, {}, b"{}", AT)
        await bus.publish_once(delivery_message(bus.subjects, delivery))
    failed = FailedDelivery("sentry", "d1", "KeyError: 'data'", 'File "sensors/s.py"', AT)
    await bus.publish_once(failed_delivery_message(bus.subjects, failed))
    listed = (await api.get("/api/deliveries?limit=2")).json()["deliveries"]
    assert [(one["id"], one["bytes"]) for one in listed] == [("d2", 2), ("d1", 2)]
    failures = (await api.get("/api/deliveries?failed=true")).json()["deliveries"]
    assert [(one["id"], one["error"]) for one in failures] == [("d1", "KeyError: 'data'")]


async def test_the_plan_and_health_are_told(api: httpx.AsyncClient) -> None:
    told = (await api.get("/api/plan")).json()
    assert told == {"hash": plan_hash(PLAN), "plan": msgspec.json.decode(encode_plan(PLAN))}
    health = await api.get("/api/health")
    assert (health.status_code, health.json()["status"]) == (200, "ok")


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=501", "limit=-1", "limit=ten", "limit=", "limit=1e2", "limit=٣", "outcome=lost", "limit=%00"],
)
async def test_a_parameter_that_is_wrong_is_a_400_that_names_it(api: httpx.AsyncClient, query: str) -> None:
    document = assert_problem(await api.get(f"/api/runs?{query}"), 400)
    assert document["detail"].startswith(query.partition("=")[0])


async def test_failed_is_true_or_false(api: httpx.AsyncClient) -> None:
    assert_problem(await api.get("/api/deliveries?failed=yes"), 400)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_nothing_can_be_changed(api: httpx.AsyncClient, method: str) -> None:
    response = await api.request(method, "/api/runs", json={})
    assert_problem(response, 405)
    assert "GET" in response.headers["allow"]


async def test_a_page_under_another_name_is_refused(api: httpx.AsyncClient) -> None:
    assert_problem(await api.get("/api/runs", headers={"host": "evil.example"}), 421)


async def test_elsewhere_than_on_loopback_a_token_is_needed(nats_url: str, namespace: str, tmp_path: Path) -> None:
    elsewhere = settings_for(nats_url, namespace, host="0.0.0.0", token="correct-horse")
    async with (
        services(["console"], tmp_path, elsewhere, plan=PLAN) as running,
        httpx.AsyncClient(base_url=running.url) as client,
    ):
        assert_problem(await client.get("/api/runs"), 401)
        assert_problem(await client.get("/api/nothing"), 401)
        wrong = await client.get("/api/runs", headers={"authorization": "Bearer wrong"})
        assert_problem(wrong, 401)
        assert wrong.headers["www-authenticate"].startswith("Bearer")
        right = await client.get("/api/runs", headers={"authorization": "Bearer correct-horse"})
        assert right.json() == {"runs": []}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    method=st.sampled_from(["GET", "HEAD", "POST", "OPTIONS", "TRACE"]),
    place=st.sampled_from(["", "/", "/runs/", "/cascades/", "/deliveries", "/plan/", "/../"]),
    tail=st.binary(max_size=20),
    query=st.binary(max_size=20),
)
async def test_no_request_is_a_fault_of_ours(
    api: httpx.AsyncClient, method: str, place: str, tail: bytes, query: bytes
) -> None:
    encoded = ["".join(f"%{byte:02x}" for byte in part) for part in (tail, query)]
    response = await api.request(method, f"/api{place}{encoded[0]}?limit={encoded[1]}&failed=true")
    assert response.status_code < 500
    if response.status_code >= 400 and method != "HEAD":
        assert_problem(response, response.status_code)
