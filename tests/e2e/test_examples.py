"""The examples are what their READMEs say: they compile without a warning, run to the end, and their tools work."""

import importlib.util
import json
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from loopy import Tick, ToolContext
from loopy.bus.client import Bus
from loopy.bus.cloudevents import event_message
from loopy.compiler.compile import compile_project
from loopy.events import bind
from loopy.project.files import load_files
from loopy.runs.cascade import Cascade
from loopy.runs.records import Event
from tests.support.engine import finished_cascade
from tests.support.services import ALL, services, settings_for

EXAMPLES = Path(__file__).parents[2] / "examples"
LOOPY = Path(sys.executable).with_name("loopy")
NINE = datetime(2026, 1, 12, 9, tzinfo=UTC)
RESOLVE = ("resolve/arbitrate", "resolve/fix", "resolve/review", "resolve/ship")


@pytest.fixture
def ai_sre(tmp_path: Path) -> Path:
    """A copy of the project, so that what its tools write is gone after the test."""
    return copy_of("ai-sre", tmp_path)


def copy_of(name: str, directory: Path) -> Path:
    project = directory / name
    shutil.copytree(EXAMPLES / name, project, ignore=shutil.ignore_patterns(".loopy", "__pycache__"))
    return project


def loaded(path: Path) -> ModuleType:
    """A Python file of a project, executed as a module."""
    spec = importlib.util.spec_from_file_location(f"example_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def call(key: str) -> ToolContext:
    return ToolContext(run="r-1", step="fix", attempt=1, idempotency_key=key)


@pytest.mark.parametrize(("name", "counts"), [("ai-sre", (4, 7, 4)), ("hello", (1, 1, 1))], ids=["ai-sre", "hello"])
def test_it_compiles_without_a_warning(name: str, counts: tuple[int, int, int]) -> None:
    compiled = compile_project(load_files(EXAMPLES / name))
    assert compiled.diagnostics == []
    assert compiled.plan is not None
    assert (len(compiled.plan.workflows), compiled.plan.step_count, len(compiled.plan.events)) == counts


async def test_the_repository_tools_open_judge_and_merge_a_pull_request(ai_sre: Path) -> None:
    tools = loaded(ai_sre / "tools" / "repository.py")
    source = (ai_sre / "service" / "checkout.py").read_text()
    mended = source.replace("cart.coupon.amount", "(cart.coupon.amount if cart.coupon else 0)")
    test = """import unittest
from checkout import Cart, total

class CartTest(unittest.TestCase):
    def test_a_cart_without_a_coupon_has_a_price(self):
        assert total(Cart(())) == 0
"""
    unmended = await tools.open_pr(call("one"), "Show the fault", "A test", {"test_coupon.py": test})
    assert (await tools.run_evals(call("eval"), unmended["url"]))["verdict"] == "fail"
    files = {"test_coupon.py": test, "checkout.py": mended}
    opened = await tools.open_pr(call("two"), "Mend the fault", "A test and the fix", files)
    assert (await tools.run_evals(call("eval"), opened["url"]))["verdict"] == "pass"
    merged = await tools.merge_pr(call("three"), opened["url"])
    assert merged["state"] == "merged"
    assert await tools.merge_pr(call("three"), opened["url"]) == merged
    assert "cart.coupon else 0" in git(ai_sre, "show", "main:checkout.py")


async def test_a_pull_request_is_opened_once_for_each_idempotency_key(ai_sre: Path) -> None:
    tools = loaded(ai_sre / "tools" / "repository.py")
    first = await tools.open_pr(call("same"), "Once", "…", {"notes.md": "one\n"})
    assert await tools.open_pr(call("same"), "Once", "…", {"notes.md": "two\n"}) == first
    assert git(ai_sre, "show", f"{first['branch']}:notes.md") == "one\n"


@pytest.mark.parametrize("path", ["../outside", ".git/hooks/pre-commit", "/etc/outside"])
async def test_a_pull_request_writes_nothing_outside_the_repository(ai_sre: Path, path: str) -> None:
    tools = loaded(ai_sre / "tools" / "repository.py")
    with pytest.raises(ValueError, match="no path inside the repository"):
        await tools.open_pr(call("out"), "Leave", "…", {path: "x"})


async def test_flags_that_are_not_named_keep_their_state(ai_sre: Path) -> None:
    tools = loaded(ai_sre / "tools" / "flags.py")
    await tools.set_flags(call("one"), {"coupons": True, "new-cart": False})
    assert await tools.set_flags(call("two"), {"new-cart": True}) == {
        "flags": {"coupons": True, "new-cart": True},
        "changed": ["new-cart"],
    }
    assert json.loads((ai_sre / ".loopy" / "flags.json").read_text()) == {"coupons": True, "new-cart": True}


def git(project: Path, *arguments: str) -> str:
    repository = project / ".loopy" / "repository.git"
    return subprocess.run(["git", *arguments], cwd=repository, capture_output=True, text=True, check=True).stdout


def sensed(project: Path, since: datetime | None, until: datetime) -> list[str]:
    """The goals that the poll announces for a window."""
    sensors = loaded(project / "sensors" / "sensors.py")
    return [event.event_data["goal_id"] for event in sensors.metric_watch(Tick(scheduled_at=until, last_run=since))]


def test_a_metric_is_announced_in_the_window_in_which_it_rises_to_its_threshold(ai_sre: Path) -> None:
    samples = ["05:00Z,g-1,98.8", "08:00Z,g-2,97.0", "10:00Z,g-2,97.1", "15:00Z,g-1,99.5", "20:00Z,g-1,99.9"]
    table = ["time,goal_id,value,threshold", *(f"2026-01-12T09:{sample},99.5" for sample in samples)]
    (ai_sre / "metrics" / "goals.csv").write_text("\n".join(table))
    bind(registered_events(ai_sre))
    windows = [NINE + timedelta(minutes=minutes) for minutes in (5, 10, 15, 20, 25)]
    announced = [sensed(ai_sre, since, until) for since, until in pairwise(windows)]
    assert announced == [[], ["g-1"], [], []]
    assert sensed(ai_sre, None, windows[2]) == ["g-1"]


def registered_events(project: Path) -> dict[str, Any]:
    plan = compile_project(load_files(project)).plan
    assert plan is not None
    return plan.events


def test_make_run_tells_the_whole_story_and_ends(ai_sre: Path) -> None:
    body = ai_sre / "deliveries" / "sentry-issue.json"
    done = subprocess.run(
        [LOOPY, "run", ai_sre, "--rehearse", "--port", "0", "--deliver", f"/hooks/sentry={body}", "--once"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "hosting sensor webhooks · 1 schedule armed · waiting for events" in done.stdout
    story = done.stdout.partition("\n\n")[2]
    told = [story.index(what) for what in ("Incident", "triage/investigate", "WorkItem", *RESOLVE, "GoalShipped")]
    assert told == sorted(told)


async def what_follows(project: Path, nats_url: str, namespace: str, event: str, data: dict[str, Any]) -> Cascade:
    """The whole cascade of an event in a rehearsal of the project; hello's agent is a program and needs none."""
    settings = settings_for(nats_url, namespace, rehearse=project.name != "hello")
    first = Event(id="first", type=event, source="/test", time=NINE, data=data, cascade="first")
    bus = await Bus.connect(nats_url, namespace=namespace, name="test")
    async with services(ALL, project, settings):
        await bus.publish_once(event_message(bus.subjects, first))
        cascade = await finished_cascade(bus, "first")
    await bus.close()
    return cascade


def shape(cascade: Cascade) -> list[str]:
    return [event.type for event in cascade.events]


async def test_a_failed_review_ships_nothing(ai_sre: Path, nats_url: str, namespace: str) -> None:
    (ai_sre / "rehearsal" / "resolve" / "review.json").write_text('{"output": {"verdict": "fail"}}')
    item = {"link": "https://work.example/7", "root_cause": "…", "proposed_goal": "…"}
    cascade = await what_follows(ai_sre, nats_url, namespace, "WorkItem", item)
    assert shape(cascade) == ["WorkItem"]
    assert {step.name: step.progress for step in cascade.steps}["ship"] == "skipped"


async def test_a_goal_is_confirmed(ai_sre: Path, nats_url: str, namespace: str) -> None:
    cascade = await what_follows(ai_sre, nats_url, namespace, "MetricThreshold", {"goal_id": "g-123"})
    assert shape(cascade) == ["MetricThreshold"]
    assert not cascade.failed


async def test_a_goal_is_reopened_when_nothing_says_otherwise(ai_sre: Path, nats_url: str, namespace: str) -> None:
    (ai_sre / "rehearsal" / "confirm" / "check.json").unlink()
    cascade = await what_follows(ai_sre, nats_url, namespace, "MetricThreshold", {"goal_id": "g-123"})
    assert shape(cascade) == ["MetricThreshold", "WorkItem", "GoalShipped"]
    assert not cascade.failed


async def test_hello_greets_whoever_comes(tmp_path: Path, nats_url: str, namespace: str) -> None:
    cascade = await what_follows(copy_of("hello", tmp_path), nats_url, namespace, "Visitor", {"name": 'A "quoted" Ada'})
    assert [step.output for step in cascade.steps] == [{"greeting": 'Hello, A "quoted" Ada!'}]
