"""Consuming: messages are handled side by side, and what becomes of each is done here and nowhere else."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import assert_never

import msgspec

from loopy.bus.collapse import IN_A_ROW, WITHIN_S, Losses, told
from loopy.bus.dead import DeadMessage
from loopy.bus.errors import BusError, EverythingFails, MessageTooLarge
from loopy.bus.incoming import consumed, place_of
from loopy.bus.messages import Ack, DeadLetter, Handler, Message, RetryAfter, Verdict
from loopy.bus.pull import Pull
from loopy.bus.replaying import original_of
from loopy.bus.streams import Consumer, consumer_name, stream_name
from loopy.bus.subjects import Subjects
from loopy.bus.transport import Transport
from loopy.bus.undecodable import Undecodable
from loopy.bus.wire import Arrived
from loopy.bus.workers import Workers

MOST_FAILURES = 10
FIRST_RETRY_S = 0.25
LONGEST_RETRY_S = 60.0
TICK_S = 0.25
UNSETTLED_RETRY_S = 5.0
REFUSED_S = 30.0
MOST_COUNTED = 20_000

ACK, NAK, IN_PROGRESS = b"+ACK", b"-NAK", b"+WPI"

_log = logging.getLogger("loopy.bus")

Bury = Callable[[DeadMessage], Awaitable[None]]


class _InHand(msgspec.Struct):
    """A message that is being handled. `extended_at` is when the server was last told so, in the loop's time.

    `original` is what the handler is given: of a dead letter that was put back, the message that it was made of.
    `reply` is where to answer its latest delivery: a server that was restarted delivers what we still work on again.
    """

    message: Message
    original: Message
    reply: str
    extended_at: float


def after_failure(error: BaseException, failures: int) -> Verdict:
    """What becomes of a message whose handler raised so often: again, ever later; a dead letter when it never helped.

    Those of this process count, not deliveries: a message may have been held back many times, here or elsewhere.
    """
    if failures >= MOST_FAILURES:
        return DeadLetter("handler_failed", f"{type(error).__name__}: {error}")
    return RetryAfter(min(FIRST_RETRY_S * 2 ** max(0, failures - 1), LONGEST_RETRY_S))


class Consumption:
    """One consumer being consumed by one handler, at most `in_flight` messages at once."""

    def __init__(
        self,
        connection: Transport,
        subjects: Subjects,
        consumer: Consumer,
        handler: Handler,
        *,
        in_flight: int,
        bury: Bury,
    ) -> None:
        self._connection = connection
        self._subjects = subjects
        self._consumer = consumer
        self._handler = handler
        self._in_flight = in_flight
        self._bury = bury
        self._in_hand: dict[int, _InHand] = {}
        self._waits: dict[int, int] = {}
        self._failures: dict[int, int] = {}
        self._stopping = False
        self._extension: asyncio.TimerHandle | None = None
        self._workers = Workers(self._process)
        self._losses = Losses()
        name = consumer_name(subjects, consumer)
        self._pull = Pull(connection, stream_name(subjects, consumer.stream), name, self._receive)

    @property
    def consumer(self) -> Consumer:
        """What is consumed."""
        return self._consumer

    @property
    def bound(self) -> bool:
        """Whether the server serves this consumer, as far as is known."""
        return not self._pull.refused_s

    async def run(self, stopping: asyncio.Event, grace_s: float) -> None:
        """Consume until `stopping` is set, then let handlers finish within the grace and give the rest back."""
        try:
            await self._pull.start(lambda: self._in_flight - len(self._in_hand))
            while not stopping.is_set():
                self._connection.check_open()
                self._check_alive()
                self._check_use()
                await self._pull.renew()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(TICK_S):
                        await stopping.wait()
        except asyncio.CancelledError:
            grace_s = 0
            raise
        finally:
            await self._finish(grace_s)

    def _check_alive(self) -> None:
        """BusError when the server has refused every request for long: whoever starts anew makes the consumer again."""
        if self._connection.connected and self._pull.refused_s > REFUSED_S:
            raise BusError(
                f"consumer {self._consumer.name} has given nothing for {REFUSED_S:g} s ({self._pull.refusal}): was it,"
                " or its stream, deleted? It is made again at the next start"
            )

    def _check_use(self) -> None:
        """EverythingFails when no message can be processed: the rest is better left in the stream."""
        if self._losses.are_all:
            raise EverythingFails(
                f"consumer {self._consumer.name} stops: its last {IN_A_ROW} messages could not be processed, all within"
                f" {WITHIN_S:g} s ({told(self._losses)}). They are set aside, the rest waits; `loopy dead` shows why"
            )

    def _receive(self, message: Arrived) -> None:
        reply = message.reply
        try:
            place = place_of(reply)
        except ValueError:
            _log.error("bus.unreadable", extra={"consumer": self._consumer.name, "reply": reply})
            return
        now = asyncio.get_running_loop().time()
        held = self._in_hand.get(place.sequence)
        if held is not None:
            held.reply, held.extended_at = reply, now
            return
        tries = max(1, place.deliveries - self._waits.get(place.sequence, 0))
        taken = consumed(message, place, self._consumer.stream, deliveries=tries)
        held = self._in_hand[place.sequence] = _InHand(taken, taken, reply, now)
        if not self._stopping:
            self._workers.give(held)
            if self._extension is None:
                self._look_later()

    async def _process(self, held: _InHand) -> None:
        try:
            verdict = await self._judge(held)
            await self._perform(verdict, held)
        except Exception:  # noqa: BLE001  a message that cannot be settled now comes again
            _log.exception("message.unsettled", extra=self._about(held.message))
            self._answer(held, _later(UNSETTLED_RETRY_S))
        self._pull.top_up()

    async def _judge(self, held: _InHand) -> Verdict:
        try:
            held.original = original_of(self._subjects, held.message)
            return await self._handler(held.original)
        except Undecodable as error:
            return DeadLetter(error.reason, error.detail, foreign=True)
        except MessageTooLarge as error:
            return DeadLetter("too_large", str(error))
        except asyncio.CancelledError as error:
            if self._stopping or _being_cancelled():
                raise
            return self._failed(error, held)
        except Exception as error:  # noqa: BLE001  whatever a handler does, the loop goes on
            return self._failed(error, held)

    def _failed(self, error: BaseException, held: _InHand) -> Verdict:
        _log.error("handler.failed", exc_info=error, extra=self._about(held.original))
        return after_failure(error, _count(self._failures, held.message.sequence))

    async def _perform(self, verdict: Verdict, held: _InHand) -> None:
        match verdict:
            case Ack():
                self._losses.succeeded()
                self._forget(held.message.sequence)
                self._answer(held, ACK)
            case RetryAfter(delay_s, waits=True):
                _count(self._waits, held.message.sequence)
                self._answer(held, _later(delay_s))
            case RetryAfter(delay_s):
                self._answer(held, _later(delay_s))
            case DeadLetter() if self._losses.are_all:
                self._answer(held, _later(UNSETTLED_RETRY_S))
            case DeadLetter():
                await self._set_aside(verdict, held.original)
                self._forget(held.message.sequence)
                self._answer(held, ACK)
            case _:
                assert_never(verdict)

    async def _set_aside(self, verdict: DeadLetter, message: Message) -> None:
        _log.warning("message.dead", extra={**self._about(message), "reason": verdict.reason})
        await self._bury(DeadMessage.of(message, verdict, datetime.now(UTC)))
        if not verdict.foreign:
            self._losses.lost(message.replay or message.sequence, verdict.reason, asyncio.get_running_loop().time())

    def _forget(self, sequence: int) -> None:
        for counts in (self._waits, self._failures):
            counts.pop(sequence, None)

    def _answer(self, held: _InHand, answer: bytes) -> None:
        self._in_hand.pop(held.message.sequence, None)
        self._connection.send(held.reply, answer)

    def _look_later(self) -> None:
        """Look after what is in hand a few times in the time that each message has; not while there is nothing."""
        self._extension = asyncio.get_running_loop().call_later(self._consumer.ack_wait_s / 6, self._look_after)

    def _look_after(self) -> None:
        self._extension = None
        if self._in_hand:
            self._extend()
            self._look_later()

    def _extend(self) -> None:
        """Tell the server of every message that has been worked on for a third of its time."""
        now = asyncio.get_running_loop().time()
        for held in list(self._in_hand.values()):
            if now - held.extended_at >= self._consumer.ack_wait_s / 3:
                held.extended_at = now
                self._connection.send(held.reply, IN_PROGRESS)

    async def _finish(self, grace_s: float) -> None:
        self._stopping = True
        try:
            await self._pull.stop()
            await self._workers.finish(grace_s)
        finally:
            if self._extension is not None:
                self._extension.cancel()
        for held in list(self._in_hand.values()):
            self._answer(held, NAK)
        await self._connection.flush()

    def _about(self, message: Message) -> dict[str, object]:
        return {
            "consumer": self._consumer.name,
            "subject": message.subject,
            "sequence": message.sequence,
            "deliveries": message.deliveries,
        }


def _count(counts: dict[int, int], sequence: int) -> int:
    """How often something happened to a message, once more now; of the many that others may have settled, the oldest
    are forgotten."""
    counts[sequence] = counts.pop(sequence, 0) + 1
    if len(counts) > MOST_COUNTED:
        counts.pop(next(iter(counts)))
    return counts[sequence]


def _being_cancelled() -> bool:
    """Whether someone cancels this task; else what it awaited was cancelled, which is the handler's failure."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _later(delay_s: float) -> bytes:
    """The answer that has the server deliver a message again after so long."""
    return b'-NAK {"delay": %d}' % int(max(delay_s, 0.0) * 1_000_000_000)
