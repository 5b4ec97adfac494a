"""Runtime `rehearsal`: answers at once with made-up values of the right types, the same ones for the same run and step.

One payload is emitted for each event that the step may emit. A field of a payload that is also a field of the step's
output, of its inputs or of the triggering event, and fits the type, carries that value on: so a rehearsed cascade reads
like a real one. The author's hint (`hints`) is laid over all that.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from loopy.agents.harness import Assignment, HarnessError, Reply
from loopy.agents.hints import hint_path
from loopy.agents.output import settle
from loopy.compiler.plan import Fields
from loopy.diagnostics.suggest import did_you_mean
from loopy.sandboxes.provider import SandboxSession
from loopy.types.check import Mismatch, checker_of
from loopy.types.fragment_sample import NoSample
from loopy.types.model import Record
from loopy.types.parse import record_of
from loopy.types.sample import sample

_KEYS = ("output", "emits")


class RehearsalHarness:
    """Makes answers up."""

    needs_sandbox = False

    async def run(self, assignment: Assignment, sandbox: SandboxSession | None) -> Reply:
        """An answer that the step's types accept. HarnessError: `bad_hint` names the file and the field."""
        del sandbox
        return rehearse(assignment)


def rehearse(assignment: Assignment) -> Reply:
    """The made-up answer of one attempt; it does not depend on which attempt it is. HarnessError."""
    path = hint_path(assignment.attempt.workflow, assignment.step.name)
    hint = _hint(assignment.hint, path)
    try:
        output = _output(assignment, hint.get("output", {}))
        emits = _emits(assignment, output, hint.get("emits", {}))
    except NoSample as error:
        raise HarnessError("bad_hint", f"{path}: {error}", retryable=False) from None
    reply = Reply(output, emits)
    if hint:
        _hold(assignment, reply, path)
    return reply


def _hint(hint: Any, path: str) -> dict[str, Any]:
    if hint is None:
        return {}
    if not isinstance(hint, dict):
        raise HarnessError("bad_hint", f'{path}: expected {{"output": {{…}}, "emits": {{…}}}}', retryable=False)
    for key in hint:
        if key not in _KEYS:
            known = did_you_mean(key, _KEYS) or "a hint has `output` and `emits`"
            raise HarnessError("bad_hint", f"{path}: unknown key `{key}`; {known}", retryable=False)
    return hint


def _hold(assignment: Assignment, reply: Reply, path: str) -> None:
    try:
        settle(assignment.step, assignment.events, reply)
    except Mismatch as mismatch:
        raise HarnessError("bad_hint", f"{path}: {mismatch}", retryable=False) from None


def _output(assignment: Assignment, hint: Any) -> Any:
    return _filled(record_of(assignment.step.output), _seed(assignment, "output"), hint)


def _emits(assignment: Assignment, output: Any, hint: Any) -> Any:
    """For each event one payload, or as many as the hint has; what of the hint is no such map is left for `settle`."""
    if not isinstance(hint, dict):
        return hint
    emits: dict[str, Any] = dict(hint)
    for emission in assignment.step.emits:
        wanted = hint.get(emission.event, [{}])
        if isinstance(wanted, list):
            fields = assignment.events[emission.event]
            carried = dict(_carried(assignment, output, fields))
            emits[emission.event] = [
                _payload(fields, _seed(assignment, emission.event, str(index)), carried, partial)
                for index, partial in enumerate(wanted)
            ]
    return emits


def _payload(fields: Fields, seed: str, carried: Mapping[str, Any], partial: Any) -> Any:
    return _filled(record_of(fields), seed, {**carried, **partial} if isinstance(partial, dict) else partial)


def _carried(assignment: Assignment, output: Any, fields: Fields) -> Iterator[tuple[str, Any]]:
    """The fields of an event that are known from nearby: this step's output, then its inputs, then the trigger."""
    inputs = assignment.attempt.inputs.values()
    sources = [source for source in (output, *inputs, assignment.attempt.event.data) if isinstance(source, dict)]
    for name, spec in fields.items():
        for source in sources:
            if source.get(name) is not None and _fits({name: spec}, {name: source[name]}):
                yield name, source[name]
                break


def _fits(fields: Fields, value: dict[str, Any]) -> bool:
    try:
        checker_of(fields).check(value)
    except Mismatch:
        return False
    return True


def _filled(kind: Record, seed: str, hint: Any) -> Any:
    """A value of the record: what the hint says, and made-up values for the rest. Fields that are none are kept."""
    if not isinstance(hint, dict):
        return hint
    made = sample(Record(tuple((name, inner) for name, inner in kind.fields if name not in hint)), seed)
    for name, value in hint.items():
        inner = kind.field(name)
        made[name] = _filled(inner, f"{seed}/{name}", value) if isinstance(inner, Record) else value
    return made


def _seed(assignment: Assignment, *parts: str) -> str:
    return "/".join((assignment.attempt.run, assignment.step.name, *parts))
