"""What is left when everything has calmed down: every message of every stream, read by plain means, and the notes.

Nothing of Loopy is used to read it, so that a mistake there cannot hide one elsewhere.
"""

import asyncio
import json
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import msgspec
import nats
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig

from tests.crash.processes import Blow, Exit

STREAMS = ("EVT", "DELIVERY", "RUN", "ATTEMPT", "DEAD")
BESIDES = ("TIMER",)
BATCH = 500
QUIET_S = 1.0
PATIENCE_S = 30.0
PAUSE_S = 0.5

AttemptOf: TypeAlias = tuple[str, str, int, int]  # run, step, epoch, number
T = TypeVar("T")


class Stored(msgspec.Struct, frozen=True):
    """A stored message: `subject` without the namespace, `at_s` its time in the stream, seconds since 1970."""

    stream: str
    sequence: int
    subject: str
    headers: dict[str, str]
    payload: bytes
    at_s: float

    @property
    def tokens(self) -> list[str]:
        """The subject's tokens."""
        return self.subject.split(".")

    @property
    def json(self) -> Any:
        """The payload."""
        return json.loads(self.payload)


class Execution(msgspec.Struct, frozen=True):
    """One execution of the agent's program: of which attempt, by which executor's process, begun when."""

    run: str
    step: str
    epoch: int
    attempt: int
    executor: int
    program: int
    at_s: float

    @property
    def life(self) -> tuple[str, str, int]:
        """Of which step in which epoch."""
        return (self.run, self.step, self.epoch)

    @property
    def attempt_of(self) -> AttemptOf:
        """Of which attempt."""
        return (*self.life, self.attempt)

    @property
    def answers_by(self) -> str:
        """How its answer is signed."""
        return f"{self.executor}-{self.program}"


class Stall(msgspec.Struct, frozen=True):
    """From when until when this process, which had something to do, could not."""

    begun_s: float
    ended_s: float


class Evidence(msgspec.Struct, frozen=True):
    """All that is known of a campaign.

    `accepted` are the numbers of the deliveries that were answered with a 2xx; `leases` are all that was seen of them
    while it went on, since the stream keeps the last of each; `schedules_since` is the instant (seconds since 1970)
    from which the schedules' due times were open; `booted_at` is when the machine's own clock, by which executions and
    blows are noted, was at 0; `stalls` are when the machine had no time for a process that wanted it.
    """

    accepted: frozenset[int]
    messages: tuple[Stored, ...]
    executions: tuple[Execution, ...]
    leases: tuple[Stored, ...]
    blows: tuple[Blow, ...]
    exits: tuple[Exit, ...]
    schedules_since: int
    booted_at: float
    stalls: tuple[Stall, ...] = ()

    def of(self, *prefix: str) -> list[Stored]:
        """The messages whose subjects begin with these tokens, in the order of their stream."""
        wanted = [token for part in prefix for token in part.split(".")]
        return [message for message in self.messages if message.tokens[: len(wanted)] == wanted]

    def by_subject(self) -> dict[str, list[Stored]]:
        """Every message, by its subject."""
        found: dict[str, list[Stored]] = defaultdict(list)
        for message in self.messages:
            found[message.subject].append(message)
        return found


async def read_messages(url: str, namespace: str) -> tuple[Stored, ...]:
    """Every message of the namespace's streams."""

    async def read(js: JetStreamContext) -> tuple[Stored, ...]:
        return tuple([message for stream in STREAMS for message in await _read_stream(js, namespace, stream)])

    return await _asked(url, read)


async def busy_consumers(url: str, namespace: str) -> list[str]:
    """The consumers that still have something to deliver, or wait for an acknowledgement."""

    async def read(js: JetStreamContext) -> list[str]:
        names = [f"{namespace.upper()}_{stream}" for stream in (*STREAMS, *BESIDES)]
        found = [consumer for name in names for consumer in await js.consumers_info(name)]
        return [info.name for info in found if info.num_pending or info.num_ack_pending]

    return await _asked(url, read)


async def _asked(url: str, read: Callable[[JetStreamContext], Awaitable[T]]) -> T:
    """What `read` gives, tried for a while: servers that have just been hurt may not answer yet."""
    deadline = asyncio.get_running_loop().time() + PATIENCE_S
    while True:
        client = await nats.connect(url.split(","))
        try:
            return await read(client.jetstream())
        except nats.errors.Error:
            if asyncio.get_running_loop().time() > deadline:
                raise
        finally:
            await client.close()
        await asyncio.sleep(PAUSE_S)


def read_executions(notes: Path) -> tuple[Execution, ...]:
    """What the agent's program noted."""
    lines = notes.read_text().splitlines() if notes.exists() else []
    return tuple(_execution(*line.split()) for line in lines)


def _execution(run: str, step: str, epoch: str, attempt: str, executor: str, program: str, at: str) -> Execution:
    return Execution(run, step, int(epoch), int(attempt), int(executor), int(program), float(at))


async def _read_stream(js: JetStreamContext, namespace: str, stream: str) -> Iterable[Stored]:
    name = f"{namespace.upper()}_{stream}"
    last = (await js.stream_info(name)).state.last_seq
    config = ConsumerConfig(ack_policy=AckPolicy.NONE, inactive_threshold=30)
    consumer = await js.add_consumer(name, config)
    subscription = await js.pull_subscribe_bind(consumer=consumer.name, stream=name)
    found: list[Stored] = []
    while last and (not found or found[-1].sequence < last):
        for message in await subscription.fetch(BATCH, timeout=QUIET_S):
            about = message.metadata
            subject = message.subject.removeprefix(f"{namespace}.")
            headers = dict(message.headers or {})
            found.append(
                Stored(stream, about.sequence.stream, subject, headers, message.data, about.timestamp.timestamp())
            )
    await js.delete_consumer(name, consumer.name)
    return found
