"""Runs are cancelled, paused, resumed and retried on a live system: real services, a real server, real programs."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from loopy.bus.client import Bus
from loopy.bus.cloudevents import event_message
from loopy.bus.control import change_control, read_controls
from loopy.bus.journal import read_run
from loopy.bus.steer import SteerResult, steer_run
from loopy.bus.streams import EVENTS, RUNS, TIMERS
from loopy.compiler.plan import Agent, Emission, EventTrigger, Plan, Sandbox, Step, Workflow
from loopy.compiler.plan import Retry as RetryPolicy
from loopy.runs.ids import run_id
from loopy.runs.records import RunCancelled, RunPaused, RunResumed
from loopy.runs.state import RunState
from loopy.runs.steer import Asked, Cancel, Pause, Resume, Retry, Wish
from tests.integration.executor.desk import alive
from tests.support.facts import event
from tests.support.services import services, settings_for
from tests.support.waiting import wait_until

STEPS = ("first", "second", "third")


class Stage:
    """A workflow of three steps whose agents wait for their cue, and what was seen of them.

    Each notes its process and a child's, and answers with what `answer-<step>` holds as soon as `go-<step>` is there.
    """

    def __init__(self, bus: Bus, root: Path, workflow: str = "play") -> None:
        self.bus = bus
        self.root = root
        self.workflow = workflow
        for name in STEPS:
            self.answers(name, {})

    @property
    def plan(self) -> Plan:
        """The plan of it."""
        steps = (
            self._step("first", output={"n": "int?"}),
            self._step("second", "first", prose="{{ event.title }} {{ first.n }}", emits=(Emission("Shown"),)),
            self._step("third", "second"),
        )
        return Plan(
            workflows={self.workflow: Workflow(self.workflow, EventTrigger("Incident"), steps)},
            events={"Incident": {"title": "str"}, "Shown": {"n": "int"}},
            agents={name: self._agent(name) for name in STEPS},
            sandboxes={"here": Sandbox("here", isolation="none")},
        )

    def _step(self, name: str, *after: str, prose: str = "Play.", **declared: object) -> Step:
        return Step(
            name,
            f"workflows/play/{name}.md",
            name,
            prose,
            after,
            retry=RetryPolicy(2, 0.3),
            **declared,  # type: ignore[arg-type]  # fields, by their callers
        )

    def _agent(self, name: str) -> Agent:
        script = (
            f"cat > {self.root}/prompt-{name}; sleep 300 & echo $$ $! >> {self.root}/began-{name};"
            f" while [ ! -e {self.root}/go-{name} ]; do sleep 0.02; done; kill $!; cat {self.root}/answer-{name}"
        )
        return Agent(name, "command", sandbox="here", run=("sh", "-c", script))

    def answers(self, name: str, answer: object) -> None:
        """What a step's agent says from now on; what is no answer has it fail."""
        (self.root / f"answer-{name}").write_text(answer if isinstance(answer, str) else json.dumps(answer))

    def cue(self, *names: str) -> None:
        """Let these steps' agents answer."""
        for name in names:
            (self.root / f"go-{name}").touch()

    def began(self, name: str) -> list[list[str]]:
        """The process and child of each agent that was started for a step."""
        file = self.root / f"began-{name}"
        return [each.split() for each in file.read_text().splitlines()] if file.exists() else []

    def prompt(self, name: str) -> str:
        """What a step's agent was told last."""
        return (self.root / f"prompt-{name}").read_text()

    async def has_begun(self, name: str, times: int = 1) -> None:
        """Wait until a step's agent was started so often."""
        await wait_until(lambda: len(self.began(name)) == times, 30)

    async def trigger(self, identity: str = "e1") -> str:
        """Publish an event; the run that it starts."""
        await self.bus.publish_once(event_message(self.bus.subjects, event(identity)))
        return run_id(self.workflow, identity)

    async def state(self, run: str) -> RunState:
        """All that is known of a run."""
        return await read_run(self.bus, run) or RunState(run)

    async def outcome(self, run: str) -> str:
        """How a run ended, once it has."""
        found: list[RunState] = []

        async def has_ended() -> bool:
            found[:] = [await self.state(run)]
            return found[0].ended is not None

        await wait_until(has_ended, 30)
        assert found[0].ended is not None
        return found[0].ended.outcome

    async def failure(self, run: str) -> None:
        """Wait until a run has failed."""

        async def has_failed() -> bool:
            return (await self.state(run)).failed is not None

        await wait_until(has_failed, 30)

    async def ask(self, run: str, wish: Wish, by: str = "ada") -> SteerResult:
        """Have a run do something."""
        return await steer_run(self.bus, run, Asked(wish, by, "because"), datetime.now(UTC))


@pytest.fixture
async def stage(bus: Bus, nats_url: str, namespace: str, tmp_path: Path) -> AsyncIterator[Stage]:
    """A stage, and a dispatcher and an executor that play on it."""
    stage = Stage(bus, tmp_path)
    async with services(["dispatcher", "executor"], tmp_path, settings_for(nats_url, namespace), plan=stage.plan):
        yield stage


async def test_a_cancelled_run_ends_and_its_agent_is_killed_with_its_children(stage: Stage) -> None:
    run = await stage.trigger()
    await stage.has_begun("first")
    [[agent, child]] = stage.began("first")
    assert alive(agent)
    assert alive(child)
    result = await stage.ask(run, Cancel())
    assert isinstance(result.record, RunCancelled)
    assert await stage.outcome(run) == "cancelled"
    await wait_until(lambda: not alive(agent) and not alive(child), 3)
    ended = (await stage.state(run)).ended
    assert ended is not None
    assert (ended.by, ended.detail) == ("ada", "because")
    stage.cue(*STEPS)
    assert await stage.outcome(await stage.trigger("e2")) == "succeeded"
    assert (await stage.state(run)).steps == {}
    again = await stage.ask(run, Cancel())
    assert again.refused is not None
    assert "has ended (cancelled)" in again.refused.why


async def test_in_a_paused_run_nothing_new_begins_until_it_is_resumed(stage: Stage) -> None:
    stage.cue("second", "third")
    run = await stage.trigger()
    await stage.has_begun("first")
    assert isinstance((await stage.ask(run, Pause())).record, RunPaused)
    stage.cue("first")
    assert await stage.outcome(await stage.trigger("e2")) == "succeeded"
    assert (await stage.state(run)).step("first").results != ()
    assert len(stage.began("second")) == 1
    assert isinstance((await stage.ask(run, Resume())).record, RunResumed)
    assert await stage.outcome(run) == "succeeded"
    assert [len(stage.began(name)) for name in STEPS] == [2, 2, 2]


async def test_a_retry_that_became_due_in_a_pause_is_made_when_the_run_is_resumed(stage: Stage) -> None:
    stage.answers("first", "nonsense")
    stage.cue("first")
    run = await stage.trigger()
    await stage.has_begun("first")

    async def has_failed_once() -> bool:
        return len((await stage.state(run)).step("first").results) == 1

    await wait_until(has_failed_once)
    await stage.ask(run, Pause())
    stage.answers("first", {})
    fires = stage.bus.subjects.fire(run, "first", 0, 2)

    async def has_fired() -> bool:
        return await stage.bus.last(TIMERS, fires) is not None

    await wait_until(has_fired)
    assert len(stage.began("first")) == 1
    await stage.ask(run, Resume())
    stage.cue("second", "third")
    assert await stage.outcome(run) == "succeeded"
    assert len(stage.began("first")) == 2


async def test_what_failed_is_retried_with_edits_and_emits_anew(stage: Stage) -> None:
    stage.answers("first", {"output": {"n": 1}})
    stage.answers("second", "nonsense")
    stage.cue("first", "second")
    run = await stage.trigger()
    await stage.failure(run)
    assert len(stage.began("second")) == 2
    stage.answers("second", {"emits": {"Shown": [{"n": 5}]}})
    result = await stage.ask(run, Retry(None, {"event": {"title": "bang"}, "first": {"n": 7}}))
    assert isinstance(result.record, RunResumed)
    assert result.record.steps == ("second", "third")
    await stage.has_begun("third")
    assert "bang 7" in stage.prompt("second")
    assert len(await emitted(stage.bus)) == 1

    await stage.ask(run, Retry("second"))  # while the third step is under way
    [[third, _]] = stage.began("third")
    await wait_until(lambda: not alive(third), 3)
    stage.cue("third")
    assert await stage.outcome(run) == "succeeded"
    assert [len(stage.began(name)) for name in STEPS] == [1, 4, 2]
    assert len(await emitted(stage.bus)) == 2


async def emitted(bus: Bus) -> list[str]:
    """The subjects of all events that steps emitted."""
    return [message.subject async for message in bus.read(EVENTS, [bus.subjects.under("evt", "Shown", ">")])]


async def test_of_two_people_at_once_one_is_first_and_the_other_is_told(stage: Stage) -> None:
    run = await stage.trigger()
    await stage.has_begun("first")
    results = await asyncio.gather(*(stage.ask(run, Pause(), by=f"p{number}") for number in range(8)))
    [first] = [each for each in results if each.record is not None]
    assert first.record is not None
    told = {each.refused.why for each in results if each.refused is not None}
    assert told == {f"it was paused already, by {first.record.by}"}
    resumed = await asyncio.gather(*(stage.ask(run, Resume(), by=f"p{number}") for number in range(8)))
    assert sum(each.record is not None for each in resumed) == 1
    assert len(await stage.bus.last_each(RUNS, [stage.bus.subjects.every("resume", run)])) == 1


async def test_a_cancellation_and_a_completion_at_once_give_one_outcome(stage: Stage) -> None:
    stage.cue(*STEPS)
    runs = [await stage.trigger(f"e{number}") for number in range(6)]

    async def cancel_late(run: str) -> SteerResult:
        results = stage.bus.read(RUNS, [stage.bus.subjects.results(run, "second")], follow=True)
        async with asyncio.timeout(30), aclosing(results):
            await anext(results)
        return await stage.ask(run, Cancel())

    results = await asyncio.gather(*map(cancel_late, runs))
    for run, result in zip(runs, results, strict=True):
        outcome = await stage.outcome(run)
        assert outcome in ("succeeded", "cancelled")
        if outcome == "cancelled":
            assert result.record is not None
        ends = await stage.bus.last_each(RUNS, [stage.bus.subjects.end(run)])
        assert len(ends) == 1


@pytest.mark.alone
async def test_while_all_is_halted_no_attempt_begins_and_what_executes_ends(stage: Stage) -> None:
    run = await stage.trigger()
    await stage.has_begun("first")
    said, is_new = await change_control(stage.bus, "halt", None, "ada", "an outage", datetime.now(UTC))
    assert (said.halted, said.closed, is_new) == (True, False, True)
    stage.cue(*STEPS)

    async def first_is_done() -> bool:
        return (await stage.state(run)).step("first").results != ()

    await wait_until(first_is_done)
    second = await stage.trigger("e2")

    async def has_started() -> bool:
        return (await stage.state(second)).started is not None

    await wait_until(has_started)
    assert (len(stage.began("first")), len(stage.began("second"))) == (1, 0)
    began = asyncio.get_running_loop().time()
    await change_control(stage.bus, "resume", None, "ada", "", datetime.now(UTC))
    assert await stage.outcome(run) == "succeeded"
    assert await stage.outcome(second) == "succeeded"
    assert asyncio.get_running_loop().time() - began < 8


async def test_a_halted_workflow_waits_and_the_others_go_on(
    bus: Bus, nats_url: str, namespace: str, tmp_path: Path
) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    one, other = Stage(bus, tmp_path / "a"), Stage(bus, tmp_path / "b", "other")
    agents = {f"{name}-b": agent for name, agent in other.plan.agents.items()}
    steps = tuple(
        Step(each.name, each.path, f"{each.agent}-b", each.prose, each.after, output=each.output, emits=each.emits)
        for each in other.plan.workflows["other"].steps
    )
    plan = Plan(
        workflows={**one.plan.workflows, "other": Workflow("other", EventTrigger("Incident"), steps)},
        events=one.plan.events,
        agents={**one.plan.agents, **agents},
        sandboxes=one.plan.sandboxes,
    )
    await change_control(bus, "halt", "other", "ada", "", datetime.now(UTC))
    one.cue(*STEPS)
    other.cue(*STEPS)
    settings = settings_for(nats_url, namespace, slots=1)
    async with services(["dispatcher", "executor"], tmp_path, settings, plan=plan):
        runs = [await one.trigger(f"e{number}") for number in range(4)]
        assert [await one.outcome(run) for run in runs] == ["succeeded"] * 4
        assert other.began("first") == []
        await change_control(bus, "resume", "other", "ada", "", datetime.now(UTC))
        assert await other.outcome(run_id("other", "e0")) == "succeeded"


async def test_while_closed_events_stay_and_are_routed_once_it_is_opened(stage: Stage) -> None:
    await change_control(stage.bus, "close", None, "ada", "", datetime.now(UTC))
    stage.cue(*STEPS)
    run = await stage.trigger()
    with pytest.raises(AssertionError):
        await wait_until(lambda: stage.began("first") != [], 3)
    assert await read_run(stage.bus, run) is None
    await change_control(stage.bus, "open", None, "ada", "", datetime.now(UTC))
    assert await stage.outcome(run) == "succeeded"


async def test_two_people_change_what_holds_and_neither_undoes_the_other(bus: Bus) -> None:
    now = datetime.now(UTC)
    wishes = [("halt", None), ("close", None), ("halt", "play"), ("halt", "sell")] * 4
    results = await asyncio.gather(
        *(change_control(bus, change, workflow, f"p{n}", "", now) for n, (change, workflow) in enumerate(wishes))  # type: ignore[arg-type]  # constants
    )
    assert sum(is_new for _, is_new in results) == 4
    controls = await read_controls(bus)
    assert (controls.halted, controls.closed, sorted(controls.workflows)) == (True, True, ["play", "sell"])
    said, is_new = await change_control(bus, "resume", None, "eve", "", now)
    assert (said.halted, said.closed, is_new) == (False, True, True)
    assert (await change_control(bus, "open", "play", "eve", "", now))[1] is False
