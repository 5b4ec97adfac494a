"""Messages as bytes: nothing that is published can end its line, and nothing that arrives is an error."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopy.bus.wire import Arrived, Unsendable, head_of, headers_of, publication

NAMES = st.from_regex(r"[A-Za-z][A-Za-z0-9-]{0,20}", fullmatch=True)
VALUES = st.text(st.characters(blacklist_characters="\r\n", blacklist_categories=["Cs"])).map(str.strip)


@given(st.dictionaries(NAMES, VALUES))
def test_headers_are_read_as_they_were_written(headers: dict[str, str]) -> None:
    assert headers_of(head_of(headers)) == headers


@given(st.dictionaries(NAMES, st.text(st.characters(blacklist_categories=["Cs"])), min_size=1))
def test_no_value_ends_its_line(headers: dict[str, str]) -> None:
    head = head_of(headers)
    assert head.count(b"\r") == head.count(b"\n") == head.count(b"\r\n") == len(headers) + 2
    assert head.startswith(b"NATS/1.0\r\n")
    assert head.endswith(b"\r\n\r\n")


@pytest.mark.parametrize("name", ["", "a b", "a:b", "a\r\nb", "ä"])
def test_a_name_that_is_no_word_is_no_header(name: str) -> None:
    with pytest.raises(Unsendable, match="bad header name"):
        head_of({name: "x"})


@pytest.mark.parametrize("subject", ["", "a b", "a\r\nPUB b 0", "a\tb"])
def test_a_subject_that_would_end_the_command_cannot_be_sent_to(subject: str) -> None:
    with pytest.raises(Unsendable, match="bad subject"):
        publication(subject, "", b"")


@given(st.binary())
def test_whatever_arrives_as_headers_can_be_asked(head: bytes) -> None:
    assert all(isinstance(value, str) for value in headers_of(head).values())


@pytest.mark.parametrize(
    ("head", "headers"),
    [
        (b"", {}),
        (b"NATS/1.0\r\n\r\n", {}),
        (b"NATS/1.0 503\r\n\r\n", {"Status": "503"}),
        (b"NATS/1.0 404 No Messages\r\n\r\n", {"Status": "404", "Description": "No Messages"}),
        (
            b"NATS/1.0 408 Request Timeout\r\nNats-Pending-Messages: 3\r\n\r\n",
            {"Status": "408", "Description": "Request Timeout", "Nats-Pending-Messages": "3"},
        ),
        (b"NATS/1.0\r\nTight:x\r\nWide :  y \r\nno colon\r\ntwo words: z\r\n\r\n", {"Tight": "x", "Wide": "y"}),
        (b"NATS/1.0\r\n\xff: 1\r\nA: \xff\r\n\r\n", {"A": "\ufffd"}),
        (b"NATS/1.0 x\r\n\r\n", {}),
    ],
)
def test_what_a_server_may_say_in_headers(head: bytes, headers: dict[str, str]) -> None:
    assert headers_of(head) == headers


def test_bytes_that_are_no_text_are_a_subject_all_the_same() -> None:
    assert Arrived(b"a.\xff", b"\xff", b"", b"").subject == "a.\ufffd"
