"""`python -m tests.crash`: the long campaign, or any other: `--seed 7 --deliveries 200 --faults 250 --seconds 240`."""

import argparse
import asyncio
import secrets
import shutil
import sys
import tempfile
import time
from pathlib import Path

from tests.crash.play import LONG, Size, play
from tests.crash.report import complaint, summary


def main() -> int:
    """Play one campaign; 0 when every promise was kept. Store and logs are kept when one was not."""
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description="Kill everything, lose nothing.")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1_000_000))
    for name in ("deliveries", "faults", "seconds"):
        parser.add_argument(f"--{name}", type=type(getattr(LONG, name)), default=getattr(LONG, name))
    args = parser.parse_args()
    directory = Path(tempfile.mkdtemp(prefix=f"loopy-crash-{args.seed}-"))
    print(f"seed {args.seed} in {directory}", flush=True)
    begun = time.monotonic()
    ended = asyncio.run(play(directory, args.seed, Size(args.deliveries, args.faults, args.seconds)))
    print(f"{summary(ended)}; {time.monotonic() - begun:.0f} s in all")
    if ended.breaches:
        print(complaint(ended, args.seed, directory), file=sys.stderr)
        return 1
    shutil.rmtree(directory)
    return 0


if __name__ == "__main__":
    sys.exit(main())
