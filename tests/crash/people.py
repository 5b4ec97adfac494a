"""People who steer runs while all else goes on: they write the facts that commands write, on a bus of their own."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from random import Random

from loopy.bus.client import Bus
from loopy.bus.codec import read_record, record_message
from loopy.bus.journal import read_run
from loopy.bus.streams import RUNS
from loopy.runs.records import (
    AttemptSucceeded,
    Data,
    Record,
    RunCancelled,
    RunFailed,
    RunPaused,
    RunResumed,
    RunStarted,
)
from loopy.runs.state import RunState
from tests.crash.expectations import AMENDED, Steered, steered

WHO = "somebody"
SOON_S = 1.0
PAUSED_S = 6.0

Say = Callable[[RunState], Record]


class People:
    """Each looks after one run. What they do follows from its number and the seed, when they do it from what happens.

    `mended` is where a file named after a run says that what made it fail is mended.
    """

    def __init__(self, bus: Bus, seed: int, mended: Path) -> None:
        self._bus = bus
        self._seed = seed
        self._mended = mended

    async def steer(self) -> None:
        """Follow what begins, and steer some of it; returns only when cancelled."""
        subjects = self._bus.subjects
        filters = [subjects.every("start"), subjects.every("failed"), subjects.results(step="join")]
        async with asyncio.TaskGroup() as group:
            async for message in self._bus.read(RUNS, filters, follow=True):
                group.create_task(self._see(read_record(message)))

    async def _see(self, record: Record) -> None:
        match record:
            case RunStarted(run=run, workflow="make"):
                match steered("make", record.event.data):
                    case Steered.CANCELLED:
                        await self._cancel(run)
                    case Steered.PAUSED:
                        await self._pause(run, ())
                    case Steered.PAUSED_AND_RETRIED:
                        await self._pause(run, ("left", "join", "polish", "crate"))
            case AttemptSucceeded(run=run, step="join", epoch=0):
                state = await read_run(self._bus, run)
                if state is not None and state.started is not None:
                    await self._joined(run, state.started.event.data)
            case RunFailed(run=run, workflow="refund", epoch=0):
                state = await read_run(self._bus, run)
                if state is not None and state.started is not None:
                    await self._failed(run, state.started.event.data)

    async def _joined(self, run: str, data: Data) -> None:
        if steered("make", data) is Steered.RETRIED:
            await self._resume(run, ("join", "polish", "crate"), {"split": {"fancy": False}})

    async def _failed(self, run: str, data: Data) -> None:
        await self._wait(run, SOON_S)
        match steered("refund", data):
            case Steered.MENDED:
                (self._mended / run).touch()
                await self._resume(run, ("hear", "answer"))
            case Steered.AMENDED:
                await self._resume(run, ("hear", "answer"), {"event": {"number": data["number"] + AMENDED}})
            case Steered.CANCELLED:
                await self._cancel(run)

    async def _cancel(self, run: str) -> None:
        await self._wait(run, SOON_S)
        await self._say(run, lambda state: RunCancelled(run, _workflow(state), _now(), WHO, "changed their mind"))

    async def _pause(self, run: str, steps: tuple[str, ...]) -> None:
        await self._wait(run, SOON_S)
        await self._say(run, lambda state: RunPaused(run, _workflow(state), state.epoch, _now(), WHO))
        await asyncio.sleep(PAUSED_S)
        await self._resume(run, steps)

    async def _resume(self, run: str, steps: tuple[str, ...], edits: dict[str, Data] | None = None) -> None:
        await self._say(
            run,
            lambda state: RunResumed(
                run, _workflow(state), state.epoch + 1, _now(), WHO, steps=steps, edits=edits or {}
            ),
        )

    async def _say(self, run: str, say: Say) -> None:
        """Record what follows from how the run stands; nothing once it has ended."""
        state = await read_run(self._bus, run)
        if state is not None and state.ended is None:
            await self._bus.publish_once(record_message(self._bus.subjects, say(state)))

    async def _wait(self, run: str, at_most_s: float) -> None:
        await asyncio.sleep(Random(f"{self._seed}-{run}").uniform(0, at_most_s))


def _workflow(state: RunState) -> str:
    return state.started.workflow if state.started is not None else ""


def _now() -> datetime:
    return datetime.now(UTC)
