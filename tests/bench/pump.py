"""The floor of the engine: its durable messages on its own bus, with nothing decided in between.

`python -m tests.bench.pump dispatcher|executor URL`. Of a run of four steps these are sixteen: its event, route and
start, of each step the attempt, its lease and its result, and its end. Nine of them are consumed, and acknowledged once
what follows from them is stored. Payloads are as long as the engine's and say nothing.
"""

import asyncio
import sys
from collections.abc import Iterable

import uvloop

from loopy.bus.client import Bus
from loopy.bus.messages import Ack, Message, Outgoing, Verdict
from loopy.bus.streams import DISPATCHER_EVENTS, DISPATCHER_RUNS, executor_consumer
from tests.bench.workload import STEPS

NAMESPACE = "pump"
IN_FLIGHT = 256
POOL = "default"
# The engine's payloads, in bytes.
EVENT, ROUTED, START, ATTEMPT, LEASE, RESULT, END = 185, 290, 520, 960, 60, 1_100, 140


class Pump:
    """Turns each message into those that follow from it."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def start(self, run: str) -> None:
        """Store the event that starts a run."""
        await self._publish([(self._bus.subjects.event("Pump", run), EVENT)])

    async def on_event(self, message: Message) -> Verdict:
        """A run's route, its first fact and its first attempt."""
        run, subjects = message.subject.rpartition(".")[2], self._bus.subjects
        attempt = subjects.attempt(POOL, run, "1", 0, 1)
        return await self._publish(
            [(subjects.routed(run, run), ROUTED), (subjects.start(run), START), (attempt, ATTEMPT)]
        )

    async def on_attempt(self, message: Message) -> Verdict:
        """The attempt's lease and its result."""
        run, step = message.subject.split(".")[3:5]
        lease, result = self._bus.subjects.lease(run, step, 0, 1), self._bus.subjects.result(run, step, 0, 1)
        return await self._publish([(lease, LEASE), (result, RESULT)])

    async def on_fact(self, message: Message) -> Verdict:
        """After a result the next attempt, or the end of the run."""
        kind, run, step = message.subject.split(".")[2:5]
        if kind != "result":
            return Ack()
        if int(step) == STEPS:
            return await self._publish([(self._bus.subjects.end(run), END)])
        return await self._publish([(self._bus.subjects.attempt(POOL, run, str(int(step) + 1), 0, 1), ATTEMPT)])

    async def _publish(self, messages: Iterable[tuple[str, int]]) -> Verdict:
        for subject, size in messages:
            await self._bus.publish_once(Outgoing(subject, b"x" * size))
        return Ack()


async def main(role: str, url: str) -> None:
    """Pump what a dispatcher or an executor would, until killed."""
    bus = await Bus.connect(url, namespace=NAMESPACE, name=role)
    pump = Pump(bus)
    work = {
        "dispatcher": ((DISPATCHER_EVENTS, pump.on_event), (DISPATCHER_RUNS, pump.on_fact)),
        "executor": ((executor_consumer(POOL), pump.on_attempt),),
    }[role]
    stopping = asyncio.Event()
    await asyncio.gather(
        *(bus.consume(consumer, handler, in_flight=IN_FLIGHT, stopping=stopping) for consumer, handler in work)
    )


if __name__ == "__main__":
    uvloop.run(main(*sys.argv[1:]))
