"""The prompt of an agent, made in one place: its role, the step's rendered prose, and what an answer looks like."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from loopy.compiler.plan import Agent, Fields, Step

_INDENT = "  "


def compose(agent: Agent, step: Step, prose: str, events: Mapping[str, Fields]) -> str:
    """The whole prompt. `prose` is rendered already; `events` has the types of what the step may emit."""
    sections = (agent.role.strip(), prose.strip(), "\n".join(_answer(step, events)))
    return "\n\n".join(section for section in sections if section) + "\n"


def _answer(step: Step, events: Mapping[str, Fields]) -> Iterator[str]:
    yield "## Your answer"
    yield ""
    yield "Answer with one JSON document and nothing else:"
    yield ""
    yield f"    {_shape(step)}"
    yield ""
    yield from _output(step.output)
    if step.emits:
        yield ""
        yield "`emits` has a list of payloads for each event that is to be published; leave out those that are not:"
        for emission in step.emits:
            yield f"- `{emission.event}`, at most {emission.max}, each with exactly these fields:"
            yield from _fields(events[emission.event], _INDENT)


def _shape(step: Step) -> str:
    emits = ", ".join(f'"{emission.event}": [{{…}}]' for emission in step.emits)
    return f'{{"output": {"{…}" if step.output else "{}"}, "emits": {{{emits}}}}}'


def _output(fields: Fields) -> Iterator[str]:
    if fields:
        yield "`output` has exactly these fields:"
        yield from _fields(fields, "")
    else:
        yield "`output` is empty."


def _fields(fields: Mapping[str, Any], indent: str) -> Iterator[str]:
    for name, spec in fields.items():
        yield f"{indent}- `{name}`: {spec if isinstance(spec, str) else json.dumps(spec, ensure_ascii=False)}"
    if not fields:
        yield f"{indent}- (none)"
