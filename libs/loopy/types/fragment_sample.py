"""Made-up values of JSON Schema fragments: what the usual keywords ask for, tried against the fragment itself."""

import math
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from loopy.types.fragment import violations
from loopy.types.model import Fragment

MAX_DEPTH = 8
MAX_LENGTH = 10_000
MAX_ITEMS = 100
_FORMATS = {
    "date-time": "2026-01-01T09:00:00Z",
    "date": "2026-01-01",
    "time": "09:00:00Z",
    "email": "someone@example.com",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}


class NoSample(ValueError):
    """No value could be made up for a JSON Schema fragment (one with a `pattern`, say): the author has to give one."""

    def __init__(self, schema: dict[str, Any]) -> None:
        super().__init__(
            f"no value could be made up for the schema {schema!r}; "
            "write one into `rehearsal/<workflow>/<step>.json`, or under `examples:` in the schema"
        )


def sample_fragment(kind: Fragment, text: Callable[[], str], number: int) -> Any:
    """The first made-up value that the fragment accepts. NoSample."""
    for value in _candidates(_Maker(kind.schema, text, number), kind.schema):
        if not any(violations(kind, value)):
            return value
    raise NoSample(kind.schema)


class _Maker:
    """Makes a value of a schema; `root` is where local references lead."""

    def __init__(self, root: dict[str, Any], text: Callable[[], str], number: int) -> None:
        self.root = root
        self.text = text
        self.number = number

    def make(self, schema: Any, depth: int) -> Any:
        if not isinstance(schema, dict) or depth > MAX_DEPTH:
            return self.text()
        schema = self.merged(schema, depth)
        if "const" in schema:
            return schema["const"]
        for key in ("examples", "enum"):
            if isinstance(schema.get(key), list) and schema[key]:
                return schema[key][0]
        return self.of_type(schema, depth) if "default" not in schema else schema["default"]

    def merged(self, schema: dict[str, Any], depth: int) -> dict[str, Any]:
        """The schema with its reference and its first alternatives taken in."""
        parts = [self.referred(schema.get("$ref"))]
        parts += [part[0] for key in ("anyOf", "oneOf") if (part := schema.get(key))]
        parts += schema.get("allOf") or []
        whole = dict(schema)
        for part in parts:
            if isinstance(part, dict):
                inner = self.merged(part, depth + 1) if depth <= MAX_DEPTH else {}
                properties = {**whole.get("properties", {}), **inner.get("properties", {})}
                required = [*whole.get("required", []), *inner.get("required", [])]
                whole = {**inner, **whole, "properties": properties, "required": required}
        return whole

    def referred(self, reference: Any) -> Any:
        at: Any = self.root
        if not isinstance(reference, str):
            return None
        for part in reference.removeprefix("#").strip("/").split("/"):
            at = at.get(part) if isinstance(at, dict) and part else at
        return at

    def of_type(self, schema: dict[str, Any], depth: int) -> Any:
        kind = schema.get("type")
        match kind[0] if isinstance(kind, list) and kind else kind:
            case "string":
                return self.string(schema)
            case "integer":
                return self.integer(schema)
            case "number":
                return self.real(schema)
            case "boolean":
                return True
            case "null":
                return None
            case "array":
                return self.array(schema, depth)
            case "object":
                return self.record(schema, depth)
            case _:
                return self.record(schema, depth) if schema.get("properties") else self.text()

    def string(self, schema: dict[str, Any]) -> str:
        text = _FORMATS.get(schema.get("format", ""), self.text())
        least, most = min(schema.get("minLength", 0), MAX_LENGTH), schema.get("maxLength", len(text))
        return text.ljust(least, ".")[: max(least, most)]

    def integer(self, schema: dict[str, Any]) -> int:
        step = schema.get("multipleOf", 1)
        low = schema.get("minimum", schema.get("exclusiveMinimum", 0) + ("exclusiveMinimum" in schema))
        high = schema.get("maximum", schema.get("exclusiveMaximum", 0) - 1 if "exclusiveMaximum" in schema else None)
        value = max(self.number, low) if high is None else min(max(self.number, low), high)
        return int(math.floor(value / step) * step if value // step * step >= low else math.ceil(low / step) * step)

    def real(self, schema: dict[str, Any]) -> float:
        low = schema.get("minimum", schema.get("exclusiveMinimum"))
        high = schema.get("maximum", schema.get("exclusiveMaximum"))
        if low is not None and high is not None:
            return float(low + (high - low) / 2)
        if low is not None:
            return float(low + self.number)
        return float(high - self.number if high is not None else self.number)

    def array(self, schema: dict[str, Any], depth: int) -> list[Any]:
        count = min(max(1, schema.get("minItems", 1)), MAX_ITEMS)
        items = schema.get("items", {"type": "string"})
        made = [self.make(items, depth + 1) for _ in range(min(count, schema.get("maxItems", count)))]
        return [_varied(item, index) for index, item in enumerate(made)] if schema.get("uniqueItems") else made

    def record(self, schema: dict[str, Any], depth: int) -> dict[str, Any]:
        properties = schema.get("properties", {})
        names = dict.fromkeys([*properties, *schema.get("required", [])])
        return {name: self.make(properties.get(name, {"type": "string"}), depth + 1) for name in names}


def _varied(item: Any, index: int) -> Any:
    """An item that differs from the ones before it, where that can be had."""
    if isinstance(item, str):
        return f"{item} {index + 1}"
    return item + index if isinstance(item, int) and not isinstance(item, bool) else item


def _candidates(maker: _Maker, schema: dict[str, Any]) -> Iterator[Any]:
    """The likeliest value first, then what schemas say of themselves, then the plainest values there are."""
    with suppress(TypeError, ValueError, ArithmeticError, AttributeError, RecursionError):
        yield maker.make(schema, 0)  # it raises where keywords contradict each other
    yield from schema.get("enum", [])
    yield from schema.get("examples", [])
    yield from (None, True, maker.text(), maker.number, {}, [])
