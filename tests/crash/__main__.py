"""`python -m tests.crash`: the long campaign, or any other: `--seed 7 --deliveries 200 --faults 250 --seconds 240`.

`--short` plays the short one, `--kept` long ones with every seed that ever broke a promise, `--mutants` short ones with
an engine that is wrong, until that is noticed.
"""

import argparse
import asyncio
import secrets
import shutil
import sys
import tempfile
import time
from pathlib import Path

from tests.crash.journal import Journal
from tests.crash.lives import Lives
from tests.crash.mutants import MUTANTS
from tests.crash.play import KEPT_SEEDS, LONG, SHORT, Size, play
from tests.crash.report import complaint, summary

SEEDS_A_MUTANT = 6


def main() -> int:
    """Play one campaign; 0 when every promise was kept. Store and logs are kept when one was not."""
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description="Kill everything, lose nothing.")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1_000_000))
    for name in ("deliveries", "faults", "seconds"):
        parser.add_argument(f"--{name}", type=type(getattr(LONG, name)), default=getattr(LONG, name))
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--kept", action="store_true")
    parser.add_argument("--mutants", nargs="*", choices=MUTANTS)
    args = parser.parse_args()
    if args.mutants is not None:
        return int(sum(not is_noticed(name) for name in args.mutants or MUTANTS) > 0)
    size = SHORT if args.short else Size(args.deliveries, args.faults, args.seconds)
    played = [_played(seed, size) for seed in (KEPT_SEEDS if args.kept else (args.seed,))]
    return 0 if all(played) else 1


def is_noticed(name: str) -> bool:
    """Whether the promise that a mutant is made to break is seen to break, within a few short campaigns."""
    mutant = MUTANTS[name]
    for seed in range(1, SEEDS_A_MUTANT + 1):
        with tempfile.TemporaryDirectory(prefix=f"loopy-crash-{name}-", ignore_cleanup_errors=True) as directory:
            evidence = asyncio.run(play(Path(directory), seed, SHORT, name)).evidence
        journal = Journal(evidence)
        for breach in mutant.noticed_by(evidence, journal, Lives(journal)):
            print(f"{mutant.wrong}: noticed with seed {seed}, {breach.text}", flush=True)
            return True
    print(f"{mutant.wrong}: not noticed in {SEEDS_A_MUTANT} short campaigns", flush=True)
    return False


def _played(seed: int, size: Size) -> bool:
    """Play it, and say what came of it; whether every promise was kept."""
    directory = Path(tempfile.mkdtemp(prefix=f"loopy-crash-{seed}-"))
    print(f"seed {seed} in {directory}", flush=True)
    begun = time.monotonic()
    ended = asyncio.run(play(directory, seed, size))
    print(f"{summary(ended)}; {time.monotonic() - begun:.0f} s in all")
    if ended.breaches:
        print(complaint(ended, seed, directory), file=sys.stderr)
        return False
    shutil.rmtree(directory)
    return True


if __name__ == "__main__":
    sys.exit(main())
