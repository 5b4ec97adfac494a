"""Concurrency and limits of spend on a project that runs: who waits, who stops, and what is said of it."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from loopy.runs.ids import run_id
from tests.support.command_line import Run, Started, loopy
from tests.support.files import write_files

STEPS = {
    "deploy/roll": "on: Deploy\nagent: Deployer\nconcurrency: { name: deploys, key: '{{ event.repo }}', limit: 1 }",
    "patch/roll": "on: Patch\nagent: Deployer\nconcurrency: { name: deploys, key: '{{ event.repo }}', limit: 1 }",
    "research/read": "on: Question\nagent: Spender",
    "research/think": "after: read\nagent: Spender",
    "research/write": "after: think\nagent: Spender",
    "try/again": "on: Attempt\nagent: Waster\nbudget: { spend: { usd: 0.5 } }\nretry: { attempts: 9, backoff: 1s }",
}


def agent(script: str) -> dict[str, object]:
    return {"sandbox": "here", "harness": {"runtime": "command", "run": ["/bin/sh", "-c", f"cat >/dev/null; {script}"]}}


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """A project that runs, whose agents spend and must not meet."""
    root = tmp_path_factory.mktemp("limited")
    log = root / "log"
    registry = {
        "agents": {
            "Deployer": agent(f"echo begin >>{log}; sleep 0.1; echo end >>{log}; echo '{{}}'"),
            "Spender": agent("""echo '{"usage": {"input_tokens": 900, "spend_usd": 0.6}}'"""),
            "Waster": agent("""echo '{"usage": {"spend_usd": 0.5}}'; exit 3"""),
        },
        "sandboxes": {"here": {"provider": "local", "isolation": "none"}},
        "events": {
            "Deploy": {"repo": "str"},
            "Patch": {"repo": "str"},
            "Question": {"text": "str"},
            "Attempt": {"n": "int"},
        },
        "limits": {"cascade": {"spend": {"usd": 1}}},
    }
    files = {f"workflows/{name}.md": f"---\n{head}\n---\nDo it.\n" for name, head in STEPS.items()}
    write_files(root, {"registry.yml": json.dumps(registry), **files})
    with Run(root) as run:
        yield run


def shown(limited: Run, run: str) -> str:
    done = loopy("runs", "show", run, "--project", limited.project)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_runs_that_share_a_key_never_meet_and_all_are_done(limited: Run) -> None:
    waiting = [
        Started("trigger", kind, "--field", "repo=acme", "--wait", "--project", limited.project)
        for kind in ("Deploy", "Patch", "Deploy", "Deploy")
    ]
    for each in waiting:
        with each:
            each.line("✓ done")
    log = Path(limited.project, "log").read_text().splitlines()
    assert log == ["begin", "end"] * 4


def test_nothing_is_said_to_be_unenforced(limited: Run) -> None:
    assert not any("enforced" in line for line in (*limited.told, *limited.complained))


def test_a_cascade_stops_at_what_it_may_spend_and_another_begins(limited: Run) -> None:
    for identity in ("q1", "q2"):
        words = ("trigger", "Question", "--field", "text=why", "--id", identity, "--wait")
        done = loopy(*words, "--project", limited.project)
        assert done.returncode == 1
        assert "the cascade has spent 1.2 of 1 USD (limits.cascade.spend)" in done.stdout
        told = shown(limited, run_id("research", identity))
        assert [told.index(what) for what in ("read", "think", "write")]
        assert "the cascade has spent 1.2 of 1 USD (limits.cascade.spend)" in told


def test_a_failed_attempt_counts_toward_its_steps_budget(limited: Run) -> None:
    words = ("trigger", "Attempt", "--field", "n=1", "--id", "a1", "--wait")
    assert loopy(*words, "--project", limited.project).returncode == 1
    assert "its budget of 0.5 USD is spent, 0.5 USD so far" in shown(limited, run_id("try", "a1"))
