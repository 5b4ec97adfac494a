"""Playing a campaign on one server, from a seed alone."""

from pathlib import Path

import msgspec

from tests.crash.campaign import SERVICES, Campaign, Ended, Scene
from tests.crash.faults import Fault, planned
from tests.crash.sender import postings
from tests.crash.single import SingleServer

# Longer than a message is left to an executor that shows no sign of life, and longer than its leases last: what it
# holds is given to another meanwhile.
DEEP_SLEEP = Fault(1.0, "executor-3", "stop", 8.0)


class Size(msgspec.Struct, frozen=True):
    """How many deliveries and faults, within how many seconds."""

    deliveries: int
    faults: int
    seconds: float


SHORT = Size(deliveries=30, faults=16, seconds=9.0)
# With these a promise was seen to break, while Loopy or what is held against it was younger: 11 and 102 an execution
# whose directory another executor removed, 12, 31 and 305 executions again after a stop or an outage, 101 an executor
# that ended because its connection had just been lost.
KEPT_SEEDS = (11, 12, 31, 101, 102, 305)
PATIENCE_WITH_MUTANTS_S = 30.0
LONG = Size(deliveries=200, faults=250, seconds=240.0)


async def play(directory: Path, seed: int, size: Size, mutant: str = "") -> Ended:
    """Play the campaign of a seed in an empty directory, with all services so wrong."""
    awake = [name for name in SERVICES if name != DEEP_SLEEP.target]
    faults = [DEEP_SLEEP, *planned(seed, awake, count=size.faults, within_s=size.seconds)]
    server = SingleServer(directory / "nats")
    campaign = Campaign(seed, postings(seed, size.deliveries, size.seconds), faults)
    if mutant:
        campaign = msgspec.structs.replace(campaign, settling_s=PATIENCE_WITH_MUTANTS_S)
    try:
        return await Scene(directory, server, mutant).play(campaign)
    finally:
        server.close()
