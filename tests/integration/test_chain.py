"""A chain of steps goes from its event to its end without any look at its journal."""

from pathlib import Path

import nats
from nats.aio.msg import Msg

from loopy.bus.client import Bus
from loopy.bus.cloudevents import event_message
from loopy.bus.streams import RUNS, stream_name
from loopy.compiler.plan import Agent, Plan
from tests.support.engine import finished_cascade
from tests.support.facts import event, step, workflow
from tests.support.services import services, settings_for

CHAIN = workflow(step("a"), step("b", "a"), step("c", "b"), step("d", "c"))
PLAN = Plan(
    workflows={"w": CHAIN}, events={"Incident": {"title": "str"}}, agents={"A": Agent("A", "anthropic", model="none")}
)
RUNS_AT_ONCE = 20


async def test_no_journal_is_read_of_a_chain(bus: Bus, nats_url: str, namespace: str, tmp_path: Path) -> None:
    reads: list[bytes] = []

    async def note(message: Msg) -> None:
        reads.append(message.data)

    settings = settings_for(nats_url, namespace, rehearse=True)
    async with services(["dispatcher", "dispatcher", "executor"], tmp_path, settings, plan=PLAN):
        watcher = await nats.connect(nats_url)
        await watcher.subscribe(f"$JS.API.DIRECT.GET.{stream_name(bus.subjects, RUNS)}", cb=note)
        await watcher.flush()
        ends = bus.read(RUNS, [bus.subjects.end("*")], follow=True)
        for number in range(RUNS_AT_ONCE):
            await bus.publish_once(event_message(bus.subjects, event(f"e{number}")))
        for _ in range(RUNS_AT_ONCE):
            await anext(ends)
        await ends.aclose()
        await watcher.flush()
        assert reads == []
        await watcher.close()
    cascades = [await finished_cascade(bus, f"e{number}") for number in range(RUNS_AT_ONCE)]
    assert [run.outcome for cascade in cascades for run in cascade.runs] == ["succeeded"] * RUNS_AT_ONCE
