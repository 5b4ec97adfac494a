"""The runtimes that are installed, found by the entry-point group `loopy.agents`."""

from functools import cache
from importlib.metadata import EntryPoint, entry_points

from loopy.agents.harness import Harness, HarnessError
from loopy.diagnostics.suggest import did_you_mean

GROUP = "loopy.agents"


@cache
def _installed() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=GROUP)}


def installed_runtimes() -> tuple[str, ...]:
    """The names that a registry may write after `runtime:` and that can be executed here, in order."""
    return tuple(sorted(_installed()))


class Runtimes:
    """Each installed runtime's harness, made when it is first asked for."""

    def __init__(self) -> None:
        self._made: dict[str, Harness] = {}

    def get(self, name: str) -> Harness:
        """The harness of that runtime; HarnessError, which lists those that there are, when none is installed."""
        if name not in self._made:
            points = _installed()
            if name not in points:
                raise HarnessError(
                    "no_runtime",
                    f"no runtime `{name}` is installed; installed: {', '.join(installed_runtimes())}. "
                    f"{did_you_mean(name, points)}".rstrip(),
                    retryable=False,
                )
            self._made[name] = points[name].load()()
        return self._made[name]
