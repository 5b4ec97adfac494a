"""JetStream's JSON answers: what each error means to us."""

import msgspec

from loopy.bus.errors import ApiRefused, StreamFull, Unavailable

# HTTP-like codes of errors that pass by themselves, and JetStream's own for a write to a subject that is being written.
PASSING = (429, 503)
IN_FLIGHT = 10164
# There is no room: in the stream, on the server (of storage or memory), or in what the account may use.
NO_ROOM = (10077, 10023, 10047, 10028, 10002)


class _Error(msgspec.Struct):
    code: int = 0
    err_code: int = 0
    description: str = ""


class _Reply(msgspec.Struct):
    """`stream` is said of messages that were to be stored, and of nothing else."""

    error: _Error | None = None
    stream: str = ""
    seq: int = 0


_decode = msgspec.json.Decoder(_Reply).decode


def check_reply(reply: bytes, what: str) -> int:
    """Raise the error that an answer holds: Unavailable (StreamFull, in particular) if it may pass, else ApiRefused.

    To a message that was published the answer is its sequence, to anything else 0.
    """
    try:
        answer = _decode(reply)
    except msgspec.DecodeError as undecodable:
        raise Unavailable(f"{what}: the answer is not JetStream's") from undecodable
    error = answer.error
    if error is None:
        return answer.seq
    if error.err_code in NO_ROOM and answer.stream:
        raise StreamFull(answer.stream, f"{error.description} (JetStream error {error.err_code})")
    if error.code in PASSING or error.err_code == IN_FLIGHT:
        raise Unavailable(f"{what}: {error.description} (JetStream error {error.err_code})")
    raise ApiRefused(what, error.code, error.err_code, error.description)
