"""The topology as data: every stream and consumer of a namespace. `client.Bus.provision` makes the server agree.

All streams keep by limits and refuse what does not fit (`discard: new`): a full stream is an error upstream, never a
silent loss. The server allows no such refusal where messages are scheduled, so timers have no limit of size. Archives
are the exception that makes this bearable: a full stream of them gives up its oldest, so that the others can always be
relieved of runs that have ended. So does the ledger of what was spent, of which only the newest counts: it is no reason
to stop. Consumers only trigger; no correctness depends on acks, delivery counts or the window
of duplicates. What a consumer selects it selects below `replay`, too: there lie dead letters that were put back for it.
"""

from typing import Any, Literal, TypeAlias

import msgspec

from loopy.bus.subjects import Subjects

DAY_S = 86_400
# The backstop: ended runs are archived and deleted long before (`LOOPY_KEEP_DAYS`).
KEEP_S = 90 * DAY_S
DELIVERIES_KEEP_S = 7 * DAY_S
ARCHIVES_KEEP_S = 365 * DAY_S
MIB = 1 << 20
# What an acknowledged message survives: the death of any process, or the loss of the machine's power as well.
Durability: TypeAlias = Literal["process", "power-loss"]
UNLIMITED = -1
FOR_EVER = 0
ACK_WAIT_S = 30
# An executor that is gone is missed after so long; how long it is waited for then is what its lease says.
EXECUTOR_ACK_WAIT_S = 2
MAX_ACK_PENDING = 20_000


class Stream(msgspec.Struct, frozen=True):
    """A stream: `name` as in `<NAMESPACE>_<NAME>`, the prefixes below the namespace, and what is peculiar to it.

    `max_bytes` is set aside on the server from the start: a namespace takes 13.4 GiB of what JetStream may use.
    """

    name: str
    prefixes: tuple[str, ...]
    max_bytes: int
    keep_s: int = KEEP_S
    options: dict[str, Any] = {}


class Consumer(msgspec.Struct, frozen=True):
    """A durable pull consumer: who reads which prefixes of which stream.

    A message that is neither acknowledged nor extended within `ack_wait_s` is delivered again.
    """

    name: str
    stream: str
    prefixes: tuple[str, ...]
    ack_wait_s: float = ACK_WAIT_S


EVENTS = Stream("EVT", ("evt", "firing", "replay.evt", "replay.firing"), 1536 * MIB)
DELIVERIES = Stream("DELIVERY", ("delivery", "failed", "replay.delivery"), 2048 * MIB, DELIVERIES_KEEP_S)
# A fact is written once. That holds for a stranger as well, who does not ask for it.
RUNS = Stream(
    "RUN", ("run", "replay.run"), 2048 * MIB, options={"max_msgs_per_subject": 1, "discard_new_per_subject": True}
)
ATTEMPTS = Stream("ATTEMPT", ("attempt", "replay.attempt"), 1536 * MIB)
TIMERS = Stream(
    "TIMER",
    ("timer", "fire", "replay.fire"),
    UNLIMITED,
    options={"discard": "old", "allow_msg_schedules": True, "allow_msg_ttl": True},
)
PLANS = Stream("PLAN", ("plan",), 256 * MIB, FOR_EVER, options={"max_msgs_per_subject": 1})
# A lease is kept as long as its attempt: that there is none says that nobody ever began it.
LEASES = Stream("LEASE", ("lease",), 1024 * MIB, options={"max_msgs_per_subject": 1, "allow_msg_ttl": True})
# The newest of a slot holds; the one before it is for when that is nonsense. One that nobody is in is forgotten.
SLOTS = Stream("SLOT", ("slot",), 64 * MIB, FOR_EVER, options={"max_msgs_per_subject": 2, "allow_msg_ttl": True})
# Nearly two million paid attempts: what counts is those of two days, and of cascades that are not over.
SPENDING = Stream("SPEND", ("spend",), 512 * MIB, options={"discard": "old"})
CONTROL = Stream("CONTROL", ("control", "key"), 64 * MIB, FOR_EVER)
DEAD = Stream("DEAD", ("dead", "settled"), 512 * MIB)
# Kept a day longer than any message that claims one.
BLOBS = Stream("BLOB", ("blob",), 2048 * MIB, KEEP_S + DAY_S)
ARCHIVES = Stream("ARCHIVE", ("archive",), 2048 * MIB, ARCHIVES_KEEP_S, {"discard": "old", "compression": "s2"})
STREAMS = (EVENTS, DELIVERIES, RUNS, ATTEMPTS, TIMERS, PLANS, LEASES, SLOTS, SPENDING, CONTROL, DEAD, BLOBS, ARCHIVES)
OUTLASTING_BLOBS = tuple(stream for stream in STREAMS if stream.keep_s == FOR_EVER or stream.keep_s > BLOBS.keep_s)

# What lies below these prefixes is shown to nobody.
SECRET = ("key",)

DISPATCHER_EVENTS = Consumer("dispatcher-events", "EVT", ("evt", "firing.cron", "replay.evt", "replay.firing.cron"))
DISPATCHER_RUNS = Consumer(
    "dispatcher-runs", "RUN", ("run.result", "run.admit", "run.resume", "run.cancel", "replay.run")
)
DISPATCHER_TIMERS = Consumer("dispatcher-timers", "TIMER", ("fire", "replay.fire"))
INGRESS_DELIVERIES = Consumer("ingress-deliveries", "DELIVERY", ("delivery", "replay.delivery"))
INGRESS_POLLS = Consumer("ingress-polls", "EVT", ("firing.poll", "replay.firing.poll"))
CONSUMERS = (DISPATCHER_EVENTS, DISPATCHER_RUNS, DISPATCHER_TIMERS, INGRESS_DELIVERIES, INGRESS_POLLS)


def executor_consumer(pool: str) -> Consumer:
    """The consumer that the executors of a pool share."""
    return Consumer(f"executor-{pool}", "ATTEMPT", (f"attempt.{pool}", f"replay.attempt.{pool}"), EXECUTOR_ACK_WAIT_S)


# What follows from facts is not awaited on the disk, where facts are: each would cost as much as a fact does.
_WRITTEN_SOON = (ATTEMPTS, LEASES)


def stream_name(subjects: Subjects, stream: Stream | str) -> str:
    """The stream's name on the server: it contains the namespace."""
    name = stream if isinstance(stream, str) else stream.name
    return f"{subjects.namespace.upper()}_{name}"


def stream_config(
    subjects: Subjects, stream: Stream, replicas: int = 1, durability: Durability = "process"
) -> dict[str, Any]:
    """The stream's configuration, as the JetStream API takes it."""
    config: dict[str, Any] = {
        "name": stream_name(subjects, stream),
        "subjects": [subjects.under(prefix, ">") for prefix in stream.prefixes],
        "retention": "limits",
        "storage": "file",
        "num_replicas": replicas,
        "discard": "new",
        "max_age": stream.keep_s * 1_000_000_000,
        "max_bytes": stream.max_bytes,
        "allow_direct": True,
        "duplicate_window": 120 * 1_000_000_000,
        **stream.options,
    }
    if durability == "power-loss" and replicas == 1 and stream in _WRITTEN_SOON:
        config["persist_mode"] = "async"
    if stream is EVENTS:
        config["republish"] = {"src": subjects.under("evt", ">"), "dest": subjects.under("tap", "evt", ">")}
    return config


def consumer_name(subjects: Subjects, consumer: Consumer) -> str:
    """The consumer's name on the server: it contains the namespace."""
    return f"{subjects.namespace}-{consumer.name}"


def consumer_config(subjects: Subjects, consumer: Consumer) -> dict[str, Any]:
    """The consumer's configuration, as the JetStream API takes it."""
    return {
        "durable_name": consumer_name(subjects, consumer),
        "name": consumer_name(subjects, consumer),
        "filter_subjects": [subjects.under(prefix, ">") for prefix in consumer.prefixes],
        "ack_policy": "explicit",
        "deliver_policy": "all",
        "replay_policy": "instant",
        "ack_wait": int(consumer.ack_wait_s * 1_000_000_000),
        "max_deliver": -1,
        "max_ack_pending": MAX_ACK_PENDING,
    }
