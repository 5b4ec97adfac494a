"""What a campaign amounted to, as text."""

import math
from collections import Counter
from itertools import pairwise
from pathlib import Path

from tests.crash.campaign import Ended
from tests.crash.evidence import Evidence
from tests.crash.executions import repetitions
from tests.crash.faults import SERVER

SHOWN = 25
BEFORE_S = 1.0
STEERED = {"cancel": "cancelled", "pause": "paused", "resume": "resumed", "failed": "failed"}


def summary(ended: Ended) -> str:
    """One line: how much was done, what befell it, what that cost."""
    evidence = ended.evidence
    blows = Counter(f"{blow.target.partition('-')[0]} {blow.how}" for blow in evidence.blows)
    return (
        f"{len(evidence.of('run.start'))} runs, {len(evidence.of('run.result'))} results, "
        f"{len(evidence.executions)} executions ({len(repetitions(evidence))} again); "
        f"{_steered(evidence)}; {len(evidence.blows)} faults "
        f"({', '.join(f'{count} {name}' for name, count in sorted(blows.items()))}); "
        f"calm {ended.settled_after_s:.1f} s after the last, longest pause {longest_pause_s(ended):.1f} s"
    )


def _steered(evidence: Evidence) -> str:
    """What people did, and how often."""
    return ", ".join(f"{len(evidence.of(f'run.{kind}'))} {said}" for kind, said in STEERED.items())


def longest_pause_s(ended: Ended) -> float:
    """The longest time between two facts while deliveries came in and processes were hurt."""
    until = max((message.at_s for message in ended.evidence.of("delivery")), default=0.0)
    times = sorted(message.at_s for message in ended.evidence.messages if message.stream == "RUN")
    within = [at for at in times if at <= until]
    return max((after - before for before, after in pairwise(within)), default=0.0)


def pauses(ended: Ended) -> str:
    """For each time that the server was hurt, the longest time between two facts from then on, until the next time."""
    evidence = ended.evidence
    blows = sorted((b for b in evidence.blows if b.target.startswith(SERVER)), key=lambda blow: blow.begun_s)
    lasts = max(message.at_s for message in evidence.of("delivery")) - evidence.booted_at
    facts = sorted(message.at_s - evidence.booted_at for message in evidence.messages if message.stream == "RUN")
    said = []
    for blow, until_s in zip(blows, [*(later.begun_s for later in blows[1:]), math.inf], strict=True):
        within = [at_s for at_s in facts if blow.begun_s - BEFORE_S < at_s < min(until_s, max(lasts, blow.ended_s))]
        longest = max((after - before for before, after in pairwise(within)), default=0.0)
        said.append(f"{blow.target} {blow.how} for {blow.ended_s - blow.begun_s:.1f} s: longest pause {longest:.1f} s")
    return "\n".join(said)


def complaint(ended: Ended, seed: int, directory: Path) -> str:
    """What is wrong, the seed, and where to look."""
    lines = [breach.text for breach in ended.breaches]
    more = [f"… and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else []
    return "\n".join(
        [f"seed {seed}: {len(lines)} promises are broken; store, logs and project: {directory}", *lines[:SHOWN], *more]
    )
