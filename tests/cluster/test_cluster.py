"""Three servers keep every stream three times: killed, paused or cut off, their leader is replaced, and nothing is lost
or doubled."""

import asyncio
from pathlib import Path

import pytest

from tests.cluster.servers import Cluster
from tests.crash.campaign import NAMESPACE, Campaign, Ended, Scene
from tests.crash.faults import Fault
from tests.crash.report import complaint, pauses, summary
from tests.crash.sender import postings

SEED = 1
FAULTS = (
    Fault(0.5, "server", "kill", 2.0),
    Fault(12.0, "server", "stop", 3.0),
    Fault(20.0, "server", "cut", 3.0),
)


async def play(directory: Path) -> Ended:
    cluster = Cluster(directory / "nats", f"{NAMESPACE.upper()}_RUN")
    try:
        await cluster.start()
        return await Scene(directory, cluster).play(Campaign(SEED, postings(SEED, 40, 25.0), FAULTS))
    finally:
        await cluster.close()


@pytest.mark.cluster
def test_a_leader_that_is_killed_paused_or_cut_off_costs_nothing_but_time(tmp_path: Path) -> None:
    ended = asyncio.run(play(tmp_path))
    assert not ended.breaches, complaint(ended, SEED, tmp_path)
    print(summary(ended), pauses(ended), sep="\n")
