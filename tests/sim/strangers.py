"""Strangers who write into journals what does not belong there, at moments that a seed draws.

`garbage` takes the place of a result, so that the attempt counts as failed; `forged` is a result that nobody worked
out, and what it carries is a lie; `nowhere` is one of a run that never was.
"""

import asyncio
import random
from typing import Literal, TypeAlias

import msgspec

from loopy.bus.codec import record_message
from loopy.bus.memory.server import MemoryServer
from loopy.bus.streams import ATTEMPTS, RUNS, stream_name
from loopy.clock import Clock
from loopy.runs.records import AttemptRequested, AttemptSucceeded, Carried
from tests.sim.history import History

Lie: TypeAlias = Literal["garbage", "forged", "nowhere"]
LIES: tuple[Lie, ...] = ("garbage", "forged", "forged", "nowhere")
EVERY_S = (2.0, 15.0)


class Strangers:
    """Those who lie in one simulation, each time where nothing has been written yet."""

    def __init__(self, server: MemoryServer, clock: Clock, rng: random.Random, history: History) -> None:
        self._attempts = server.streams[stream_name(history.subjects, ATTEMPTS)]
        self._runs = server.streams[stream_name(history.subjects, RUNS)]
        self._clock = clock
        self._rng = rng
        self._history = history

    async def meddle(self) -> None:
        """Lie about some attempt, now and then, for ever."""
        while True:
            await asyncio.sleep(self._rng.uniform(*EVERY_S))
            asked = list(self._attempts.messages.values())[-5:]
            if asked:
                request = msgspec.json.decode(self._rng.choice(asked).payload, type=AttemptRequested)
                self._lie(request, self._rng.choice(LIES))

    def _lie(self, request: AttemptRequested, lie: Lie) -> None:
        now = self._clock.now()
        event = msgspec.structs.replace(request.event, data={"n": 1000})
        inputs = {name: output and {"n": 1000} for name, output in request.inputs.items()}
        run = "0" * 24 if lie == "nowhere" else request.run
        success = AttemptSucceeded(
            run, request.workflow, request.step, request.attempt, "stranger", now, now, {"n": 3}, epoch=request.epoch,
            carried=Carried(request.plan, event, inputs, "0" * 24),
        )  # fmt: skip
        message = record_message(self._history.subjects, success)
        if self._runs.last(message.subject) is None:
            self._history.lies[self._runs.last_sequence + 1] = lie
            self._runs.store(message.subject, b"{" if lie == "garbage" else message.payload, {}, now)
