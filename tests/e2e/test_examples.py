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
from loopy.compiler.compile import compile_project
from loopy.events import bind
from loopy.project.files import load_files

EXAMPLES = Path(__file__).parents[2] / "examples"


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


def loopy(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "loopy.cli.main", *arguments], capture_output=True, text=True, timeout=60, check=False
    )


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


NINE = datetime(2026, 1, 12, 9, tzinfo=UTC)


def sensed(project: Path, since: datetime | None, until: datetime) -> list[str]:
    """The goals that the poll announces for a window."""
    sensors = loaded(project / "sensors" / "sensors.py")
    return [event.event_data["goal_id"] for event in sensors.metric_watch(Tick(scheduled_at=until, last_run=since))]


def test_a_metric_is_announced_in_the_window_in_which_it_rises_to_its_threshold(ai_sre: Path) -> None:
    with (ai_sre / "metrics" / "goals.csv").open("a") as samples:
        samples.write("2026-01-12T09:15:00Z,g-123,99.5,99.5\n2026-01-12T09:20:00Z,g-123,99.9,99.5\n")
    bind(registered_events(ai_sre))
    windows = [NINE + timedelta(minutes=minutes) for minutes in (5, 10, 15, 20, 25)]
    announced = [sensed(ai_sre, since, until) for since, until in pairwise(windows)]
    assert announced == [[], ["g-123"], [], []]
    assert sensed(ai_sre, None, windows[2]) == ["g-123"]


def registered_events(project: Path) -> dict[str, Any]:
    plan = compile_project(load_files(project)).plan
    assert plan is not None
    return plan.events
