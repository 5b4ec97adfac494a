"""Values that are large for their server: in some simulations most of them lie beside their messages, in chunks."""

import random

import msgspec

from loopy.bus.claims import CLAIM_HEADER, ValueLimits, mismatch, read_claim
from loopy.bus.memory.stream import Kept, MemoryStream
from loopy.bus.subjects import Subjects

# Nearly every record has more bytes than the first of these, few have more than the last.
CLAIM_BYTES = (100, 250, 500)
CHUNK_BYTES = 150


def limits_of(seed: int, share: float) -> ValueLimits:
    """How large a value may be that lies in its message, in the simulation of a seed: little, in this share of all."""
    rng = random.Random(f"large {seed}")
    return ValueLimits(claim_bytes=rng.choice(CLAIM_BYTES)) if rng.random() < share else ValueLimits()


def whole(blobs: MemoryStream, subjects: Subjects, kept: Kept) -> Kept | None:
    """A message with its payload, as it can be had at this moment; None when it cannot."""
    if CLAIM_HEADER not in kept.headers:
        return kept
    claim = read_claim(kept.headers)
    chunks = [blobs.last(subjects.chunk(claim.blob, number)) for number in range(claim.chunks)]
    payload = b"".join(chunk.payload for chunk in chunks if chunk is not None)
    return None if mismatch(claim, payload) else msgspec.structs.replace(kept, payload=payload)
