"""The seal on what a result carries back: proof that a dispatcher of ours handed it out with that very attempt.

A keyed BLAKE2b (RFC 7693, section 2.9) over whose attempt it is and all that is carried. The key is shared by the
dispatchers of a namespace through the bus, and is made by whoever starts first. A result whose seal does not fit is
decided on by the journal alone, like one that carries nothing.
"""

import hashlib
import hmac
import secrets

import msgspec

from loopy.bus.client import Bus
from loopy.bus.errors import BusError
from loopy.bus.messages import Outgoing
from loopy.bus.streams import CONTROL
from loopy.runs.records import AttemptRequested, AttemptSucceeded, Carried

KEY_BYTES = 32
SEAL_BYTES = 12
# What is carried is stored once more with each result; where it is long, the journal is read instead.
MOST_CARRIED_BYTES = 16_384


class Sealer:
    """Seals requests, and tells whether a result carries what was sealed."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def sealed(self, request: AttemptRequested) -> AttemptRequested:
        """The request with a seal; as it is when what would be carried is too long."""
        carried = Carried(request.plan, request.event, request.inputs, "")
        body = _encode(carried)
        if len(body) > MOST_CARRIED_BYTES:
            return request
        whose = (request.run, request.workflow, request.step, request.epoch, request.attempt)
        return msgspec.structs.replace(request, seal=self._seal(whose, body))

    def is_genuine(self, success: AttemptSucceeded) -> bool:
        """Whether what a result carries is what a dispatcher sealed for its attempt."""
        if success.carried is None:
            return False
        body = _encode(msgspec.structs.replace(success.carried, seal=""))
        whose = (success.run, success.workflow, success.step, success.epoch, success.attempt)
        return hmac.compare_digest(self._seal(whose, body).encode(), success.carried.seal.encode())

    def _seal(self, whose: tuple[str, str, str, int, int], body: bytes) -> str:
        digest = hashlib.blake2b(_encode(whose), key=self._key, digest_size=SEAL_BYTES)
        digest.update(body)
        return digest.hexdigest()


async def shared_sealer(bus: Bus) -> Sealer:
    """The sealer of a namespace: with the key on the bus, made now if nobody has made one. BusError."""
    subject = bus.subjects.key("seal")
    await bus.publish_once(Outgoing(subject, secrets.token_hex(KEY_BYTES).encode()))
    key = await bus.last_by_leader(CONTROL, subject)
    if key is None:
        raise BusError(f"the key of the dispatchers was stored on {subject} and cannot be read")
    return Sealer(key[: hashlib.blake2b.MAX_KEY_SIZE])


_encode = msgspec.json.Encoder().encode
