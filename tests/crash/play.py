"""Playing a campaign on one server, from a seed alone."""

from pathlib import Path

import msgspec

from tests.crash.campaign import SERVICES, Campaign, Ended, Scene
from tests.crash.faults import Fault, planned
from tests.crash.sender import postings
from tests.crash.single import SingleServer

# Longer than a message is left to a consumer that shows no sign of life: what it holds is given to another meanwhile.
DEEP_SLEEP = Fault(1.0, "executor-3", "stop", 32.0)


class Size(msgspec.Struct, frozen=True):
    """How many deliveries and faults, within how many seconds."""

    deliveries: int
    faults: int
    seconds: float


SHORT = Size(deliveries=20, faults=14, seconds=8.0)
LONG = Size(deliveries=200, faults=250, seconds=240.0)


async def play(directory: Path, seed: int, size: Size) -> Ended:
    """Play the campaign of a seed in an empty directory."""
    awake = [name for name in SERVICES if name != DEEP_SLEEP.target]
    faults = [DEEP_SLEEP, *planned(seed, awake, count=size.faults, within_s=size.seconds)]
    server = SingleServer(directory / "nats")
    try:
        return await Scene(directory, server).play(Campaign(postings(seed, size.deliveries, size.seconds), faults))
    finally:
        server.close()
