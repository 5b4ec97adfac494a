"""One executor, real programs, a real bus: how attempts end."""

import asyncio
import os
import re
import shutil
from pathlib import Path
from typing import Any

import msgspec
import pytest

from loopy.agents.harness import Assignment, Reply
from loopy.agents.installed import Runtimes
from loopy.bus.client import Bus
from loopy.bus.codec import plan_message, record_message
from loopy.bus.dead import read_dead
from loopy.bus.messages import Outgoing
from loopy.bus.streams import DEAD, RUNS
from loopy.compiler.plan import Sandbox
from loopy.runs.records import AttemptFailed, AttemptSucceeded, Emitted, RunEnded, Usage
from loopy.sandboxes.local import LocalProvider
from loopy.sandboxes.provider import SandboxSession
from tests.integration.executor.desk import (
    alive,
    done,
    emitting,
    failure,
    planned,
    publish,
    requested,
)
from tests.support.assignments import AT
from tests.support.files import write_files
from tests.support.services import services, settings_for
from tests.support.waiting import wait_until


@pytest.fixture
def settings(nats_url: str, namespace: str) -> Any:
    return settings_for(nats_url, namespace)


async def test_an_answer_becomes_a_typed_success(bus: Bus, settings: Any, tmp_path: Path) -> None:
    script = (
        """cat > prompt; echo '{"output": {"ok": true}, "emits": {"WorkItem": [{"link": "https://example.com/2"}]}}'"""
    )
    plan = planned(script, prose="Fix {{ event.link }}.", output={"ok": "bool"}, emits=emitting(), role="You mend.")
    async with services(["executor"], tmp_path, settings, plan=plan):
        await publish(bus, requested(plan))
        success = await done(bus)
    assert success.output == {"ok": True}
    assert success.emits == (Emitted("WorkItem", {"link": "https://example.com/2"}),)
    assert success.executor.split("-")[-2] == str(os.getpid())
    assert success.started_at <= success.at
    prompt = (tmp_path / ".loopy/sandboxes/r1/shared/here/prompt").read_text()
    assert prompt.startswith("You mend.\n\nFix https://example.com/1.\n\n## Your answer\n")


@pytest.mark.parametrize(
    "script",
    [
        """echo '{"output": {"ok": 1}, "usage": {"spend_usd": 0.5}}'""",
        """echo '{"usage": {"spend_usd": 0.5}}'; exit 1""",
    ],
)
async def test_what_a_failed_attempt_cost_is_recorded(bus: Bus, settings: Any, tmp_path: Path, script: str) -> None:
    plan = planned(script, output={"ok": "bool"})
    async with services(["executor"], tmp_path, settings, plan=plan):
        await publish(bus, requested(plan))
        assert (await failure(bus)).usage == Usage(spend_usd=0.5)


@pytest.mark.parametrize(
    ("script", "changes", "reason", "detail", "retryable"),
    [
        ("echo fixed", {}, "bad_output", "it begins: fixed", True),
        ("echo '{}'", {"output": {"ok": "bool"}}, "bad_output", "output.ok: ", True),
        ('echo \'{"output": {"ok": 1}}\'', {"output": {"ok": "bool"}}, "bad_output", "output.ok: ", True),
        ('echo \'{"emits": {"WorkItem": []}}\'', {}, "bad_output", "emits.WorkItem: ", True),
        ("echo broken >&2; exit 3", {}, "exit_code", "exit code 3; stderr ends with:\nbroken", True),
        ("", {"run": ("nowhere",)}, "cannot_start", "no program `nowhere`", False),
        ("", {"run": ()}, "cannot_start", "no `run:", False),
        ("", {"sandbox": "far"}, "cannot_start", "no sandbox provider `nowhere` is installed", False),
        ("", {"runtime": "codex"}, "no_runtime", "no runtime `codex` is installed", False),
        ("", {"prose": "{{ gone.field }}"}, "bad_prompt", "workflows/resolve/fix.md", False),
    ],
)
async def test_why_an_attempt_failed(
    bus: Bus,
    settings: Any,
    tmp_path: Path,
    script: str,
    changes: dict[str, Any],
    reason: str,
    detail: str,
    retryable: bool,
) -> None:
    plan = planned(script, **changes)
    async with services(["executor"], tmp_path, settings, plan=plan):
        await publish(bus, requested(plan))
        failed = await failure(bus)
    assert (failed.reason, failed.retryable) == (reason, retryable)
    assert detail in failed.detail
    assert not await bus.last_each(RUNS, [bus.subjects.every(kind) for kind in ("failed", "end")])


# What an executor leaves that began an attempt and gave it back.
LAPSED = b'{"executor":"gone","taking":1,"released":true}'


class Stumbling:
    """A runtime of a third party with a mistake in it."""

    needs_sandbox = True

    async def run(self, assignment: Assignment, sandbox: SandboxSession | None) -> Reply:
        """Stumble, and tell of it a secret."""
        raise KeyError("no choices for hunter2")


async def test_what_a_runtime_raises_against_its_contract_is_a_failed_attempt(
    bus: Bus, settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Runtimes, "get", lambda self, name: Stumbling())
    plan = planned()
    plan.sandboxes["here"] = Sandbox("here", isolation="none", env_file=("a.env",))
    write_files(tmp_path, {"a.env": "TOKEN=hunter2"})
    async with services(["executor"], tmp_path, settings, plan=plan):
        await publish(bus, requested(plan))
        failed = await failure(bus)
    assert (failed.reason, failed.retryable) == ("harness_failed", True)
    assert failed.detail == "runtime `command` failed: KeyError: 'no choices for [TOKEN]'"


async def test_a_project_that_vanishes_meanwhile_ends_attempts_with_a_reason(
    bus: Bus, settings: Any, tmp_path: Path
) -> None:
    plan = planned(run=("agents/fix.py",))
    write_files(tmp_path, {"p/agents/fix.py": "#!/bin/sh"})
    async with services(["executor"], tmp_path / "p", settings, plan=plan):
        shutil.rmtree(tmp_path / "p")
        (tmp_path / "p").write_text("no directory any more")
        await publish(bus, requested(plan, "r1"))
        first = await failure(bus, "r1")
        (tmp_path / "p").unlink()
        await publish(bus, requested(plan, "r2"))
        second = await failure(bus, "r2")
    assert (first.reason, first.retryable) == ("cannot_start", True)
    assert second.detail == "there is no program `agents/fix.py` in the sandbox"


async def test_the_wall_clock_ends_an_attempt_and_all_its_processes(bus: Bus, settings: Any, tmp_path: Path) -> None:
    plan = planned("trap '' TERM; (trap '' TERM; exec setsid sleep 600) & echo $$ $! > pids; wait")
    async with services(["executor"], tmp_path, settings, plan=plan):
        await publish(bus, requested(plan, wall_clock_s=1))
        failed = await failure(bus)
    pids = (tmp_path / ".loopy/sandboxes/r1/shared/here/pids").read_text().split()
    assert len(pids) == 2
    assert not any(alive(pid) for pid in pids)
    assert (failed.reason, failed.retryable) == ("timed_out", False)
    assert "1 s" in failed.detail


async def test_a_secret_in_an_answer_that_is_refused_is_not_told(bus: Bus, settings: Any, tmp_path: Path) -> None:
    answer = r'{"output": {"page": "%s"}}'
    plan = planned(f"printf '{answer}' $TOKEN", output={"page": "url"})
    sandbox = plan.sandboxes["here"]
    plan.sandboxes["here"] = type(sandbox)("here", isolation="none", env_file=("a.env",))
    write_files(tmp_path, {"a.env": "TOKEN=hunter2"})
    async with services(["executor"], tmp_path, settings, plan=plan):
        await publish(bus, requested(plan))
        failed = await failure(bus)
    assert "[TOKEN]" in failed.detail
    assert "hunter2" not in failed.detail


async def test_an_answer_that_may_not_be_stored_is_refused(bus: Bus, settings: Any, tmp_path: Path) -> None:
    settings = msgspec.structs.replace(settings, largest_value_bytes=256 << 10)
    plan = planned("""printf '{"output": {"text": "%0300000d"}}' 0""", output={"text": "str"})
    async with services(["executor"], tmp_path, settings, plan=plan):
        await publish(bus, requested(plan))
        failed = await failure(bus)
    assert failed.reason == "bad_output"
    assert re.fullmatch(r"the answer takes 300,\d+ bytes; it may take 253,952 .*", failed.detail)


async def test_what_is_settled_is_not_executed_again(bus: Bus, settings: Any, tmp_path: Path) -> None:
    plan = planned("echo . >> $HOME/../executed; echo '{}'")
    values: dict[str, Any] = {
        "workflow": "resolve",
        "step": "fix",
        "attempt": 1,
        "executor": "x",
        "started_at": AT,
        "at": AT,
    }
    for run in ("done", "failed", "ended"):
        await bus.publish_once(Outgoing(bus.subjects.lease(run, "fix", 0, 1), LAPSED))
    await publish(
        bus,
        AttemptSucceeded(run="done", **values),
        AttemptFailed(run="failed", reason="exit_code", detail="", **values),
        RunEnded("ended", "resolve", "failed", AT),
        *(requested(plan, run) for run in ("done", "failed", "ended", "open")),
    )
    async with services(["executor"], tmp_path, settings, plan=plan):
        await done(bus, "open")
    kept = tmp_path / ".loopy" / "sandboxes"
    assert [path.name for path in kept.iterdir()] == ["open"]


async def test_a_run_goes_on_with_the_plan_that_it_began_with(bus: Bus, settings: Any, tmp_path: Path) -> None:
    old = planned("""echo '{"output": {"by": "old"}}'""", output={"by": "str"})
    new = planned("""echo '{"output": {"by": "new"}}'""", output={"by": "str"})
    await bus.publish_once(plan_message(bus.subjects, old))
    async with services(["executor"], tmp_path, settings, plan=new):
        await publish(bus, requested(old, "old"), requested(new, "new"))
        assert [(await done(bus, run)).output for run in ("old", "new")] == [{"by": "old"}, {"by": "new"}]


async def test_a_rehearsal_replaces_every_agent_and_takes_hints(
    bus: Bus, nats_url: str, namespace: str, tmp_path: Path
) -> None:
    plan = planned(runtime="claude-code", sandbox="far", output={"verdict": "enum[pass, fail]"}, emits=emitting())
    write_files(tmp_path, {"rehearsal/resolve/fix.json": '{"output": {"verdict": "fail"}}'})
    async with services(["executor"], tmp_path, settings_for(nats_url, namespace, rehearse=True), plan=plan):
        await publish(bus, requested(plan, "r1"))
        success = await done(bus)
        write_files(tmp_path, {"rehearsal/resolve/fix.json": '{"output": {"verdict": "maybe"}}'})
        await publish(bus, requested(plan, "r2"))
        failed = await failure(bus, "r2")
    assert success.output == {"verdict": "fail"}
    assert success.emits == (Emitted("WorkItem", {"link": "https://example.com/1"}),)
    assert failed.reason == "bad_hint"
    assert failed.detail.startswith("rehearsal/resolve/fix.json: output.verdict: ")


async def test_files_of_a_run_are_shared_and_end_with_it(bus: Bus, settings: Any, tmp_path: Path) -> None:
    plan = planned("""echo x >> seen; printf '{"output": {"seen": %s}}' $(wc -l < seen)""", output={"seen": "int"})
    kept = tmp_path / ".loopy" / "sandboxes"
    async with services(["executor"], tmp_path, settings, plan=plan):
        await publish(bus, requested(plan, "r1", attempt=1))
        assert (await done(bus, "r1")).output == {"seen": 1}
        await publish(bus, requested(plan, "r2"))
        assert (await done(bus, "r2")).output == {"seen": 1}
        await publish(bus, RunEnded("r1", "resolve", "succeeded", AT))
        await wait_until(lambda: [path.name for path in kept.iterdir()] == ["r2"])
    await publish(bus, RunEnded("r2", "resolve", "succeeded", AT))
    async with services(["executor"], tmp_path, settings, plan=plan):
        await wait_until(lambda: not list(kept.iterdir()))


async def test_messages_that_are_no_attempts_are_set_aside(bus: Bus, settings: Any, tmp_path: Path) -> None:
    plan = planned()
    await bus.publish_once(Outgoing(bus.subjects.attempt("default", "a", "fix", 0, 1), b"not a record"))
    ended = RunEnded("b", "resolve", "failed", AT)
    misplaced = record_message(bus.subjects, ended)
    await bus.publish_once(Outgoing(bus.subjects.attempt("default", "b", "fix", 0, 1), misplaced.payload))
    async with services(["executor"], tmp_path, settings, plan=plan):
        reasons = set()
        async with asyncio.timeout(10):
            async for message in bus.read(DEAD, [bus.subjects.under("dead", ">")], follow=True):
                reasons.add(read_dead(message).reason)
                if len(reasons) == 2:
                    break
    assert reasons == {"bad_record", "misplaced"}


async def test_a_provider_that_cannot_clean_up_costs_no_attempt(
    bus: Bus, settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    async def refuse(self: LocalProvider, run: str) -> None:
        asked.append(run)
        raise ConnectionError("its server is down")

    monkeypatch.setattr(LocalProvider, "end_run", refuse)
    plan = planned()
    async with services(["executor"], tmp_path, settings, plan=plan):
        await publish(bus, requested(plan, "r1"))
        await done(bus, "r1")
        await publish(bus, RunEnded("r1", "resolve", "succeeded", AT))
        await wait_until(lambda: asked == ["r1"])
        await publish(bus, requested(plan, "r2"))
        await done(bus, "r2")
