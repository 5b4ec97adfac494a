"""The floor of the engine: the same durable messages, pumped by plain nats-py with nothing decided in between.

`python -m tests.bench.pump dispatcher|executor URL`. Each process pulls as many messages as there are, publishes what
follows from each and acknowledges it then. Publishing expects an empty subject, as the engine's does; payloads are as
long as the engine's and say nothing.
"""

import asyncio
import contextlib
import sys
from collections.abc import Callable

import nats
import uvloop
from nats.aio.msg import Msg
from nats.errors import TimeoutError as NothingCame
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, StreamConfig

from tests.bench.workload import STEPS

BATCH = 256
EMPTY = {"Nats-Expected-Last-Subject-Sequence": "0"}
STREAMS = {"EVENTS": "pump.event.>", "RUNS": "pump.run.>", "ATTEMPTS": "pump.attempt.>"}
CONSUMERS = (
    ("EVENTS", "events", ["pump.event.>"]),
    ("RUNS", "runs", ["pump.run.start.>", "pump.run.done.>", "pump.run.end.>"]),
    ("ATTEMPTS", "attempts", ["pump.attempt.>"]),
)
ENDS = "pump.run.end.*"
# The engine's payloads, in bytes.
EVENT, ROUTED, START, ATTEMPT, DONE, END = 185, 290, 520, 960, 480, 140

Follow = Callable[[list[str]], list[tuple[str, int]]]


async def provision(url: str) -> None:
    """Make the floor's streams and consumers."""
    client = await nats.connect(url)
    context = client.jetstream()
    for name, subject in STREAMS.items():
        await context.add_stream(StreamConfig(name=name, subjects=[subject]))
    for stream, name, filters in CONSUMERS:
        config = ConsumerConfig(
            durable_name=name, filter_subjects=filters, ack_policy=AckPolicy.EXPLICIT, max_ack_pending=20_000
        )
        await context.add_consumer(stream, config)
    await client.close()


async def start(context: JetStreamContext, run: str) -> None:
    """Store the event that starts a run."""
    await (await context.publish_async(f"pump.event.{run}", b"x" * EVENT, headers=dict(EMPTY)))


def after_event(tokens: list[str]) -> list[tuple[str, int]]:
    """A run's route and its first fact: (subject, bytes) of each message."""
    return [(f"pump.run.routed.{tokens[2]}", ROUTED), (f"pump.run.start.{tokens[2]}", START)]


def after_fact(tokens: list[str]) -> list[tuple[str, int]]:
    """The next attempt, or the end of the run; nothing after that."""
    match tokens[2:]:
        case ["start", run]:
            return [(f"pump.attempt.{run}.1", ATTEMPT)]
        case ["done", run, number] if int(number) < STEPS:
            return [(f"pump.attempt.{run}.{int(number) + 1}", ATTEMPT)]
        case ["done", run, _]:
            return [(f"pump.run.end.{run}", END)]
        case _:
            return []


def after_attempt(tokens: list[str]) -> list[tuple[str, int]]:
    """The attempt's result."""
    return [(f"pump.run.done.{tokens[2]}.{tokens[3]}", DONE)]


async def pump(context: JetStreamContext, stream: str, consumer: str, follow: Follow) -> None:
    """Turn each message of a consumer into those that follow from it, for ever."""
    pull = await context.pull_subscribe_bind(consumer, stream, pending_msgs_limit=-1, pending_bytes_limit=-1)
    settling: set[asyncio.Task[None]] = set()

    async def settle(message: Msg) -> None:
        for subject, size in follow(message.subject.split(".")):
            await (await context.publish_async(subject, b"x" * size, headers=dict(EMPTY)))
        await message.ack()

    while True:
        with contextlib.suppress(NothingCame):
            for message in await pull.fetch(BATCH, timeout=5):
                task = asyncio.create_task(settle(message))
                settling.add(task)
                task.add_done_callback(settling.discard)


async def main(role: str, url: str) -> None:
    """Pump what a dispatcher or an executor would, until killed."""
    client = await nats.connect(url, pending_size=16 << 20)
    context = client.jetstream()
    if role == "executor":
        await pump(context, "ATTEMPTS", "attempts", after_attempt)
    else:
        await asyncio.gather(pump(context, "EVENTS", "events", after_event), pump(context, "RUNS", "runs", after_fact))


if __name__ == "__main__":
    uvloop.run(main(*sys.argv[1:]))
