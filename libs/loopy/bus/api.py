"""JetStream's JSON answers: what each error means to us."""

import msgspec

from loopy.bus.errors import ApiRefused, Unavailable

# HTTP-like codes of errors that pass by themselves, and JetStream's own for a write to a subject that is being written.
PASSING = (429, 503)
IN_FLIGHT = 10164


class _Error(msgspec.Struct):
    code: int = 0
    err_code: int = 0
    description: str = ""


class _Reply(msgspec.Struct):
    error: _Error | None = None


_decode = msgspec.json.Decoder(_Reply).decode


def check_reply(reply: bytes, what: str) -> None:
    """Raise the error that an answer holds: Unavailable when it may pass, else ApiRefused."""
    try:
        error = _decode(reply).error
    except msgspec.DecodeError as undecodable:
        raise Unavailable(f"{what}: the answer is not JetStream's") from undecodable
    if error is None:
        return
    if error.code in PASSING or error.err_code == IN_FLIGHT:
        raise Unavailable(f"{what}: {error.description} (JetStream error {error.err_code})")
    raise ApiRefused(what, error.code, error.err_code, error.description)
