"""Whether a delivery comes from whom it claims: the signatures of the sources that `verify=` can name.

Pure functions over raw bytes. Headers are by lower-case name. Every comparison takes constant time, and any of several
active secrets will do, so that a secret can be changed without losing a delivery.
"""

import base64
import binascii
import hmac
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeAlias

import msgspec

Headers: TypeAlias = Mapping[str, str]

SLACK_WINDOW_S = 300
STANDARD_WINDOW_S = 300
LINEAR_WINDOW_S = 8 * 3600
FAR_FUTURE_MS = 1 << 48


class Source(msgspec.Struct, frozen=True):
    """How one sender signs.

    `signed(secret, headers, body)` tells whether the signature is right; `sent_at` gives the signed instant (seconds
    since 1970) of senders that sign one, and what is further than `window_s` from now is refused. `id_of` gives the
    sender's id of a delivery, or "". `answer` is the status that the sender wants for "accepted".
    """

    signed: Callable[[str, Headers, bytes], bool]
    id_of: Callable[[Headers, bytes], str]
    sent_at: Callable[[Headers, bytes], float | None] | None = None
    window_s: float = 0
    answer: int = 202


def refusal(source: Source, secrets: Sequence[str], headers: Headers, body: bytes, now: datetime) -> str | None:
    """Why a delivery is not believed, in words that tell a forger nothing of the secret; None when it is."""
    verdicts = [source.signed(secret, headers, body) for secret in secrets]
    if not any(verdicts):
        return "the signature is missing or wrong"
    if source.sent_at is not None:
        sent_at = source.sent_at(headers, body)
        if sent_at is None or abs(now.timestamp() - sent_at) > source.window_s:
            return f"the signed time is missing, or further than {source.window_s:g} s from now"
    return None


def secret_variable(source: str) -> str:
    """The environment variable with a source's secrets, separated by commas."""
    return f"{source.upper().replace('-', '_')}_WEBHOOK_SECRET"


def challenge(source: str, body: bytes) -> str | None:
    """What must be echoed when Slack asks, with a signed request, whether this address is ours; else None."""
    asked = _json(body) if source == "slack" else {}
    word = asked.get("challenge")
    return word if asked.get("type") == "url_verification" and isinstance(word, str) else None


def _header(name: str) -> Callable[[Headers, bytes], str]:
    return lambda headers, body: headers.get(name, "")


def _no_id(headers: Headers, body: bytes) -> str:
    return ""


def _json(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _mac(secret: bytes, content: bytes) -> bytes:
    return hmac.digest(secret, content, "sha256")


def _same(expected: str, given: str) -> bool:
    return hmac.compare_digest(expected.encode(), given.encode())


def _seconds(text: str) -> float | None:
    return float(text) if text.isascii() and text.isdigit() and len(text) <= 12 else None


def _plain_hex(header: str, prefix: str = "") -> Callable[[str, Headers, bytes], bool]:
    """A header that holds the prefix and the HMAC-SHA256 of the body in hexadecimal."""

    def signed(secret: str, headers: Headers, body: bytes) -> bool:
        return _same(prefix + _mac(secret.encode(), body).hex(), headers.get(header, ""))

    return signed


def _slack_signed(secret: str, headers: Headers, body: bytes) -> bool:
    content = f"v0:{headers.get('x-slack-request-timestamp', '')}:".encode() + body
    return _same(f"v0={_mac(secret.encode(), content).hex()}", headers.get("x-slack-signature", ""))


def _slack_sent_at(headers: Headers, body: bytes) -> float | None:
    return _seconds(headers.get("x-slack-request-timestamp", ""))


def _slack_id(headers: Headers, body: bytes) -> str:
    given = _json(body).get("event_id")
    return given if isinstance(given, str) else ""


def _linear_sent_at(headers: Headers, body: bytes) -> float | None:
    sent_ms = _json(body).get("webhookTimestamp")
    return sent_ms / 1000 if isinstance(sent_ms, int) and 0 < sent_ms < FAR_FUTURE_MS else None


def _pagerduty_signed(secret: str, headers: Headers, body: bytes) -> bool:
    expected = f"v1={_mac(secret.encode(), body).hex()}"
    given = headers.get("x-pagerduty-signature", "").split(",")
    verdicts = [_same(expected, one.strip()) for one in given]
    return any(verdicts)


def _datadog_signed(secret: str, headers: Headers, body: bytes) -> bool:
    """Datadog signs nothing: a secret in a header is all there is."""
    return _same(f"Bearer {secret}", headers.get("authorization", ""))


def _standard_signed(secret: str, headers: Headers, body: bytes) -> bool:
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except (binascii.Error, ValueError):
        return False
    head = f"{headers.get('webhook-id', '')}.{headers.get('webhook-timestamp', '')}."
    expected = f"v1,{base64.b64encode(_mac(key, head.encode() + body)).decode()}"
    verdicts = [_same(expected, one) for one in headers.get("webhook-signature", "").split(" ")]
    return any(verdicts)


def _standard_sent_at(headers: Headers, body: bytes) -> float | None:
    return _seconds(headers.get("webhook-timestamp", ""))


SOURCES: dict[str, Source] = {
    "datadog": Source(_datadog_signed, _no_id),
    "github": Source(_plain_hex("x-hub-signature-256", "sha256="), _header("x-github-delivery")),
    "linear": Source(
        _plain_hex("linear-signature"), _header("linear-delivery"), _linear_sent_at, LINEAR_WINDOW_S, answer=200
    ),
    "pagerduty": Source(_pagerduty_signed, _header("x-webhook-id")),
    "sentry": Source(_plain_hex("sentry-hook-signature"), _header("request-id")),
    "slack": Source(_slack_signed, _slack_id, _slack_sent_at, SLACK_WINDOW_S),
    "standard-webhooks": Source(_standard_signed, _header("webhook-id"), _standard_sent_at, STANDARD_WINDOW_S),
}
