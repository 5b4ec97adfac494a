"""What a campaign amounted to, as text."""

from collections import Counter
from itertools import pairwise
from pathlib import Path

from tests.crash.campaign import Ended
from tests.crash.times import repetitions

SHOWN = 25


def summary(ended: Ended) -> str:
    """One line: how much was done, what befell it, what that cost."""
    evidence = ended.evidence
    blows = Counter(f"{blow.target.partition('-')[0]} {blow.how}" for blow in evidence.blows)
    return (
        f"{len(evidence.of('run.start'))} runs, {len(evidence.of('run.done'))} steps, "
        f"{len(evidence.executions)} executions ({len(repetitions(evidence))} again); "
        f"{len(evidence.blows)} faults ({', '.join(f'{n} {name}' for name, n in sorted(blows.items()))}); "
        f"calm {ended.settled_after_s:.1f} s after the last, longest pause {longest_pause_s(ended):.1f} s"
    )


def longest_pause_s(ended: Ended) -> float:
    """The longest time between two facts while deliveries came in and processes were hurt."""
    until = max((message.at_s for message in ended.evidence.of("delivery")), default=0.0)
    times = sorted(message.at_s for message in ended.evidence.messages if message.stream == "RUN")
    within = [at for at in times if at <= until]
    return max((after - before for before, after in pairwise(within)), default=0.0)


def complaint(ended: Ended, seed: int, directory: Path) -> str:
    """What is wrong, the seed, and where to look."""
    lines = [breach.text for breach in ended.breaches]
    more = [f"… and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else []
    return "\n".join(
        [f"seed {seed}: {len(lines)} promises are broken; store, logs and project: {directory}", *lines[:SHOWN], *more]
    )
