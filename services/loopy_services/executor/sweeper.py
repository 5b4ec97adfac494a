"""Removing what sandbox providers keep of runs that have ended."""

from collections.abc import Iterable

import structlog

from loopy.bus.client import Bus
from loopy.bus.facts import readable_facts
from loopy.bus.messages import Message
from loopy.bus.streams import RUNS
from loopy.sandboxes.installed import Providers
from loopy.sandboxes.provider import Provider

_log = structlog.get_logger()


class Sweeper:
    """Follows the ends of runs. One that ended while no executor was here is found at the next start."""

    def __init__(self, bus: Bus, providers: Providers) -> None:
        self._bus = bus
        self._providers = providers

    async def run(self) -> None:
        """Sweep what is left from before, then whatever ends from now on; returns only when cancelled."""
        position = await self._bus.position(RUNS)
        for provider in self._providers.made:
            for run in _kept(provider):
                if _ended(self._bus, await self._bus.last(RUNS, self._bus.subjects.end(run))):
                    await _sweep(provider, run)
        async for message in self._bus.read(RUNS, [self._bus.subjects.end("*")], after=position, follow=True):
            if not _ended(self._bus, message):
                continue
            run = message.subject.split(".")[3]
            for provider in self._providers.made:
                await _sweep(provider, run)


def _ended(bus: Bus, end: Message | None) -> bool:
    """Whether a run has ended, by what lies in its end's place: nonsense there ends none."""
    return end is not None and any(readable_facts(bus.subjects, [end]))


def _kept(provider: Provider) -> Iterable[str]:
    try:
        return provider.kept_runs()
    except Exception:  # noqa: BLE001 (a provider may be anyone's; what it keeps costs room, not attempts)
        _log.warning("sandbox.not_listed", provider=type(provider).__name__, exc_info=True)
        return ()


async def _sweep(provider: Provider, run: str) -> None:
    try:
        await provider.end_run(run)
    except Exception:  # noqa: BLE001 (as above)
        _log.warning("sandbox.not_removed", provider=type(provider).__name__, run=run, exc_info=True)
