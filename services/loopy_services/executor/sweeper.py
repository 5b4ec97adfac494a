"""Removing what sandbox providers keep of runs that have ended."""

from loopy.bus.client import Bus
from loopy.bus.streams import RUNS
from loopy.sandboxes.providers import Providers


class Sweeper:
    """Follows the ends of runs. One that ended while no executor was here is found at the next start."""

    def __init__(self, bus: Bus, providers: Providers) -> None:
        self._bus = bus
        self._providers = providers

    async def run(self) -> None:
        """Sweep what is left from before, then whatever ends from now on; returns only when cancelled."""
        position = await self._bus.position(RUNS)
        for provider in self._providers.made:
            for run in provider.kept_runs():
                if await self._bus.last(RUNS, self._bus.subjects.end(run)) is not None:
                    await provider.end_run(run)
        async for message in self._bus.read(RUNS, [self._bus.subjects.end("*")], after=position, follow=True):
            run = message.subject.split(".")[-2]
            for provider in self._providers.made:
                await provider.end_run(run)
