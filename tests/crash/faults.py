"""When which process is killed or stopped: a plan that follows from a seed alone."""

from collections.abc import Sequence
from random import Random
from typing import Literal, TypeAlias

import msgspec

How: TypeAlias = Literal["kill", "stop", "cut"]
SERVER = "server"
SHARE_OF_STOPS = 0.3
SHARE_OF_SERVER = 0.3
RECOVERY_S = 3.0


class Fault(msgspec.Struct, frozen=True):
    """A process is killed (SIGKILL), stopped (SIGSTOP) or cut off from its like at `at_s`, for `lasts_s` seconds."""

    at_s: float
    target: str
    how: How
    lasts_s: float


def planned(seed: int, services: Sequence[str], *, count: int, within_s: float) -> list[Fault]:
    """`count` faults within a time, in order; a process is left alone until it has recovered from the one before."""
    random = Random(seed)
    free_at = dict.fromkeys((SERVER, *services), 0.0)
    faults = []
    for at_s in sorted(random.uniform(0, within_s) for _ in range(count)):
        free = [name for name in services if free_at[name] <= at_s]
        server_is_free = free_at[SERVER] <= at_s
        if not free and not server_is_free:
            continue
        takes_server = server_is_free and (not free or random.random() < SHARE_OF_SERVER)
        fault = _fault(random, at_s, SERVER if takes_server else random.choice(free))
        free_at[fault.target] = at_s + fault.lasts_s + RECOVERY_S
        faults.append(fault)
    return faults


def _fault(random: Random, at_s: float, target: str) -> Fault:
    how: How = "stop" if random.random() < SHARE_OF_STOPS else "kill"
    return Fault(at_s, target, how, random.uniform(0.3, 2.5) if how == "stop" else random.uniform(0.05, 0.8))
