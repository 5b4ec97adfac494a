"""Runs are steered by the command line on a live `loopy run`."""

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.executor.desk import alive
from tests.support.command_line import TIMEOUT_S, Run, loopy
from tests.support.files import write_files
from tests.support.waiting import wait_until

Ask = Callable[..., Any]
REGISTRY = """
agents:
  Slow: {{ sandbox: here, harness: {{ runtime: command, run: [sh, -c, "{slow}"] }} }}
  Picky: {{ sandbox: here, harness: {{ runtime: command, run: [sh, -c, "{picky}"] }} }}
sandboxes:
  here: {{ provider: local, isolation: none }}
events:
  Long: {{ title: str, size: int }}
  Odd: {{ title: str }}
"""
LOOK = "---\non: {event}\nagent: {agent}\nretry: {{ attempts: 1 }}\n---\nLook at {{{{ event.title }}}}.\n"


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Run]:
    """A project of two workflows that runs: `long` works until `go` is there, `odd` fails unless told of a cat."""
    root = tmp_path / "project"
    slow = (
        f"echo $$ >> {tmp_path}/pids; cat > /dev/null; while [ ! -e {tmp_path}/go ]; do sleep 0.02; done; echo '{{}}'"
    )
    picky = "grep -q cat && echo '{}'"
    write_files(
        root,
        {
            "registry.yml": REGISTRY.format(slow=slow, picky=picky),
            "workflows/long/look.md": LOOK.format(event="Long", agent="Slow"),
            "workflows/odd/look.md": LOOK.format(event="Odd", agent="Picky"),
        },
    )
    with Run(root) as run:
        yield run


@pytest.fixture
def ask(live: Run) -> Ask:
    """Runs a command with `--json` on the project and gives what it prints."""

    def run(*words: str, code: int = 0) -> Any:
        done = loopy(*words, "--json", cwd=live.project)
        assert done.returncode == code, done.stderr
        return json.loads(done.stdout)

    return run


def trigger(live: Run, event: str, *fields: str) -> str:
    """Publish an event; its id."""
    words = [word for field in fields for word in ("--field", field)]
    done = loopy("trigger", event, *words, cwd=live.project)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def pids(live: Run) -> list[str]:
    """The processes of all slow agents that were started."""
    file = live.project.parent / "pids"
    return file.read_text().split() if file.exists() else []


async def standing(ask: Ask, *words: str, count: int = 1) -> list[Any]:
    """So many runs that stand like this, as soon as they do."""
    found: list[Any] = []

    def are_there() -> bool:
        found[:] = ask("runs", "list", *words)
        return len(found) == count

    await wait_until(are_there, TIMEOUT_S)
    return found


def said(live: Run, *words: str, code: int = 0) -> "subprocess.CompletedProcess[str]":
    """Runs a command as a person would."""
    done = loopy(*words, cwd=live.project)
    assert done.returncode == code, done.stderr
    return done


async def test_a_run_is_cancelled_and_its_agent_is_gone(live: Run, ask: Ask) -> None:
    trigger(live, "Long", "title=a", "size=1")
    await wait_until(lambda: len(pids(live)) == 1, TIMEOUT_S)
    [run] = await standing(ask, "--outcome", "running")
    told = said(live, "runs", "cancel", "--why", "wrong one", run["run"][:10], "--wait")
    assert f"✓ run {run['run'][:8]} cancelled" in told.stderr
    assert "✗ cancelled" in told.stdout
    await wait_until(lambda: not alive(pids(live)[0]), 3)
    shown = ask("runs", "show", run["run"])
    assert (shown["run"]["outcome"], shown["run"]["detail"]) == ("cancelled", "wrong one")
    assert [each["progress"] for each in shown["run"]["steps"]] == ["cancelled"]
    assert "@" in shown["run"]["by"]
    assert [(each["record"], each["why"]) for each in shown["steering"]] == [("RunCancelled", "wrong one")]
    [refused] = ask("runs", "pause", run["run"], code=1)
    assert "it has ended (cancelled)" in refused["error"]
    assert "loopy runs replay" in refused["hint"]
    assert "cancelled by" in said(live, "runs", "show", run["run"]).stdout


async def test_many_runs_are_chosen_by_workflow_event_and_time(live: Run, ask: Ask) -> None:
    for number in range(3):
        trigger(live, "Long", f"title=a{number}", f"size={number}")
    runs = {each["run"] for each in await standing(ask, "--workflow", "long", count=3)}
    assert ask("runs", "pause", "--workflow", "odd") == []
    assert ask("runs", "pause", "--event", "Long", "--before", "1h") == []
    assert "no run fits, so nothing was done" in said(live, "runs", "pause", "--workflow", "odd").stderr
    paused = ask("runs", "pause", "--event", "Long", "--since", "1h")
    assert {each["run"] for each in paused} == runs
    assert {each["record"]["record"] for each in paused} == {"RunPaused"}
    assert {each["run"] for each in ask("runs", "list", "--outcome", "paused")} == runs
    assert "○ paused" in said(live, "runs").stdout
    assert {each["run"] for each in ask("runs", "resume", "--all")} == runs
    cancelled = ask("runs", "cancel", "--workflow", "long", "--outcome", "running")
    assert {each["run"] for each in cancelled} == runs
    await standing(ask, "--outcome", "cancelled", count=3)


async def test_a_failed_run_says_how_to_retry_it_and_is_retried_with_an_edit(live: Run, ask: Ask) -> None:
    failed = loopy("trigger", "Odd", "--field", "title=dog", "--wait", cwd=live.project)
    assert failed.returncode == 1
    [run] = ask("runs", "--outcome", "failed")
    hint = f"`loopy runs retry {run['run'][:8]}` runs again what failed"
    assert hint in failed.stdout
    assert hint in live.line("runs again what failed")
    assert run["can_resume"]

    [wrong] = ask("runs", "retry", run["run"], "--set", "event.titel=cat", code=1)
    assert (wrong["error"], wrong["hint"]) == ("`event` has no field `titel`", "did you mean `title`?")
    [wrong] = ask("runs", "retry", run["run"], "--from", "lok", code=1)
    assert wrong["hint"] == "did you mean `look`?"
    assert said(live, "runs", "retry", run["run"], "--wait", code=1).stdout.count("✗ failed") == 1
    told = said(live, "runs", "retry", run["run"], "--set", "event.title=a cat", "--why", "typo", "--wait")
    assert "✓ succeeded" in told.stdout
    shown = ask("runs", "show", run["run"])
    kinds = [each["record"] for each in shown["steering"]]
    assert kinds == ["RunFailed", "RunResumed", "RunFailed", "RunResumed"]
    assert shown["steering"][-1]["edits"] == {"event": {"title": "a cat"}}
    assert shown["run"]["outcome"] == "succeeded"
    attempts = [(each["record"], each["epoch"]) for each in shown["attempts"]]
    assert attempts == [("AttemptFailed", 0), ("AttemptFailed", 1), ("AttemptSucceeded", 2)]
    lines = said(live, "runs", "show", run["run"]).stdout
    assert "look, attempt 1: " in lines
    assert "look, attempt 1 of epoch 1: " in lines


async def test_events_are_replayed_in_bulk_by_the_runs_that_they_started(live: Run, ask: Ask) -> None:
    events = [trigger(live, "Odd", f"title=cat {number}") for number in range(3)]
    await standing(ask, "--outcome", "succeeded", count=3)
    assert ask("runs", "replay", "--workflow", "long") == []
    replayed = ask("runs", "replay", "--workflow", "odd", "--since", "1h")
    assert [each["event"] for each in replayed] == events
    runs = await standing(ask, "--outcome", "succeeded", count=6)
    assert {each["replayed_as"] for each in replayed} < {each["event"] for each in runs}
    [gone, again] = ask("runs", "replay", "nothing", events[0], code=1)
    assert "there is no event nothing" in gone["error"]
    assert again["event"] == events[0]
    new = said(live, "runs", "replay", events[1][:12], "--why", "once more").stdout.strip()
    assert new not in events
    [run] = [each for each in await standing(ask, "--workflow", "odd", count=8) if each["event"] == new]
    shown = said(live, "runs", "show", run["run"]).stdout
    assert f"replays {events[1][:8]} by " in shown
    assert ": once more\n" in shown


async def test_everything_is_halted_and_closed_and_goes_on(live: Run, ask: Ask) -> None:
    assert said(live, "control").stdout == "✓ nothing is held back\n"
    said(live, "control", "halt", "--why", "an outage")
    live.line("everything is halted: no attempt begins")
    trigger(live, "Odd", "title=cat")
    await standing(ask, "--outcome", "running")
    assert ask("control", "close")["closed"]
    trigger(live, "Odd", "title=cat")
    shown = said(live, "control").stdout
    assert "everything is halted and closed" in shown
    assert "no attempt begins, no event is let in (it was so before, by " in said(live, "control", "halt").stderr
    held = ask("control", "halt")
    assert (held["halted"], held["closed"], held["everything"]["by"].count("@")) == (True, True, 1)
    warned = loopy("doctor", cwd=live.project).stdout
    assert "everything is halted and closed" in warned
    assert len(ask("runs", "list")) == 1
    ask("control", "resume")
    await standing(ask, "--outcome", "succeeded")
    ask("control", "open")
    await standing(ask, "--outcome", "succeeded", count=2)
    live.line("everything goes on")
    assert ask("control", "halt", "--workflow", "long")["halted_workflows"] == ["long"]
    assert "did you mean `long`?" in said(live, "control", "halt", "--workflow", "lnog", code=2).stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["runs", "cancle", "x"], "did you mean `cancel`?"),
        (["runs", "cancel"], "loopy runs cancel: which runs?"),
        (["runs", "retry", "x", "--all"], "loopy runs retry: which runs?"),
        (["runs", "pause", "x", "--from", "look"], "loopy runs pause: --from is for `retry`"),
        (["runs", "cancel", "--all", "--limit", "1", "--yes"], "loopy runs cancel: --limit is for `list`"),
        (["runs", "replay", "--all", "--limit", "1"], "loopy runs replay: --limit is for `list`"),
        (["runs", "list", "--why", "x"], "--why is for `cancel`, `pause`, `resume`, `retry`, `replay`"),
        (["runs", "retry", "x", "--set", "title=x"], "expected PLACE.FIELD=VALUE"),
        (["runs", "retry", "x", "--timeout", "1s"], "--timeout is how long --wait waits"),
        (["runs", "show", "--workflow", "w"], "loopy runs show: which run?"),
        (["runs", "replay"], "loopy runs replay: which event?"),
        (["control", "hlat"], "did you mean `halt`?"),
        (["control", "close", "--workflow", "w"], "--workflow is for halt and resume"),
        (["control", "show", "--why", "w"], "--why is for what changes something"),
    ],
)
def test_what_does_not_go_together_is_refused_with_a_hint(words: list[str], told: str, tmp_path: Path) -> None:
    done = loopy(*words, "--project", str(tmp_path))
    assert done.returncode == 2
    assert told in done.stderr
