"""What there is room for is what can be published."""

import msgspec
import pytest

from loopy.bus.cloudevents import event_message
from loopy.bus.codec import record_message
from loopy.bus.errors import MessageTooLarge
from loopy.bus.messages import Outgoing
from loopy.bus.sizes import check_size, room_for
from loopy.bus.subjects import Subjects
from loopy.runs.records import Cause, Event, RunStarted
from tests.support.facts import NOW

SUBJECTS, LIMIT, LONGEST = Subjects("n" * 32), 64 << 10, 128
TRACE = f"00-{'a' * 32}-{'b' * 16}-01"


def event_of(size: int) -> Event:
    """An event with the longest of names, which takes so many bytes."""
    name = "E" * LONGEST
    event = Event(name, name, f"/{name}", NOW, {"text": ""}, name, 100, Cause(name, name), TRACE)
    return msgspec.structs.replace(event, data={"text": "x" * (size - len(msgspec.json.encode(event)))})


def check(message: Outgoing) -> None:
    check_size(message.subject, message.payload, message.headers, LIMIT)


def test_an_event_that_there_is_room_for_can_be_published_and_start_a_run() -> None:
    event = event_of(room_for(LIMIT))
    check(event_message(SUBJECTS, event))
    check(record_message(SUBJECTS, RunStarted(event.id, "w" * LONGEST, "p" * 64, event, NOW)))


def test_nothing_is_published_that_the_server_would_refuse() -> None:
    with pytest.raises(MessageTooLarge, match="headers and payload"):
        check(event_message(SUBJECTS, event_of(LIMIT * 2)))


def test_there_is_never_less_than_no_room() -> None:
    assert room_for(100) == 0
