"""The shape of a step's answer, `{"output": {…}, "emits": {"WorkItem": [{…}]}}`, as JSON Schema for who submits it."""

from collections.abc import Mapping
from typing import Any

from loopy.compiler.plan import Fields, Step
from loopy.types.parse import record_of
from loopy.types.schema import json_schema


def answer_schema(step: Step, events: Mapping[str, Fields]) -> dict[str, Any]:
    """The schema of the whole answer; `events` has the field types of what the step may emit."""
    emits = {
        emission.event: {
            "type": "array",
            "maxItems": emission.max,
            "items": json_schema(record_of(events[emission.event])),
        }
        for emission in step.emits
    }
    return {
        "type": "object",
        "properties": {
            "output": json_schema(record_of(step.output)),
            "emits": {"type": "object", "properties": emits, "additionalProperties": False},
        },
        "required": ["output"] if step.output else [],
        "additionalProperties": False,
    }
