"""What an agent answered, held against what its step declares. An answer counts whole or not at all."""

from collections.abc import Iterator, Mapping
from typing import Any

from loopy.agents.harness import Reply
from loopy.compiler.plan import Emission, Fields, Step
from loopy.diagnostics.suggest import did_you_mean
from loopy.runs.records import Data, Emitted
from loopy.types.check import Mismatch, Problem, checker_of


def settle(step: Step, events: Mapping[str, Fields], reply: Reply) -> tuple[Data, tuple[Emitted, ...]]:
    """The step's typed output and the events that it emits, in the order of its declaration.

    `events` has the field types of each event. Mismatch, with every problem, when anything is not as declared.
    """
    problems: list[Problem] = []
    output = _checked(step.output, {} if reply.output is None else reply.output, "output", problems)
    emitted = tuple(_emitted(step, events, {} if reply.emits is None else reply.emits, problems))
    if problems:
        raise Mismatch(tuple(problems))
    return output, emitted


def _emitted(step: Step, events: Mapping[str, Fields], emits: Any, problems: list[Problem]) -> Iterator[Emitted]:
    if not isinstance(emits, dict):
        problems.append(Problem("emits", 'expected a map from event to payloads, such as {"WorkItem": [{…}]}'))
        return
    declared = {emission.event: emission for emission in step.emits}
    problems.extend(_undeclared(name, declared) for name in emits if name not in declared)
    for name, emission in declared.items():
        payloads = _payloads(emission, emits.get(name, []), problems)
        for index, payload in enumerate(payloads):
            yield Emitted(name, _checked(events[name], payload, f"emits.{name}[{index}]", problems))


def _undeclared(name: str, declared: Mapping[str, Emission]) -> Problem:
    known = f"the step emits {', '.join(declared)}" if declared else "the step emits nothing"
    return Problem(f"emits.{name}", f"no event of this step; {did_you_mean(name, declared) or known}")


def _payloads(emission: Emission, payloads: Any, problems: list[Problem]) -> list[Any]:
    path = f"emits.{emission.event}"
    if not isinstance(payloads, list):
        problems.append(Problem(path, "expected a list of payloads"))
        return []
    if len(payloads) > emission.max:
        problems.append(Problem(path, f"{len(payloads)} payloads, but the step may emit at most {emission.max}"))
        return []
    return payloads


def _checked(fields: Fields, value: Any, path: str, problems: list[Problem]) -> Data:
    try:
        checked: Data = checker_of(fields).check(value)
    except Mismatch as mismatch:
        problems.extend(Problem(_below(path, problem.path), problem.reason) for problem in mismatch.problems)
        return {}
    return checked


def _below(path: str, inner: str) -> str:
    return path + inner if not inner or inner.startswith("[") else f"{path}.{inner}"
