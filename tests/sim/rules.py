"""The rules of the language and of delivery, told a second time: nothing here asks the engine's own code."""

from collections import defaultdict

from loopy.compiler.expressions import evaluate
from loopy.compiler.plan import Step
from loopy.runs.records import AttemptFailed, AttemptSucceeded, Data, RunResumed
from tests.sim.entries import Entry, Key
from tests.sim.history import History
from tests.sim.journal import Journal, Result, key_of


class Known:
    """What is known of a run's steps just before an entry was stored, by the rules of the language."""

    def __init__(self, journal: Journal, before: Entry) -> None:
        self._workflow = journal.workflow
        self._event = journal.started.event.data
        self._epochs: dict[str, int] = {}
        self._edits: dict[str, dict[str, Data]] = {}
        for entry, resumed in journal.resumed:
            if entry.index < before.index:
                self._begin_anew(resumed)
        self._results: dict[str, list[Result]] = defaultdict(list)
        for entry, result in journal.results:
            if entry.index < before.index and result.epoch == self._epochs.get(result.step, 0):
                self._results[result.step].append(result)

    def _begin_anew(self, resumed: RunResumed) -> None:
        """What people put right is so for the steps that run again, until what they put right is worked out anew."""
        for step in resumed.steps:
            self._epochs[step] = resumed.epoch
            edits = {name: fields for name, fields in self._edits.get(step, {}).items() if name not in resumed.steps}
            for name, fields in resumed.edits.items():
                edits[name] = {**edits.get(name, {}), **fields}
            self._edits[step] = edits

    def event(self, step: str) -> Data:
        """The event's data, as a step is given them."""
        return {**self._event, **self._edits.get(step, {}).get("event", {})}

    def state(self, name: str) -> str:
        """`succeeded`, `failed`, `skipped`, `blocked` by a failure, or `waiting`."""
        step = self._workflow.step(name)
        if any(self.state(before) in ("failed", "blocked") for before in step.after):
            return "blocked"
        if self.is_skipped(step):
            return "skipped"
        match settling(step, self._results[name]):
            case AttemptSucceeded():
                return "succeeded"
            case AttemptFailed():
                return "failed"
            case None:
                return "waiting"

    def output(self, name: str, reader: str) -> Data | None:
        """The output of a step that succeeded, as another is given it; None for one that was skipped."""
        standing = settling(self._workflow.step(name), self._results[name])
        if not isinstance(standing, AttemptSucceeded) or self.is_skipped(self._workflow.step(name)):
            return None
        return {**standing.output, **self._edits.get(reader, {}).get(name, {})}

    def is_skipped(self, step: Step) -> bool:
        """Whether a step is not to run, because of its `when` or because nothing before it ran."""
        before = [self.state(name) for name in step.after]
        if before and all(state == "skipped" for state in before):
            return True
        if step.when is None or any(state in ("waiting", "failed", "blocked") for state in before):
            return False
        inputs = {name: self.output(name, step.name) for name in step.after}
        return not evaluate(step.when, self.event(step.name), inputs)


def settling(step: Step, results: list[Result]) -> Result | None:
    """The result that settles a step: the first success, or the first failure after which there is no attempt."""
    for result in results:
        if isinstance(result, AttemptSucceeded) or not result.retryable or result.attempt >= step.retry.attempts:
            return result
    return None


def settled_at(history: History, key: Key) -> float | None:
    """When an attempt was settled: by its result, by its run's end, or by what somebody had its run do."""
    times = (recorded_at(history, key), unwanted_at(history, key))
    return min((at for at in times if at is not None), default=None)


def recorded_at(history: History, key: Key) -> float | None:
    """When the result of an attempt was stored, or its run ended for another reason than that somebody cancelled it."""
    journal = history.journals[key[0]]
    found = [entry for entry, result in journal.results if key_of(result) == key]
    if journal.ended is not None and journal.ended[1].outcome != "cancelled":
        found.append(journal.ended[0])
    return min((entry.time for entry in found), default=None)


def unwanted_at(history: History, key: Key) -> float | None:
    """When somebody cancelled an attempt's run, or had its step run again."""
    run, step, epoch, _ = key
    journal = history.journals[run]
    anew = journal.begun_anew(step, epoch)
    found = [anew, journal.cancelled[0] if journal.cancelled is not None else None]
    return min((entry.time for entry in found if entry is not None), default=None)


def lied_about(history: History) -> set[Key]:
    """The attempts in the place of whose result a stranger wrote: nobody who executes one looks there first."""
    results = (pair for journal in history.journals.values() for pair in journal.results)
    return {key_of(result) for entry, result in results if history.is_lie(entry, "garbage", "forged")}


def last_settled(journal: Journal) -> float:
    """When the last result of a run was stored that preceded its end; 0 when it had none."""
    end = journal.ended[0].index if journal.ended is not None else None
    return max((entry.time for entry, _ in journal.results if end is None or entry.index < end), default=0.0)
