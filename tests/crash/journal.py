"""The messages of a campaign, sorted by what they say. Subjects and payloads are read as docs/reference/subjects.md
has them, and nothing is concluded."""

from collections import defaultdict
from typing import Any, TypeAlias

from tests.crash.evidence import Evidence, Stored

StepOf: TypeAlias = tuple[str, str]


class Journal:
    """Facts by what they are about: events by id, runs by id, steps by (run, step), attempts by their number."""

    def __init__(self, evidence: Evidence) -> None:
        self.events = {message.tokens[-1]: message for message in evidence.of("evt")}
        self.routed = {message.tokens[-1]: message for message in evidence.of("run.routed")}
        self.starts = {message.tokens[2]: message for message in evidence.of("run.start")}
        self.ends = {message.tokens[2]: message for message in evidence.of("run.end")}
        self.done = _by_step(evidence.of("run.done"))
        self.skipped = _by_step(evidence.of("run.skip"))
        self.failures = _by_attempt(evidence.of("run.fail"))
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

    def settled(self, step: StepOf) -> list[Stored]:
        """What settled a step: its success, its skip, or its last failure where there is neither."""
        found = [facts[step] for facts in (self.done, self.skipped) if step in facts]
        failures = self.failures.get(step, {})
        return found or [failures[attempt] for attempt in sorted(failures)[-1:]]


def _by_step(messages: list[Stored]) -> dict[StepOf, Stored]:
    return {(message.tokens[2], message.tokens[3]): message for message in messages}


def _by_attempt(messages: list[Stored]) -> dict[StepOf, dict[int, Stored]]:
    found: dict[StepOf, dict[int, Stored]] = defaultdict(dict)
    for message in messages:
        run, step, attempt = message.tokens[2:5]
        found[run, step][int(attempt)] = message
    return found
