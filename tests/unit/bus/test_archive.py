"""Archives: what goes in comes out, byte for byte; what does not fit is told; nonsense is no archive."""

import gzip
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopy.bus.archive import ENCODING, Archive, archive_message, read_archive
from loopy.bus.messages import Message, Outgoing
from loopy.bus.subjects import Subjects
from loopy.bus.undecodable import Undecodable

AT = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
ARCHIVED_AT = datetime(2026, 4, 1, tzinfo=UTC)
SUBJECTS = Subjects("ns")
MIB = 1 << 20


def fact(sequence: int, payload: bytes, **headers: str) -> Message:
    return Message("RUN", SUBJECTS.result("r", "a", 0, sequence), payload, headers, sequence, AT)


def stored(message: Outgoing) -> Message:
    return Message("ARCHIVE", message.subject, message.payload, message.headers, 1, ARCHIVED_AT)


def archived(facts: list[Message], max_payload: int = 8 * MIB) -> Archive:
    return read_archive(stored(archive_message(SUBJECTS, "r", 99, facts, max_payload)))


@given(st.lists(st.binary(max_size=60) | st.sampled_from([b"null", b"{}", b'{"a":\n1}', b"", b'"x"', b" 1 "])))
def test_every_payload_comes_out_as_it_went_in(payloads: list[bytes]) -> None:
    facts = [fact(number, payload) for number, payload in enumerate(payloads, 1)]
    assert archived(facts) == Archive("r", 99, ARCHIVED_AT, tuple(facts))


def test_headers_are_kept_but_for_what_was_asked_of_the_server() -> None:
    given_to_us = {"traceparent": "00-1", "Nats-Expected-Last-Subject-Sequence": "0"}
    [kept] = archived([Message("RUN", "ns.run.start.r._", b"{}", given_to_us, 1, AT)]).facts
    assert kept.headers == {"traceparent": "00-1"}


def test_a_person_can_read_it_line_by_line() -> None:
    message = archive_message(SUBJECTS, "r", 99, [fact(7, b'{"record":"RunEnded"}')], 8 * MIB)
    head, line = [json.loads(each) for each in message.payload.splitlines()]
    assert head == {"archive": 1, "run": "r", "end": 99}
    assert (line["sequence"], line["payload"]) == (7, {"record": "RunEnded"})
    assert message.subject == "ns.archive.r"


def test_what_is_too_large_for_a_message_is_compressed() -> None:
    facts = [fact(number, json.dumps({"text": "all the same " * 50_000}).encode()) for number in range(3)]
    message = archive_message(SUBJECTS, "r", 99, facts, MIB)
    assert message.headers == {ENCODING: "gzip"}
    assert len(message.payload) < MIB
    assert archived(facts, MIB) == Archive("r", 99, ARCHIVED_AT, tuple(facts))


def test_where_that_is_not_enough_the_largest_payloads_are_left_out_and_that_is_told() -> None:
    import random

    rng = random.Random(1)
    small, large, larger = (fact(n, rng.randbytes(size)) for n, size in ((1, 1_000), (2, 400_000), (3, 900_000)))
    found = archived([small, large, larger], MIB)
    assert found.left_out == 1
    assert [each.payload for each in found.facts] == [small.payload, large.payload, b""]
    assert all(found.holds(each) for each in (small, large, larger))


def test_no_run_is_too_large_to_be_archived() -> None:
    import random

    rng = random.Random(1)
    found = archived([fact(n, rng.randbytes(50_000)) for n in range(50)], 64 * 1024)
    assert len(found.facts) == 50
    assert 49 <= found.left_out <= 50


@pytest.mark.parametrize(
    "payload",
    [b"", b"\n", b"{}", b'{"archive":1,"run":"other","end":1}', b'{"archive":2,"run":"r","end":1}', b"\xff\x00",
     b'{"archive":1,"run":"r","end":1}\n{"subject":1}', gzip.compress(b"x", mtime=0), b"[" * 100_000],
)  # fmt: skip
@pytest.mark.parametrize("headers", [{}, {ENCODING: "gzip"}])
def test_what_a_stranger_put_in_its_place_is_undecodable(payload: bytes, headers: dict[str, str]) -> None:
    with pytest.raises(Undecodable):
        read_archive(Message("ARCHIVE", "ns.archive.r", payload, headers, 1, AT))
