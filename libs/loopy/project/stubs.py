"""Type stubs of `loopy.events`: what editors and type checkers know of a project's events."""

from collections.abc import Mapping
from keyword import iskeyword
from typing import assert_never

from loopy.types.model import Enum, Fragment, ListOf, MapOf, Maybe, Record, Scalar, ScalarName, Type, Unknown
from loopy.types.parse import TypeSpec, record_of

_HEAD = '''"""The events of this project's registry. Written by `loopy compile`: do not edit."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar, Literal

class TypedEvent:
    event_type: ClassVar[str]
    event_data: dict[str, Any]

def bind(events: Mapping[str, Mapping[str, Any]]) -> None: ...
'''

# What a field may be given as, and what reads back.
_GIVEN: dict[ScalarName, str] = {
    "str": "str", "int": "int", "float": "float", "bool": "bool", "url": "str", "id": "str",
    "datetime": "datetime | str", "duration": "str", "json": "Any",
}  # fmt: skip
_READ: dict[ScalarName, str] = {**_GIVEN, "datetime": "str"}
_FRAGMENTS = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "null": "None"}


def event_stubs(events: Mapping[str, Mapping[str, TypeSpec]]) -> str:
    """The text of `loopy/events.pyi` for these events (name → field types). TypeSyntaxError."""
    return _HEAD + "".join(_class(name, record_of(events[name])) for name in sorted(events))


def _class(name: str, record: Record) -> str:
    lines = ["", f"class {name.replace('.', '_')}(TypedEvent):"]
    fields = [(field, kind) for field, kind in record.fields if field.isidentifier() and not iskeyword(field)]
    lines += [f"    {field}: {_python(kind, _READ)}" for field, kind in fields]
    if len(fields) < len(record.fields):
        lines.append("    def __init__(self, **fields: Any) -> None: ...  # a field is a word of Python's own")
    else:
        given = "".join(f", {field}: {_python(kind, _GIVEN)}{_default(kind)}" for field, kind in fields)
        lines.append(f"    def __init__(self{', *' if given else ''}{given}) -> None: ...")
    return "\n".join(lines) + "\n"


def _default(kind: Type) -> str:
    return " = ..." if isinstance(kind, Maybe) else ""


def _python(kind: Type, scalars: Mapping[ScalarName, str]) -> str:
    """The annotation of a type. Containers that are given are read-only kinds, so that any sequence or map will do."""
    given = scalars is _GIVEN
    match kind:
        case Scalar():
            return scalars[kind.name]
        case Enum():
            return f"Literal[{', '.join(repr(member) for member in kind.members)}]"
        case ListOf():
            return f"{'Sequence' if given else 'list'}[{_python(kind.item, scalars)}]"
        case MapOf():
            return f"{'Mapping' if given else 'dict'}[str, {_python(kind.value, scalars)}]"
        case Maybe():
            inner = _python(kind.inner, scalars)
            return inner if inner == "Any" else f"{inner} | None"
        case Record():
            return "Mapping[str, Any]" if given else "dict[str, Any]"
        case Fragment():
            word = kind.schema.get("type")
            return _FRAGMENTS.get(word, "Any") if isinstance(word, str) else "Any"
        case Unknown():
            return "Any"
        case _ as never:
            assert_never(never)
