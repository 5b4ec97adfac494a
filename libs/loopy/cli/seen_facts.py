"""What a watcher knows: the facts seen so far, folded, so that any cascade can be shown as it stands. Pure."""

from collections.abc import Mapping

from loopy.compiler.plan import Plan
from loopy.runs.cascade import Cascade, cascade_of
from loopy.runs.records import AttemptRequested, EventRouted, Record
from loopy.runs.state import RunState, evolve


class SeenFacts:
    """Every fact seen so far. `plans`, by hash, let steps be shown that have no fact yet."""

    def __init__(self, plans: Mapping[str, Plan]) -> None:
        self._plans = plans
        self._routed: dict[str, dict[str, EventRouted]] = {}
        self._runs: dict[str, RunState] = {}
        self._cascade_of: dict[str, str] = {}

    def add(self, record: Record) -> str | None:
        """Take a fact in; gives the cascade that it belongs to, or None when nothing seen so far tells."""
        match record:
            case EventRouted():
                self._routed.setdefault(record.cascade, {})[record.event] = record
                self._cascade_of.update((member.run, record.cascade) for member in record.runs)
                return record.cascade
            case AttemptRequested():
                return self._cascade_of.get(record.run)
            case _:
                self._runs[record.run] = evolve(self.run(record.run), record)
                return self._cascade_of.get(record.run)

    def run(self, run: str) -> RunState:
        """What is known of a run."""
        return self._runs.get(run) or RunState(run)

    def route(self, cascade: str, event: str) -> EventRouted | None:
        """The runs that an event started."""
        return self._routed.get(cascade, {}).get(event)

    def cascade(self, cascade: str) -> Cascade:
        """A cascade as it stands."""
        routed = self._routed.get(cascade, {})
        members = [member.run for fact in routed.values() for member in fact.runs]
        return cascade_of(cascade, list(routed.values()), {run: self.run(run) for run in members}, self._plans)

    def forget(self, cascade: str) -> None:
        """Let go of a cascade that is done."""
        for fact in self._routed.pop(cascade, {}).values():
            for member in fact.runs:
                self._runs.pop(member.run, None)
                self._cascade_of.pop(member.run, None)
