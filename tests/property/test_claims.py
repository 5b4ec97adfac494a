"""Claims against whatever may come: what was cut is put together again, what is claimed is read back, nothing else."""

from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopy.bus.claims import (
    CLAIM_HEADER,
    PLACEHOLDER,
    Claim,
    ValueLimits,
    blob_subjects,
    chunks_of,
    claim_to,
    claiming,
    mismatch,
    read_claim,
    redeemed,
)
from loopy.bus.cloudevents import read_event
from loopy.bus.codec import read_delivery, read_firing, read_record
from loopy.bus.messages import Message, Outgoing
from loopy.bus.subjects import Subjects
from loopy.bus.undecodable import Undecodable

SUBJECTS = Subjects()
NOW = datetime(2026, 11, 22, tzinfo=UTC)
digits = st.text("0123456789abcdef", min_size=64, max_size=64)
payloads = st.binary(min_size=1, max_size=300)
headers = st.dictionaries(st.sampled_from(["ce-id", "traceparent"]), st.text(max_size=5))
claims = st.builds(Claim, digits.map(lambda text: text[:16]), digits, st.integers(1, 10**6), st.integers(1, 10**9))


def message_of(outgoing: Outgoing) -> Message:
    return Message("EVT", outgoing.subject, outgoing.payload, outgoing.headers, 1, NOW)


@given(payloads, headers, st.integers(2, 100))
def test_a_payload_that_was_cut_and_put_together_is_the_message_as_it_was(
    payload: bytes, given_headers: dict[str, str], max_payload: int
) -> None:
    message = Outgoing(SUBJECTS.event("A", "1"), payload, given_headers)
    claim = claim_to(message, max_payload)
    chunks = list(chunks_of(payload, claim))
    assert [len(chunk) for chunk in chunks] == [claim.length(number) for number in range(claim.chunks)]
    assert all(1 <= len(chunk) <= max_payload // 2 for chunk in chunks)
    stored = message_of(claiming(message, claim))
    assert (stored.payload, read_claim(stored.headers)) == (PLACEHOLDER, claim)
    whole = redeemed(stored, claim, b"".join(chunks))
    assert (whole.payload, whole.headers, mismatch(claim, whole.payload)) == (payload, given_headers, None)
    assert blob_subjects(SUBJECTS, whole) == blob_subjects(SUBJECTS, stored) == SUBJECTS.blobs(claim.owner)


@given(payloads, payloads)
def test_other_bytes_than_those_claimed_are_noticed(payload: bytes, other: bytes) -> None:
    claim = claim_to(Outgoing("loopy.evt.A.1", payload), 8 << 20)
    assert (mismatch(claim, other) is None) == (other == payload)


@given(claims)
def test_a_claim_is_read_as_it_was_written(claim: Claim) -> None:
    assert read_claim(claiming(Outgoing("loopy.evt.A.1", b""), claim).headers) == claim


@given(st.one_of(st.text(max_size=120), claims.map(lambda claim: f"{claim.blob} {claim.size} {claim.chunks + 1}")))
def test_whatever_else_stands_in_the_header_is_undecodable(text: str) -> None:
    with pytest.raises(Undecodable):
        read_claim({CLAIM_HEADER: text})


@given(payloads, st.text(max_size=8), st.text(max_size=8))
def test_a_blob_is_one_messages_and_no_other_may_delete_it(payload: bytes, one: str, other: str) -> None:
    message = Outgoing(SUBJECTS.event("A", one), payload)
    stored = message_of(claiming(message, claim_to(message, 8 << 20)))
    moved = msgspec.structs.replace(stored, subject=SUBJECTS.event("A", other))
    assert blob_subjects(SUBJECTS, stored) is not None
    assert (blob_subjects(SUBJECTS, moved) is not None) == (one == other)


@given(claims)
def test_a_message_whose_payload_is_lost_is_taken_for_nothing(claim: Claim) -> None:
    lost = message_of(claiming(Outgoing(SUBJECTS.event("A", "1"), b""), claim))
    with pytest.raises(Undecodable):
        read_event(SUBJECTS, lost)
    for read in (read_record, read_firing, read_delivery):
        with pytest.raises(Undecodable):
            read(lost)


@given(st.integers(1, 10**9), st.integers(1, 10**9), st.integers(2, 10**8))
def test_what_stays_in_its_message_fits_into_it_with_its_headers(claim: int, largest: int, max_payload: int) -> None:
    most = ValueLimits(claim, largest).in_message(max_payload)
    assert most <= claim
    assert most <= largest
    assert most * 2 <= max_payload
