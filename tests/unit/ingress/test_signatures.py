"""Signatures: each source's own example is believed, and nothing that differs from it by a byte."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta

import pytest

from loopy.project.sensors import VERIFIERS
from loopy_services.ingress.signatures import SOURCES, challenge, refusal, secret_variable

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
UNIX = str(int(NOW.timestamp()))
BODY = b'{"action": "opened", "umlaut": "\xc3\xa4"}'
LINEAR_BODY = json.dumps({"webhookTimestamp": int(NOW.timestamp() * 1000)}).encode()
KEY = base64.b64encode(b"0123456789abcdef").decode()


def mac(secret: bytes, content: bytes) -> str:
    return hmac.new(secret, content, hashlib.sha256).hexdigest()


def standard(content: bytes) -> str:
    return base64.b64encode(hmac.new(b"0123456789abcdef", content, hashlib.sha256).digest()).decode()


# source → (its secret, the headers it sends, the body)
SENT: dict[str, tuple[str, dict[str, str], bytes]] = {
    "github": ("geheim", {"x-hub-signature-256": f"sha256={mac(b'geheim', BODY)}"}, BODY),
    "sentry": ("geheim", {"sentry-hook-signature": mac(b"geheim", BODY)}, BODY),
    "linear": ("geheim", {"linear-signature": mac(b"geheim", LINEAR_BODY)}, LINEAR_BODY),
    "slack": (
        "geheim",
        {
            "x-slack-request-timestamp": UNIX,
            "x-slack-signature": f"v0={mac(b'geheim', f'v0:{UNIX}:'.encode() + BODY)}",
        },
        BODY,
    ),
    "pagerduty": ("geheim", {"x-pagerduty-signature": f"v1={'0' * 64},v1={mac(b'geheim', BODY)}"}, BODY),
    "datadog": ("geheim", {"authorization": "Bearer geheim"}, BODY),
    "standard-webhooks": (
        f"whsec_{KEY}",
        {
            "webhook-id": "msg_1",
            "webhook-timestamp": UNIX,
            "webhook-signature": f"v1a,unknown v1,{standard(f'msg_1.{UNIX}.'.encode() + BODY)}",
        },
        BODY,
    ),
}
SIGNED = sorted(set(SENT) - {"datadog"})
TIMED = {"slack": 300, "standard-webhooks": 300, "linear": 8 * 3600}


def believed(source: str, secrets: list[str], headers: dict[str, str], body: bytes, now: datetime = NOW) -> bool:
    return refusal(SOURCES[source], secrets, headers, body, now) is None


def test_every_source_that_the_language_knows_is_verified_and_tested() -> None:
    assert set(SENT) == set(SOURCES) == set(VERIFIERS)


def test_githubs_own_example_is_believed() -> None:
    signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    assert believed("github", ["It's a Secret to Everybody"], {"x-hub-signature-256": signature}, b"Hello, World!")


@pytest.mark.parametrize("source", sorted(SENT))
def test_what_the_sender_signed_is_believed(source: str) -> None:
    secret, headers, body = SENT[source]
    assert believed(source, [secret], headers, body)


@pytest.mark.parametrize("source", sorted(SENT))
def test_any_of_several_active_secrets_will_do(source: str) -> None:
    secret, headers, body = SENT[source]
    assert believed(source, ["old", secret, "new"], headers, body)
    assert not believed(source, ["old", "new"], headers, body)
    assert not believed(source, [], headers, body)


@pytest.mark.parametrize("source", SIGNED)
def test_a_changed_body_is_not_believed(source: str) -> None:
    secret, headers, body = SENT[source]
    assert not believed(source, [secret], headers, body + b" ")
    assert not believed(source, [secret], headers, b"")


@pytest.mark.parametrize("source", sorted(SENT))
def test_a_missing_cut_or_odd_signature_is_not_believed(source: str) -> None:
    secret, headers, body = SENT[source]
    assert not believed(source, [secret], {}, body)
    for name in headers:
        for value in ("", headers[name][:-1], headers[name] + "0", "\xff\x00", "v1=" * 99, "," * 99):
            assert not believed(source, [secret], {**headers, name: value}, body), (name, value)


@pytest.mark.parametrize(("source", "window_s"), TIMED.items())
def test_what_was_signed_too_long_ago_is_not_believed(source: str, window_s: int) -> None:
    secret, headers, body = SENT[source]
    assert believed(source, [secret], headers, body, NOW + timedelta(seconds=window_s))
    assert not believed(source, [secret], headers, body, NOW + timedelta(seconds=window_s + 1))
    assert not believed(source, [secret], headers, body, NOW - timedelta(seconds=window_s + 1))


@pytest.mark.parametrize(
    "body", [b"[]", b"\xff", b'{"webhookTimestamp": true}', b'{"webhookTimestamp": "1"}', b"[" * 9999]
)
def test_a_linear_body_without_its_time_is_not_believed(body: bytes) -> None:
    assert not believed("linear", ["geheim"], {"linear-signature": mac(b"geheim", body)}, body)


def test_a_standard_secret_that_is_no_base64_believes_nothing() -> None:
    _, headers, body = SENT["standard-webhooks"]
    assert not believed("standard-webhooks", ["whsec_not base64!", "ä"], headers, body)


@pytest.mark.parametrize("source", sorted(SENT))
def test_signatures_are_compared_in_constant_time(source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    compared = 0

    def compare(one: bytes, other: bytes) -> bool:
        nonlocal compared
        compared += 1
        return one == other

    monkeypatch.setattr(hmac, "compare_digest", compare)
    secret, headers, body = SENT[source]
    assert believed(source, [secret, secret], headers, body)
    assert compared >= 2, "the first secret that fits must not end the comparison"


def test_slacks_challenge_is_recognised_and_nobody_elses() -> None:
    body = b'{"type": "url_verification", "challenge": "3eZbrw"}'
    assert challenge("slack", body) == "3eZbrw"
    assert challenge("github", body) is None
    for other in (b'{"type": "event_callback"}', b'{"type": "url_verification", "challenge": 1}', b"", b"null"):
        assert challenge("slack", other) is None


def test_ids_come_from_where_the_sender_puts_them() -> None:
    assert SOURCES["github"].id_of({"x-github-delivery": "72d3162e"}, b"") == "72d3162e"
    assert SOURCES["slack"].id_of({}, b'{"event_id": "Ev1"}') == "Ev1"
    assert SOURCES["slack"].id_of({}, b'{"event_id": 1}') == ""
    assert SOURCES["datadog"].id_of({"": "x"}, b"") == ""


def test_secrets_are_found_under_the_sources_name() -> None:
    assert secret_variable("sentry") == "SENTRY_WEBHOOK_SECRET"
