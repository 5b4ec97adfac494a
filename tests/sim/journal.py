"""The journal of one run, told a second time: nothing here asks the engine's own code."""

from collections.abc import Iterator
from typing import TypeAlias, assert_never

from loopy.compiler.plan import Workflow
from loopy.runs.records import (
    AttemptFailed,
    AttemptSucceeded,
    RunAdmitted,
    RunCancelled,
    RunEnded,
    RunFailed,
    RunPaused,
    RunResumed,
    RunStarted,
    StepSkipped,
)
from tests.sim.entries import Entry, Key

Result: TypeAlias = AttemptSucceeded | AttemptFailed
Fact: TypeAlias = (
    RunStarted
    | RunAdmitted
    | AttemptSucceeded
    | AttemptFailed
    | StepSkipped
    | RunPaused
    | RunResumed
    | RunCancelled
    | RunFailed
    | RunEnded
)


class Journal:
    """The facts of one run, each with its entry, in the order in which they were stored."""

    def __init__(self, workflow: Workflow, started: RunStarted) -> None:
        self.workflow = workflow
        self.started = started
        self.results: list[tuple[Entry, Result]] = []
        self.paused: list[tuple[Entry, RunPaused]] = []
        self.resumed: list[tuple[Entry, RunResumed]] = []
        self.failed: list[tuple[Entry, RunFailed]] = []
        self.cancelled: tuple[Entry, RunCancelled] | None = None
        self.ended: tuple[Entry, RunEnded] | None = None

    def add(self, entry: Entry, record: Fact) -> None:
        """Take the next fact of this run."""
        match record:
            case AttemptSucceeded() | AttemptFailed():
                self.results.append((entry, record))
            case RunPaused():
                self.paused.append((entry, record))
            case RunResumed():
                self.resumed.append((entry, record))
            case RunFailed():
                self.failed.append((entry, record))
            case RunCancelled():
                self.cancelled = (entry, record)
            case RunEnded():
                self.ended = (entry, record)
            case RunStarted() | RunAdmitted() | StepSkipped():
                pass
            case _:
                assert_never(record)

    def begun_anew(self, step: str, epoch: int) -> Entry | None:
        """Where a step was made to run again after this epoch of it, if it was."""
        return next((entry for entry, r in self.resumed if r.epoch > epoch and step in r.steps), None)

    def counted(self) -> Iterator[tuple[Entry, Result]]:
        """The results that something follows from: stored in their epoch, in a run that was not over for good."""
        ends = [each[0].index for each in (self.cancelled, self.ended) if each is not None]
        for entry, result in self.results:
            anew = self.begun_anew(result.step, result.epoch)
            if entry.index < min([*ends, anew.index if anew is not None else entry.index + 1], default=entry.index + 1):
                yield entry, result

    def over(self) -> list[Entry]:
        """Where the run ended, or failed, each time."""
        over = [entry for entry, failed in self.failed if self._stands(entry, failed.epoch)]
        return [*over, self.ended[0]] if self.ended is not None else over

    def is_over(self) -> bool:
        """Whether the run came to its end, or failed since it was resumed last."""
        epoch = self.resumed[-1][1].epoch if self.resumed else 0
        return self.ended is not None or any(failed.epoch == epoch for _, failed in self.failed)

    def pauses(self) -> Iterator[tuple[Entry, float]]:
        """Where the run was paused, and until when: it was resumed, or ended, or never."""
        for entry, paused in self.paused:
            ends = [after.time for after, resumed in self.resumed if resumed.epoch > paused.epoch]
            ends += [over[0].time for over in (self.cancelled, self.ended) if over is not None]
            if self._stands(entry, paused.epoch):
                yield entry, min(ends, default=float("inf"))

    def _stands(self, entry: Entry, epoch: int) -> bool:
        """Whether a fact of an epoch came before the next epoch."""
        return not any(after.index < entry.index for after, resumed in self.resumed if resumed.epoch > epoch)


def key_of(result: Result) -> Key:
    """Whose result it is."""
    return (result.run, result.step, result.epoch, result.attempt)
