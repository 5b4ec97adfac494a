"""Requests and their answers, matched by number on one inbox."""

import asyncio
from collections.abc import Callable

from loopy.bus.errors import Unavailable
from loopy.bus.wire import Arrived


class Conversation:
    """A request that is under way; `complete` has its answers up to the last, which is the one that `ended` says.

    TimeoutError when the last has not come in time. Times are the event loop's, in seconds.
    """

    __slots__ = ("_answers", "_ended", "begun", "complete")

    def __init__(self, ended: Callable[[Arrived], bool], loop: asyncio.AbstractEventLoop) -> None:
        self.begun = loop.time()
        self.complete: asyncio.Future[list[Arrived]] = loop.create_future()
        self._answers: list[Arrived] = []
        self._ended = ended

    def add(self, answer: Arrived) -> None:
        """Take the next answer. What follows the last is nobody's: in a cluster without a leader two may answer."""
        if self.complete.done():
            return
        self._answers.append(answer)
        if self._ended(answer):
            self.complete.set_result(self._answers)

    def fail(self, why: Exception) -> None:
        """No more answers will come."""
        if not self.complete.done():
            self.complete.set_exception(why)


class Conversations:
    """All requests of a connection that are under way. One timer looks after the time of all of them."""

    def __init__(self, inbox: str, timeout_s: float) -> None:
        self._inbox = inbox
        self._timeout_s = timeout_s
        self._count = 0
        self._under_way: dict[bytes, Conversation] = {}
        self._watched = False

    @property
    def subject(self) -> str:
        """What to subscribe to, with `receive`."""
        return f"{self._inbox}.*"

    def begin(self, ended: Callable[[Arrived], bool]) -> tuple[int, str, Conversation]:
        """A new conversation: its number, the subject that its answers are to be sent to, and itself."""
        self._count = number = self._count + 1
        loop = asyncio.get_running_loop()
        conversation = self._under_way[b"%d" % number] = Conversation(ended, loop)
        if not self._watched:
            self._watched = True
            loop.call_later(self._timeout_s, self._look_after)
        return number, f"{self._inbox}.{number}", conversation

    def end(self, number: int) -> None:
        """Expect no more answers there."""
        self._under_way.pop(b"%d" % number, None)

    def receive(self, answer: Arrived) -> None:
        """Give an answer to whom it is for; one that comes too late is dropped."""
        conversation = self._under_way.get(answer.last_token)
        if conversation is not None:
            conversation.add(answer)

    def interrupt(self) -> None:
        """The connection is lost, and with it every answer that was to come."""
        for conversation in self._under_way.values():
            conversation.fail(Unavailable("the connection was lost"))

    def _look_after(self) -> None:
        """Give up those whose time is over, and come again when the next one's will be: they are in order of time."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        for conversation in self._under_way.values():
            left_s = conversation.begun + self._timeout_s - now
            if left_s > 0:
                loop.call_later(left_s, self._look_after)
                return
            conversation.fail(TimeoutError())
        self._watched = False
