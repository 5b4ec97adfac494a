"""The rules of the language and of delivery, told a second time: nothing here asks the engine's own code."""

from collections import defaultdict
from typing import TypeAlias

from loopy.compiler.expressions import evaluate
from loopy.compiler.plan import Step
from loopy.runs.records import AttemptFailed, AttemptRequested, AttemptSucceeded, Data
from tests.sim.history import Entry, History

Result: TypeAlias = AttemptSucceeded | AttemptFailed
Results: TypeAlias = dict[str, dict[str, list[tuple[Entry, Result]]]]


class Known:
    """What is known of a run's steps just before an entry was stored, by the rules of the language."""

    def __init__(self, history: History, results: Results, run: str, before: Entry) -> None:
        self._workflow = history.workflow(run)
        self._event = history.started[run].event.data
        self._results = {
            name: [result for entry, result in some if entry.index < before.index]
            for name, some in results.get(run, {}).items()
        }

    def state(self, name: str) -> str:
        """`succeeded`, `failed`, `skipped`, `blocked` by a failure, or `waiting`."""
        step = self._workflow.step(name)
        if any(self.state(before) in ("failed", "blocked") for before in step.after):
            return "blocked"
        if self.is_skipped(step):
            return "skipped"
        match settling(step, self._results.get(name, [])):
            case AttemptSucceeded():
                return "succeeded"
            case AttemptFailed():
                return "failed"
            case None:
                return "waiting"

    def output(self, name: str) -> Data | None:
        """The output of a step that succeeded; None for one that was skipped."""
        standing = settling(self._workflow.step(name), self._results.get(name, []))
        return standing.output if isinstance(standing, AttemptSucceeded) else None

    def is_skipped(self, step: Step) -> bool:
        """Whether a step is not to run, because of its `when` or because nothing before it ran."""
        before = [self.state(name) for name in step.after]
        if before and all(state == "skipped" for state in before):
            return True
        if step.when is None or any(state in ("waiting", "failed", "blocked") for state in before):
            return False
        inputs = {name: self.output(name) for name in step.after}
        return not evaluate(step.when, self._event, inputs)


def results_of(history: History) -> Results:
    """The results of each run's steps, in the order of the journal."""
    found: Results = defaultdict(lambda: defaultdict(list))
    for entry, success in history.records(AttemptSucceeded):
        found[success.run][success.step].append((entry, success))
    for entry, failure in history.records(AttemptFailed):
        found[failure.run][failure.step].append((entry, failure))
    for steps in found.values():
        for results in steps.values():
            results.sort(key=lambda pair: pair[0].index)
    return found


def settling(step: Step, results: list[Result]) -> Result | None:
    """The result that settles a step: the first success, or the first failure after which there is no attempt."""
    for result in results:
        if isinstance(result, AttemptSucceeded) or not result.retryable or result.attempt >= step.retry.attempts:
            return result
    return None


def settled_at(history: History) -> dict[tuple[str, str, int], float]:
    """When each attempt was settled: by a result, by a success of its step, or by the end of its run."""
    settled: dict[tuple[str, str, int], float] = {}
    successes = {(s.run, s.step): entry.time for entry, s in history.records(AttemptSucceeded)}
    failures = {(f.run, f.step, f.attempt): entry.time for entry, f in history.records(AttemptFailed)}
    for _, asked in history.records(AttemptRequested):
        key = (asked.run, asked.step, asked.attempt)
        ended = history.ended.get(asked.run)
        times = [successes.get(key[:2]), failures.get(key), ended[0].time if ended else None]
        known = [time for time in times if time is not None]
        if known:
            settled[key] = min(known)
    return settled
