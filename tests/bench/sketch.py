"""The engine's barest shape on plain nats-py: what JetStream and Python cost before anything is decided.

`python -m tests.bench.sketch dispatcher|executor URL`. For each step the dispatcher publishes one message that it is
ready, the executor one that it is done, on a subject of its own that must be empty. Both pull 256 at a time and publish
without waiting; a message is acknowledged once what follows from it is stored. There are no attempts, no leases, no
journal and nothing to decide, so no engine that has them is as fast.
"""

import asyncio
import contextlib
import sys
from collections.abc import Callable

import msgspec
import nats
import uvloop
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import TimeoutError as NothingCame
from nats.js import JetStreamContext
from nats.js.api import ConsumerConfig, RetentionPolicy, StreamConfig
from nats.js.errors import BadRequestError

from tests.bench.workload import STEPS, TEXT

BATCH = 256
UNANSWERED = 4_000
ACK_WAIT_S = 5  # nats-py's fetch leaves a message lying now and then: then it comes again
ENDS = "sketch.end.*"


class Passed(msgspec.Struct):
    """What is handed on: step `number` of a run is to be done, or was."""

    run: str
    number: int
    text: str


Follow = Callable[[Passed], tuple[str, Passed, dict[str, str]]]


async def provision(url: str) -> None:
    """Make the sketch's streams and consumers."""
    client = await nats.connect(url)
    context = client.jetstream()
    await context.add_stream(
        StreamConfig(name="READY", subjects=["sketch.ready"], retention=RetentionPolicy.WORK_QUEUE)
    )
    await context.add_stream(StreamConfig(name="FACTS", subjects=["sketch.fact.>", "sketch.end.>"]))
    for stream, subject in (("READY", "sketch.ready"), ("FACTS", "sketch.fact.>")):
        config = ConsumerConfig(
            durable_name=stream.lower(), filter_subject=subject, ack_wait=ACK_WAIT_S, max_ack_pending=20_000
        )
        await context.add_consumer(stream, config)
    await client.close()


def context_of(client: Client) -> JetStreamContext:
    """JetStream, with as many publishes unanswered as the sketch allows itself."""
    context: JetStreamContext = client.jetstream(timeout=20, publish_async_max_pending=UNANSWERED)
    return context


async def start(context: JetStreamContext, run: str) -> None:
    """Store a run's first fact. An answer that nats-py loses is asked for again."""
    stored = False
    while not stored:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(ACK_WAIT_S):
                await publish(context, f"sketch.fact.{run}.0", Passed(run, 0, TEXT), {"Nats-Msg-Id": f"{run}.0"})
                stored = True


async def publish(context: JetStreamContext, subject: str, passed: Passed, headers: dict[str, str]) -> None:
    """Store a message; returns when it is stored."""
    await (await context.publish_async(subject, _encode(passed), headers=headers))


def ready(fact: Passed) -> tuple[str, Passed, dict[str, str]]:
    """What the dispatcher publishes upon a fact: the next step is ready, or the run has ended."""
    if fact.number == STEPS:
        return f"sketch.end.{fact.run}", fact, {"Nats-Msg-Id": f"{fact.run}.end"}
    following = Passed(fact.run, fact.number + 1, fact.text)
    return "sketch.ready", following, {"Nats-Msg-Id": f"{fact.run}.{following.number}.ready"}


def done(step: Passed) -> tuple[str, Passed, dict[str, str]]:
    """What the executor publishes upon a step that is ready."""
    headers = {"Nats-Msg-Id": f"{step.run}.{step.number}", "Nats-Expected-Last-Subject-Sequence": "0"}
    return f"sketch.fact.{step.run}.{step.number}", step, headers


async def pump(context: JetStreamContext, stream: str, follow: Follow) -> None:
    """Turn each message of a stream into the one that follows from it, for ever."""
    pull = await context.pull_subscribe_bind(stream.lower(), stream, pending_msgs_limit=-1, pending_bytes_limit=-1)
    settling: set[asyncio.Task[None]] = set()

    async def settle(message: Msg) -> None:
        with contextlib.suppress(BadRequestError):  # it is there already: a message that came again
            await publish(context, *follow(_decode(message.data)))
        await message.ack()

    while True:
        with contextlib.suppress(NothingCame):
            for message in await pull.fetch(BATCH, timeout=2):
                task = asyncio.create_task(settle(message))
                settling.add(task)
                task.add_done_callback(settling.discard)


async def main(role: str, url: str) -> None:
    """Pump what a dispatcher or an executor would, until killed."""
    client = await nats.connect(url, pending_size=64 << 20)
    if role == "executor":
        await pump(context_of(client), "READY", done)
    else:
        await pump(context_of(client), "FACTS", ready)


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Passed).decode

if __name__ == "__main__":
    uvloop.run(main(*sys.argv[1:]))
