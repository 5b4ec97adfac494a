"""The messages of a campaign, sorted by what they say. Subjects and payloads are read as docs/reference/subjects.md
has them, and nothing is concluded."""

from collections import defaultdict
from typing import Any, TypeAlias

from tests.crash.evidence import Evidence, Stored

LifeOf: TypeAlias = tuple[str, str, int]
SUCCEEDED, FAILED = "AttemptSucceeded", "AttemptFailed"


class Journal:
    """Facts by what they are about: events by id, runs by id, what repeats in a run by its epoch.

    Attempts and their results by (run, step, epoch) and number, skips by (run, step, epoch).
    """

    def __init__(self, evidence: Evidence) -> None:
        self.events = {message.tokens[-1]: message for message in evidence.of("evt")}
        self.routed = {message.tokens[-1]: message for message in evidence.of("run.routed")}
        self.starts = _by_run(evidence.of("run.start"))
        self.ends = _by_run(evidence.of("run.end"))
        self.cancels = _by_run(evidence.of("run.cancel"))
        self.failed = _by_epoch(evidence.of("run.failed"))
        self.pauses = _by_epoch(evidence.of("run.pause"))
        self.resumes = _by_epoch(evidence.of("run.resume"))
        self.skipped = {
            (message.tokens[2], message.tokens[3], int(message.tokens[4])): message
            for message in evidence.of("run.skip")
        }
        self.results = _by_attempt(evidence.of("run.result"))
        self.requests = _by_attempt(evidence.of("attempt"))

    def workflow(self, run: str) -> str:
        """The workflow that a run is one of."""
        return str(self.starts[run].json["workflow"])

    def data(self, run: str) -> dict[str, Any]:
        """The data of the event that started a run."""
        found: dict[str, Any] = self.starts[run].json["event"]["data"]
        return found

    def about(self, run: str) -> str:
        """A run, as a person looks for it."""
        return f"run {run} of {self.workflow(run)} {self.data(run)}" if run in self.starts else f"run {run}"


def _by_run(messages: list[Stored]) -> dict[str, Stored]:
    return {message.tokens[2]: message for message in messages}


def _by_epoch(messages: list[Stored]) -> dict[str, dict[int, Stored]]:
    found: dict[str, dict[int, Stored]] = defaultdict(dict)
    for message in messages:
        found[message.tokens[2]][int(message.tokens[4])] = message
    return found


def _by_attempt(messages: list[Stored]) -> dict[LifeOf, dict[int, Stored]]:
    found: dict[LifeOf, dict[int, Stored]] = defaultdict(dict)
    for message in messages:
        run, step, epoch, attempt = message.tokens[2:6]
        found[run, step, int(epoch)][int(attempt)] = message
    return found
