"""Waiting until runs are over, with a line for each of their facts."""

from collections.abc import Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING

from loopy.cli.cascade_display import Display
from loopy.cli.screen import stdout_screen

if TYPE_CHECKING:
    from loopy.bus.client import Bus
    from loopy.runs.records import Outcome

FOLLOWED = 50  # runs whose facts are asked for by name; beyond that all are read


async def until_over(
    bus: "Bus", runs: "Mapping[str, int | None]", after: int, *, silent: bool = False
) -> "dict[str, Outcome]":
    """The outcome of each run, once it has ended, or failed in the epoch that it is in (None: failures do not count).

    Their facts from after this position of the stream on are shown as they come, unless `silent`.
    """
    from loopy.bus.codec import read_record
    from loopy.bus.streams import RUNS
    from loopy.bus.undecodable import Undecodable
    from loopy.runs.records import EventRouted, RunEnded, RunFailed

    outcomes: dict[str, Outcome] = {}
    if not runs:
        return outcomes
    display = Display(stdout_screen(), {})
    journals = [bus.subjects.journal(run) for run in runs] if len(runs) <= FOLLOWED else [bus.subjects.journal("*")]
    async with aclosing(bus.read(RUNS, journals, after=after, follow=True)) as messages:
        async for message in messages:
            try:
                record = read_record(message)
            except Undecodable:
                continue
            if isinstance(record, EventRouted) or record.run not in runs:
                continue
            if not silent:
                display.see(record)
            epoch = runs[record.run]
            if isinstance(record, RunEnded):
                outcomes[record.run] = record.outcome
            elif isinstance(record, RunFailed) and epoch is not None and record.epoch >= epoch:
                outcomes[record.run] = "failed"
            if len(outcomes) == len(runs):
                break
    return outcomes
