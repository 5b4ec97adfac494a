"""Requests and their answers, matched by number on one inbox."""

import asyncio
from collections.abc import Callable

from nats.aio.msg import Msg

from loopy.bus.errors import Unavailable


class Conversation:
    """A request that is under way; `complete` has its answers up to the last, which is the one that `ended` says."""

    def __init__(self, ended: Callable[[Msg], bool]) -> None:
        self.complete: asyncio.Future[list[Msg]] = asyncio.get_running_loop().create_future()
        self._answers: list[Msg] = []
        self._ended = ended

    def add(self, answer: Msg) -> None:
        """Take the next answer."""
        self._answers.append(answer)
        if self._ended(answer) and not self.complete.done():
            self.complete.set_result(self._answers)


class Conversations:
    """All requests of a connection that are under way."""

    def __init__(self, inbox: str) -> None:
        self._prefix = f"{inbox}."
        self._count = 0
        self._under_way: dict[str, Conversation] = {}

    @property
    def subject(self) -> str:
        """What to subscribe to, with `receive`."""
        return f"{self._prefix}*"

    def begin(self, ended: Callable[[Msg], bool]) -> tuple[str, Conversation]:
        """A new conversation, and the subject that its answers are to be sent to."""
        self._count += 1
        reply = f"{self._prefix}{self._count}"
        conversation = self._under_way[reply] = Conversation(ended)
        return reply, conversation

    def end(self, reply: str) -> None:
        """Expect no more answers there."""
        self._under_way.pop(reply, None)

    async def receive(self, answer: Msg) -> None:
        """Give an answer to whom it is for; one that comes too late is dropped."""
        conversation = self._under_way.get(answer.subject)
        if conversation is not None:
            conversation.add(answer)

    def interrupt(self) -> None:
        """The connection is lost, and with it every answer that was to come."""
        for conversation in self._under_way.values():
            if not conversation.complete.done():
                conversation.complete.set_exception(Unavailable("the connection was lost"))
