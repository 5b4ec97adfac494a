"""Claims: how a message says that its payload lies beside it, in a blob. Pure.

A payload beyond a threshold is stored first, in chunks, and then its message, which has a placeholder instead and the
header `Loopy-Claim`: the blob's name, the payload's size in bytes, and how many chunks there are.

    Loopy-Claim: <owner>.<sha256>.<bytes a chunk> <size> <chunks>

Chunk n, from 0, is the message on `<ns>.blob.<the blob's name>.<n>`. The owner is a digest of the subject of the
message that claims the blob, so that each blob is one message's and can be deleted with it. The name says what a chunk
holds, so that whoever stores one twice, or beside another writer, stores the same.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping

import msgspec

from loopy.bus.messages import Message, Outgoing
from loopy.bus.subjects import Subjects
from loopy.bus.undecodable import Undecodable

CLAIM_HEADER = "Loopy-Claim"
# JSON, but of no type that any payload has: nobody who knows no claims takes it for the value.
PLACEHOLDER = b'"the payload is in the blob that the header Loopy-Claim names"'
CHUNK_BYTES = 512 << 10
OWNER_DIGITS = 16
_CLAIM = re.compile(r"([0-9a-f]{16})\.([0-9a-f]{64})\.([1-9][0-9]{0,9}) ([1-9][0-9]{0,14}) ([1-9][0-9]{0,14})")


class ValueLimits(msgspec.Struct, frozen=True):
    """What may be how large, in bytes of payload: in a message itself, and at all."""

    claim_bytes: int = 256 << 10
    largest_value_bytes: int = 64 << 20

    def in_message(self, max_payload: int) -> int:
        """The largest payload that stays in its message, on a server that takes `max_payload` bytes in one."""
        return min(self.claim_bytes, self.largest_value_bytes, max_payload // 2)


class Claim(msgspec.Struct, frozen=True):
    """A claim to a blob: whose it is, digest and size of the payload, and the bytes in each chunk but the last."""

    owner: str
    sha256: str
    chunk_bytes: int
    size: int

    @property
    def blob(self) -> str:
        """The blob's name: three tokens of a subject."""
        return f"{self.owner}.{self.sha256}.{self.chunk_bytes}"

    @property
    def chunks(self) -> int:
        """How many chunks there are."""
        return -(-self.size // self.chunk_bytes)

    def length(self, number: int) -> int:
        """How many bytes chunk `number` has."""
        return min(self.chunk_bytes, self.size - number * self.chunk_bytes)


def owner_of(subject: str) -> str:
    """The token by which the blobs of a message on this subject are known."""
    return hashlib.sha256(subject.encode()).hexdigest()[:OWNER_DIGITS]


def claim_to(message: Outgoing, max_payload: int) -> Claim:
    """The claim to a message's payload, on a server that takes `max_payload` bytes in one message."""
    payload = message.payload
    chunk_bytes = max(1, min(CHUNK_BYTES, max_payload // 2))
    return Claim(owner_of(message.subject), hashlib.sha256(payload).hexdigest(), chunk_bytes, len(payload))


def chunks_of(payload: bytes, claim: Claim) -> Iterator[bytes]:
    """The payload's chunks, in order."""
    for start in range(0, claim.size, claim.chunk_bytes):
        yield payload[start : start + claim.chunk_bytes]


def claiming(message: Outgoing, claim: Claim) -> Outgoing:
    """The message as it is stored once its payload is in a blob."""
    header = f"{claim.blob} {claim.size} {claim.chunks}"
    return Outgoing(message.subject, PLACEHOLDER, {**message.headers, CLAIM_HEADER: header})


def read_claim(headers: Mapping[str, str]) -> Claim:
    """The claim in a message's headers. Undecodable."""
    found = _CLAIM.fullmatch(headers.get(CLAIM_HEADER, ""))
    if found is None:
        raise Undecodable("bad_claim", f"{CLAIM_HEADER} must be <owner>.<sha256>.<bytes a chunk> <size> <chunks>")
    claim = Claim(found[1], found[2], int(found[3]), int(found[4]))
    if claim.chunks != int(found[5]):
        raise Undecodable("bad_claim", f"{CLAIM_HEADER} says {found[5]} chunks; its size makes {claim.chunks}")
    return claim


def mismatch(claim: Claim, payload: bytes) -> str | None:
    """What is wrong with a payload that was put together again; None when it is the one that was claimed."""
    if len(payload) != claim.size:
        return f"it has {len(payload):,} bytes instead of {claim.size:,}"
    if hashlib.sha256(payload).hexdigest() != claim.sha256:
        return "its bytes are not those that were stored: the digest is another"
    return None


def redeemed(message: Message, claim: Claim, payload: bytes) -> Message:
    """The message as it was published, with its payload; `blob` tells that it lay in one."""
    headers = {name: value for name, value in message.headers.items() if name != CLAIM_HEADER}
    return msgspec.structs.replace(message, headers=headers, payload=payload, blob=claim.blob)


def blob_subjects(subjects: Subjects, message: Message) -> str | None:
    """The filter that selects the chunks of a message's own blobs, redeemed or not; None when it claims none.

    What it claims of another's, as a dead letter that was put back may, is left out: it is not its to delete.
    """
    claimed = message.blob or message.headers.get(CLAIM_HEADER, "")
    owner = owner_of(message.subject)
    return subjects.blobs(owner) if claimed.partition(".")[0] == owner else None
