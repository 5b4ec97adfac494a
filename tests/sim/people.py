"""People who have runs pause, go on, begin again and end, at moments that a seed draws.

They write their facts as the commands do: they read how a run stands, and the first writer of a fact wins.
"""

import asyncio
import random

from loopy.bus.client import Bus
from loopy.bus.codec import read_record, record_message
from loopy.bus.journal import read_run
from loopy.bus.streams import RUNS
from loopy.clock import Clock
from loopy.compiler.plan import Plan, Workflow
from loopy.runs.records import RunCancelled, RunPaused, RunResumed, RunStarted
from loopy.runs.standing import Standing, standings
from loopy.runs.state import RunState

EVERY_S = (1.0, 12.0)
MOST_RESUMED = 4


class People:
    """Those who steer the runs of one simulation; `cancelling` is how often who steers a run cancels it."""

    def __init__(self, bus: Bus, plan: Plan, clock: Clock, rng: random.Random, cancelling: float) -> None:
        self._bus = bus
        self._plan = plan
        self._clock = clock
        self._rng = rng
        self._cancelling = cancelling
        self._left: set[str] = set()

    async def meddle(self) -> None:
        """Do something to some run, now and then, for ever."""
        while True:
            await asyncio.sleep(self._rng.uniform(*EVERY_S))
            runs = await self._runs()
            state = await read_run(self._bus, self._rng.choice(runs)) if runs else None
            if state is not None and state.started is not None and state.ended is None:
                await self._steer(state, state.started)

    async def tidy_up(self) -> bool:
        """Resume what is paused, and some of what failed, but none for ever; whether there was anything to do."""
        resumed = False
        for run in await self._runs():
            state = await read_run(self._bus, run)
            if state is None or state.started is None or state.ended is not None or run in self._left:
                continue
            if state.failed is not None and (state.epoch >= MOST_RESUMED or self._rng.random() < 0.5):
                self._left.add(run)
            elif state.failed is not None or state.paused is not None:
                resumed = True
                await self._resume(state, state.started)
        return resumed

    async def _runs(self) -> list[str]:
        messages = await self._bus.last_each(RUNS, [self._bus.subjects.every("start")])
        return [record.run for record in map(read_record, messages) if isinstance(record, RunStarted)]

    async def _steer(self, state: RunState, started: RunStarted) -> None:
        mood = self._rng.random()
        if mood < self._cancelling:
            await self._write(RunCancelled(state.run, started.workflow, self._clock.now(), "ann", "not wanted"))
        elif state.failed is not None or (state.paused is not None and mood < 0.8):
            if state.epoch < MOST_RESUMED:
                await self._resume(state, started)
        elif mood < 0.7:
            await self._write(RunPaused(state.run, started.workflow, state.epoch, self._clock.now(), "bob"))

    async def _resume(self, state: RunState, started: RunStarted) -> None:
        """Have a run go on from where it failed, or from further up, the one or other value put right before."""
        workflow = self._plan.workflows[started.workflow]
        stands = {name: step.standing for name, step in standings(workflow, state).items()}
        again = {name for name, standing in stands.items() if standing is Standing.FAILED}
        if state.failed is not None and self._rng.random() < 0.4:
            again.add(self._rng.choice([name for name, standing in stands.items() if standing.is_settled]))
        steps = _with_all_after(workflow, again)
        before = [n for n, standing in stands.items() if standing is Standing.SUCCEEDED and n not in steps]
        edits = {
            name: {"n": self._rng.randint(0, 9)} for name in ("event", *before) if steps and self._rng.random() < 0.3
        }
        if workflow.name == "cron":
            edits.pop("event", None)
        now, epoch = self._clock.now(), state.epoch + 1
        await self._write(RunResumed(state.run, started.workflow, epoch, now, "cid", "again", steps, edits))

    async def _write(self, fact: RunPaused | RunResumed | RunCancelled) -> None:
        await self._bus.publish_once(record_message(self._bus.subjects, fact))


def _with_all_after(workflow: Workflow, steps: set[str]) -> tuple[str, ...]:
    """These steps and all that come after any of them."""
    found = set(steps)
    for step in workflow.steps:
        if found.intersection(step.after):
            found.add(step.name)
    return tuple(step.name for step in workflow.steps if step.name in found)
