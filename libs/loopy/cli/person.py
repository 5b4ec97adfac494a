"""The person who gives a command: who that is, as it is recorded, and whether they mean it."""

import argparse
import os
import sys


def me() -> str:
    """Who gives this command: `ada@build-7`."""
    import getpass

    try:
        name = getpass.getuser()
    except (OSError, KeyError, ImportError):
        name = str(os.getuid())
    return f"{name}@{os.uname().nodename}"


def is_confirmed(args: argparse.Namespace, what: str) -> bool:
    """Whether something may be done to many at once, such as `cancel 7 runs`: a person at a terminal is asked."""
    if args.yes or not sys.stdin.isatty():
        return True
    print(f"{what}? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")
