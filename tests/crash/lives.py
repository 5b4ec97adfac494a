"""What people did to runs, and what follows: each time a step is made to run again, it has a new life."""

import math
from collections.abc import Iterator
from typing import Any

import msgspec

from tests.crash import expectations
from tests.crash.evidence import Stored
from tests.crash.expectations import Fate
from tests.crash.journal import FAILED, SUCCEEDED, Journal, LifeOf


class Life(msgspec.Struct, frozen=True):
    """A step of a run, from the `RunResumed` of its epoch on (0: from the start).

    `edits` are what people amended so far. `until` is the sequence of the fact by which it is replaced by the next life
    or by which the run is cancelled or ended: what is recorded behind it does not count. `is_cut` says that it need not
    have come to its end.
    """

    run: str
    step: str
    epoch: int
    fate: Fate
    edits: dict[str, dict[str, Any]]
    until: float
    is_cut: bool

    @property
    def key(self) -> LifeOf:
        """What its facts are sorted by."""
        return (self.run, self.step, self.epoch)

    @property
    def attempts(self) -> int:
        """How many attempts it takes."""
        return self.fate.failures + (self.fate.ends == "succeeded")


class Lives:
    """Every life of every step."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._of = {run: list(_lives(journal, run)) for run in journal.starts}

    def of(self, run: str) -> list[Life]:
        """The lives of a run's steps, those of a step in order."""
        return self._of.get(run, [])

    def at(self, run: str, step: str, epoch: int) -> Life | None:
        """The life that a step has in an epoch of its run."""
        lived = [life for life in self.of(run) if life.step == step and life.epoch <= epoch]
        return lived[-1] if lived else None

    def settled(self, life: Life) -> Stored | None:
        """What settled a step in this life: its success, its skip, or else its last failure."""
        if life.key in self._journal.skipped:
            return self._journal.skipped[life.key]
        results = self._journal.results.get(life.key, {})
        return self.success(life) or (results[max(results)] if results else None)

    def success(self, life: Life) -> Stored | None:
        """The success of a step in this life, if it counts."""
        return next(
            (
                result
                for result in self._journal.results.get(life.key, {}).values()
                if result.json["record"] == SUCCEEDED and result.sequence < life.until
            ),
            None,
        )

    def outcomes(self, run: str) -> Iterator[tuple[int, float, str]]:
        """(from epoch, until epoch, outcome): how the run must end or fail in each span between times that steps were
        made to run again."""
        epochs = sorted({life.epoch for life in self.of(run)})
        for epoch, until in zip(epochs, [*epochs[1:], math.inf], strict=True):
            lives = [self.at(run, step, epoch) for step in expectations.AFTER[self._journal.workflow(run)]]
            yield epoch, until, expectations.outcome(life.fate for life in lives if life is not None)


def is_failure(result: Stored) -> bool:
    """Whether this is how an attempt failed."""
    return bool(result.json["record"] == FAILED)


def resumes_in_force(journal: Journal, run: str) -> list[Stored]:
    """How a run was made to go on, time by time; what came after its end changed nothing."""
    resumes, found = journal.resumes.get(run, {}), list[Stored]()
    while (fact := resumes.get(len(found) + 1)) is not None and fact.sequence < over_at(journal, run):
        found.append(fact)
    return found


def over_at(journal: Journal, run: str) -> float:
    """The sequence of the fact by which a run was cancelled or ended; infinite for one that was neither."""
    return min((facts[run].sequence for facts in (journal.ends, journal.cancels) if run in facts), default=math.inf)


def _lives(journal: Journal, run: str) -> Iterator[Life]:
    resumes = resumes_in_force(journal, run)
    for step in expectations.AFTER[journal.workflow(run)]:
        again = [number for number, fact in enumerate(resumes, 1) if step in fact.json.get("steps", ())]
        for epoch, following in zip([0, *again], [*again, None], strict=True):
            edits = _edits(resumes[:epoch])
            fate = expectations.fate(step, journal.data(run), epoch, edits)
            if following is None:
                yield Life(run, step, epoch, fate, edits, over_at(journal, run), run in journal.cancels)
            else:
                had_failed = any(epoch <= at < following for at in journal.failed.get(run, ()))
                yield Life(run, step, epoch, fate, edits, resumes[following - 1].sequence, not had_failed)


def _edits(resumes: list[Stored]) -> dict[str, dict[str, Any]]:
    """What was amended by all of them."""
    edits: dict[str, dict[str, Any]] = {}
    for fact in resumes:
        for name, fields in fact.json.get("edits", {}).items():
            edits[name] = {**edits.get(name, {}), **fields}
    return edits
