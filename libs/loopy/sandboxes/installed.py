"""The sandbox providers that are installed, found by the entry-point group `loopy.sandboxes`."""

from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from loopy.diagnostics.suggest import did_you_mean
from loopy.sandboxes.provider import Provider, SandboxError

GROUP = "loopy.sandboxes"


@cache
def _installed() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=GROUP)}


def installed_providers() -> tuple[str, ...]:
    """The names that a registry may write after `provider:`, in order."""
    return tuple(sorted(_installed()))


class Providers:
    """Each installed provider, made for one project when it is first asked for."""

    def __init__(self, project: Path) -> None:
        self._project = project
        self._made: dict[str, Provider] = {}

    @property
    def made(self) -> tuple[Provider, ...]:
        """The providers that have been asked for."""
        return tuple(self._made.values())

    def get(self, name: str) -> Provider:
        """The provider of that name; SandboxError, which lists those that there are, when none is installed."""
        if name not in self._made:
            points = _installed()
            if name not in points:
                raise SandboxError(
                    f"no sandbox provider `{name}` is installed; installed: {', '.join(installed_providers())}. "
                    f"{did_you_mean(name, points)}".rstrip(),
                    retryable=False,
                )
            self._made[name] = points[name].load()(self._project)
        return self._made[name]
