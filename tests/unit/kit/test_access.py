"""Who may use a protected API."""

import hmac

import pytest

from loopy.kit import access
from loopy.kit.access import is_loopback, refusal
from loopy.kit.secret import Secret

TOKEN = Secret("correct-horse")


@pytest.mark.parametrize(
    "host", [b"localhost", b"localhost:8700", b"127.0.0.1:1", b"[::1]:8700", b"LOCALHOST", b"127.8.9.1"]
)
def test_on_loopback_this_machines_names_are_let_in(host: bytes) -> None:
    assert refusal([(b"host", host)], loopback=True, token=None) is None


@pytest.mark.parametrize(
    "host",
    [b"evil.example", b"127.0.0.1.evil.example", b"localhost.evil.example", b"evil.example:8700", b"", b"10.0.0.1",
     b"[::1", b"\xff\xfe", b"localhost@evil.example", b"0.0.0.0", b"a" * 300],
)  # fmt: skip
def test_on_loopback_a_page_under_another_name_is_refused(host: bytes) -> None:
    refused = refusal([(b"host", host)], loopback=True, token=None)
    assert refused is not None
    assert refused.status == 421


def test_on_loopback_a_request_without_host_or_with_two_is_refused() -> None:
    assert refusal([], loopback=True, token=None) is not None
    both = [(b"host", b"localhost"), (b"host", b"evil.example")]
    assert refusal(both, loopback=True, token=None) is not None


@pytest.mark.parametrize("scheme", [b"Bearer", b"bearer", b"BEARER"])
def test_elsewhere_the_token_lets_in_whatever_the_host(scheme: bytes) -> None:
    headers = [(b"host", b"loopy.example"), (b"authorization", scheme + b" correct-horse")]
    assert refusal(headers, loopback=False, token=TOKEN) is None


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [(b"authorization", b"")],
        [(b"authorization", b"correct-horse")],
        [(b"authorization", b"Basic correct-horse")],
        [(b"authorization", b"Bearer correct-hors")],
        [(b"authorization", b"Bearer correct-horse2")],
        [(b"authorization", b"Bearer \xff\xfe")],
        [(b"authorization", b"Bearer wrong"), (b"authorization", b"Bearer correct-horse")],
    ],
)
def test_elsewhere_anything_but_the_token_is_refused(headers: list[tuple[bytes, bytes]]) -> None:
    refused = refusal([(b"host", b"localhost"), *headers], loopback=False, token=TOKEN)
    assert refused is not None
    assert refused.status == 401
    assert refused.headers["WWW-Authenticate"].startswith("Bearer")
    assert "correct-horse" not in str(refused.document)


def test_without_a_token_nobody_is_let_in() -> None:
    assert refusal([(b"authorization", b"Bearer ")], loopback=False, token=None) is not None


def test_tokens_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[bytes, bytes]] = []

    def compare(one: bytes, other: bytes) -> bool:
        compared.append((one, other))
        return one == other

    monkeypatch.setattr(hmac, "compare_digest", compare)
    access.refusal([(b"authorization", b"Bearer wrong")], loopback=False, token=TOKEN)
    assert compared == [(b"correct-horse", b"wrong")]


def test_which_addresses_are_loopback() -> None:
    assert is_loopback("127.0.0.1")
    assert is_loopback("::1")
    assert not is_loopback("0.0.0.0")
    assert not is_loopback("::")
    assert not is_loopback("192.168.1.1")
    assert not is_loopback("localhost")


@pytest.mark.parametrize("origin", [b"http://localhost:3000", b"http://127.0.0.1:8700", b"https://[::1]"])
def test_on_loopback_a_page_of_this_machine_may_post(origin: bytes) -> None:
    assert refusal([(b"host", b"localhost"), (b"origin", origin)], loopback=True, token=None) is None


@pytest.mark.parametrize("origin", [b"https://evil.example", b"null", b"", b"http://localhost.evil.example"])
def test_on_loopback_a_page_of_another_site_is_refused(origin: bytes) -> None:
    refused = refusal([(b"host", b"localhost"), (b"origin", origin)], loopback=True, token=None)
    assert refused is not None
    assert refused.status == 403
