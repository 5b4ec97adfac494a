"""Requests that are under way, and the answers to them."""

from loopy.bus.conversations import Conversations
from loopy.bus.wire import Arrived


def answer(subject: str, data: bytes) -> Arrived:
    return Arrived.of(subject, "", data, {})


async def test_of_two_that_answer_a_request_at_once_the_first_is_heard() -> None:
    conversations = Conversations("_INBOX.x", 2.0)
    number, subject, conversation = conversations.begin(lambda _: True)
    conversations.receive(answer(subject, b"first"))
    conversations.receive(answer(subject, b"second"))
    assert [each.data for each in await conversation.complete] == [b"first"]
    conversations.end(number)
