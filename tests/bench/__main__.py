"""`python -m tests.bench [--long] [NAME…]`: measure, and print one table of medians, with spread, target and floor."""

import importlib
import pkgutil
import sys
from collections.abc import Sequence

from tests import bench
from tests.bench.rows import Row


def names() -> list[str]:
    """The modules of this package that measure something."""
    return sorted(module.name for module in pkgutil.iter_modules(bench.__path__) if module.name not in _OTHERS)


_OTHERS = ("__main__", "bursts", "live", "processes", "pump", "rows", "sketch", "workload")
# These take many minutes: they are measured when they are named, or with --long.
_LONG = ("memory", "waiting")


def main(wanted: Sequence[str]) -> int:
    """Measure what is wanted, by default everything that does not take long. 2 when there is no such benchmark."""
    if "--long" in wanted:
        wanted = [*(name for name in wanted if name != "--long"), *_LONG]
    unknown = sorted(set(wanted) - set(names()))
    if unknown:
        print(f"no benchmark {', '.join(unknown)}; there are: {' '.join(names())}", file=sys.stderr)
        return 2
    print(f"{'':<58}{'median':>14}{'min … max':>28}{'target':>13}{'× floor':>9}")
    for name in wanted or [name for name in names() if name not in _LONG]:
        for row in importlib.import_module(f"tests.bench.{name}").measure():
            print(line(name, row), flush=True)
    return 0


def line(name: str, row: Row) -> str:
    """A row as a line of the table; a missed target has a mark."""
    spread = f"{shown(min(row.samples), row)} … {shown(max(row.samples), row)}"
    target = "" if row.target is None else f"{'' if row.met else '✗ '}{shown(row.target, row)}"
    floor = "" if row.times_the_floor is None else f"{row.times_the_floor:.2f}"
    return f"{name + ': ' + row.what:<58}{shown(row.median, row):>14}{spread:>28}{target:>13}{floor:>9}"


def shown(value: float, row: Row) -> str:
    """A figure with its unit, in as many digits as mean something."""
    digits = 0 if value >= 100 else 1 if value >= 10 else 3
    return f"{value:,.{digits}f}{'' if row.unit == '/s' else ' '}{row.unit}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
