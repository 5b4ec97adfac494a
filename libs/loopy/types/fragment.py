"""JSON Schema fragments, through the jsonschema library: nothing is ever fetched, whatever a `$ref` says."""

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote

from loopy.types.model import Fragment

MAX_DEPTH = 32


def fragment_problem(schema: Mapping[str, Any]) -> str | None:
    """Why a fragment is not a valid JSON Schema (draft 2020-12), or None when it is one."""
    from jsonschema import Draft202012Validator, SchemaError

    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        where = ".".join(str(part) for part in error.absolute_path)
        return f"{where}: {error.message}" if where else error.message
    except RecursionError:
        return "it is nested too deeply"
    return next(_faults(schema, schema, 0), None)


def violations(kind: Fragment, value: Any) -> Iterator[tuple[str, str]]:
    """Every way in which a JSON value departs from a fragment: (path below the value, reason)."""
    from jsonschema import Draft202012Validator
    from referencing import Registry
    from referencing.exceptions import Unresolvable

    validator = Draft202012Validator(kind.schema, registry=Registry())
    try:
        for error in validator.iter_errors(value):
            yield _path(error.absolute_path), _clipped(error.message)
    except Unresolvable as error:
        yield "", f"the schema's reference {error.ref!r} leads nowhere"
    except RecursionError:
        yield "", "the schema or the value is nested too deeply"


def _faults(schema: Any, root: Any, depth: int) -> Iterator[str]:
    """What the metaschema does not see: references that lead out of the schema, or nowhere in it."""
    if depth > MAX_DEPTH:
        yield f"it is nested deeper than {MAX_DEPTH}"
    elif isinstance(schema, list):
        for item in schema:
            yield from _faults(item, root, depth + 1)
    elif isinstance(schema, Mapping):
        for key, value in schema.items():
            if key in ("$ref", "$dynamicRef") and isinstance(value, str) and not value.startswith("#"):
                yield f"{key} must begin with `#`: schemas are not fetched"
            elif key == "$ref" and isinstance(value, str) and value.startswith("#/") and not _leads(value, root):
                yield f"`{value}` leads nowhere in this schema"
            yield from _faults(value, root, depth + 1)


def _leads(reference: str, schema: Any) -> bool:
    """Whether a JSON pointer (RFC 6901) names something in the schema."""
    for escaped in reference.removeprefix("#/").split("/"):
        key = unquote(escaped).replace("~1", "/").replace("~0", "~")
        if isinstance(schema, list) and key.isdecimal() and int(key) < len(schema):
            schema = schema[int(key)]
        elif isinstance(schema, Mapping) and key in schema:
            schema = schema[key]
        else:
            return False
    return True


def _path(parts: Any) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts)


def _clipped(message: str, most: int = 200) -> str:
    return message if len(message) <= most else message[: most - 1] + "…"
