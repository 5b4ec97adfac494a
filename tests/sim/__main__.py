"""`python -m tests.sim --seeds 2000`: so many simulations, on every core; `--seed 123` replays one and shows it."""

import argparse
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor

import msgspec

from tests.sim.history import History
from tests.sim.invariants import breaches
from tests.sim.world import simulate

PORTION = 25


class Report(msgspec.Struct, frozen=True):
    """What came of one simulation."""

    seed: int
    breaches: list[str]
    messages: int
    executions: int
    losses: int


def report(seed: int) -> Report:
    """Simulate a seed and check it."""
    history = simulate(seed)
    return Report(seed, breaches(history), len(history.entries), len(history.executions), len(history.losses))


def sweep(seeds: int, first: int = 0) -> int:
    """Simulate so many seeds, from the first on; the exit code."""
    began = time.perf_counter()
    reports: list[Report] = []
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for each in pool.map(report, range(first, first + seeds), chunksize=PORTION):
            reports.append(each)
            if each.breaches:
                told = "".join(f"\n  {breach}" for breach in each.breaches[:5])
                print(f"seed {each.seed} (replay it: make test-sim SEED={each.seed}){told}", flush=True)
    messages, executions, losses = (
        sum(getattr(each, field) for each in reports) for field in ("messages", "executions", "losses")
    )
    failed = sum(bool(each.breaches) for each in reports)
    took_s = time.perf_counter() - began
    print(
        f"{seeds} simulations in {took_s:.0f} s: {messages:,} messages, {executions:,} executions, "
        f"{losses:,} things that went wrong; {failed} seeds breach an invariant"
    )
    return 1 if failed else 0


def replay(seed: int) -> int:
    """Simulate one seed and show all that happened; the exit code."""
    history = simulate(seed)
    for line in lines(history):
        print(line)
    found = breaches(history)
    for breach in found:
        print(f"BREACH {breach}")
    return 1 if found else 0


def lines(history: History) -> list[str]:
    """What was stored, executed and lost, in the order in which it happened."""
    stored = [(e.time, f"{e.stream:8} {e.kept.subject} #{e.kept.sequence}") for e in history.entries]
    executed = [(e.started, f"EXECUTE  {e.name}") for e in history.executions]
    lost = [(loss.time, f"LOSS     {loss.process}: {loss.what}") for loss in history.losses]
    return [f"{at:9.3f} {what}" for at, what in sorted([*stored, *executed, *lost], key=lambda line: line[0])]


def main() -> int:
    """Read the command line and do what it asks for."""
    parser = argparse.ArgumentParser(prog="python -m tests.sim")
    parser.add_argument("--seeds", type=int, default=2000)
    parser.add_argument("--first", type=int, default=0, help="begin with this seed, to simulate others than before")
    parser.add_argument("--seed", type=int)
    arguments = parser.parse_args()
    return sweep(arguments.seeds, arguments.first) if arguments.seed is None else replay(arguments.seed)


if __name__ == "__main__":
    sys.exit(main())
