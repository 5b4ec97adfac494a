"""Agents as they are: slow at times, failing at times, never answering the same twice."""

import asyncio
import random
from zlib import crc32

from loopy.agents.harness import Assignment, Harness, HarnessError, Reply
from loopy.agents.installed import Runtimes
from loopy.runs.records import AttemptRequested, Usage
from loopy.sandboxes.provider import SandboxSession
from tests.sim.entries import Execution
from tests.sim.history import History

LONGER_THAN_ACK_WAIT_S = (35.0, 70.0)


class SimulatedAgent:
    """The agent of one executor. Everything it does follows from the seed, and is written into the history."""

    needs_sandbox = False

    def __init__(self, process: str, rng: random.Random, history: History, failing: float, slow: float) -> None:
        self._process = process
        self._rng = rng
        self._history = history
        self._failing = failing
        self._slow = slow

    async def run(self, assignment: Assignment, sandbox: SandboxSession | None) -> Reply:
        """Answer after a while, or fail."""
        asked, loop = assignment.attempt, asyncio.get_running_loop()
        execution = Execution(self._process, asked.run, asked.step, asked.epoch, asked.attempt, loop.time())
        self._history.executions.append(execution)
        answer = self._answer(assignment)
        try:
            await asyncio.sleep(self._takes_s())
        except asyncio.CancelledError:
            execution.stopped = loop.time()
            raise
        execution.ended = loop.time()
        if isinstance(answer, HarnessError):
            raise answer
        return answer

    def _takes_s(self) -> float:
        if self._rng.random() < self._slow:
            return self._rng.uniform(*LONGER_THAN_ACK_WAIT_S)
        return self._rng.uniform(0.01, 3.0) if self._rng.random() < 0.8 else self._rng.uniform(4.0, 12.0)

    def _answer(self, assignment: Assignment) -> Reply | HarnessError:
        usage = Usage(spend_usd=_spend_of(assignment.attempt))
        if self._rng.random() < self._failing:
            retryable = self._rng.random() < 0.8
            return HarnessError("no_answer", "it did not feel like it", retryable=retryable, usage=usage)
        output = {"n": self._rng.randint(0, 9) if self._rng.random() > self._failing / 3 else "a lot"}
        emits = {emission.event: self._payloads() for emission in assignment.step.emits}
        return Reply(output, emits, usage)

    def _payloads(self) -> list[dict[str, int]]:
        return [{"n": self._rng.randint(0, 9)} for _ in range(self._rng.randint(0, 2))]


def _spend_of(attempt: AttemptRequested) -> float:
    """What an attempt costs: nothing, or up to half a dollar; the same, however often it is executed."""
    whose = f"{attempt.run} {attempt.step} {attempt.epoch} {attempt.attempt}"
    return max(0, crc32(whose.encode()) % 9 - 3) / 10


class OneRuntime(Runtimes):
    """Has one harness, whatever is asked for."""

    def __init__(self, harness: Harness) -> None:
        super().__init__()
        self._harness = harness

    def get(self, name: str) -> Harness:
        """The one."""
        return self._harness
