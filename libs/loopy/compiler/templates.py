"""Prose at run time: a template and the values of an event and of earlier steps make the agent's prompt.

Rendered once, in Jinja's sandbox: a value that itself holds `{{ … }}` stays text. A null is printed as `none`, a
list or record as JSON. Values are data alone: `a.b` is the field `b` of a map and never an
attribute of a Python object, and a field of null is null.
"""

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateError, Undefined
from jinja2.filters import FILTERS
from jinja2.runtime import LoopContext
from jinja2.sandbox import ImmutableSandboxedEnvironment

from loopy.compiler.condition_syntax import HYPHEN
from loopy.compiler.template_syntax import BadTemplate, parse_template

MAX_OUTPUT = 8 * 1024 * 1024
"""Characters of a rendered prompt."""

LOOP_FIELDS = ("index", "index0", "first", "last", "length")


class RenderError(Exception):
    """A prompt that cannot be made: a name that is not there, a value that a filter cannot take, too much text."""


def render(prose: str, event: Mapping[str, Any], inputs: Mapping[str, Mapping[str, Any] | None]) -> str:
    """The prompt. `inputs` are the outputs of earlier steps, None for one that was skipped. RenderError."""
    names = {name.replace("-", HYPHEN): value for name, value in inputs.items()}
    pieces: list[str] = []
    left = MAX_OUTPUT
    try:
        for piece in compiled(prose).generate({**names, "event": event}):
            left -= len(piece)
            if left < 0:
                raise RenderError(f"the prompt is longer than {MAX_OUTPUT} characters")
            pieces.append(piece)
    except BadTemplate as exc:
        raise RenderError(str(exc)) from None
    except (TemplateError, TypeError, ValueError, ArithmeticError, RecursionError, SyntaxError) as exc:
        raise RenderError(f"the prompt cannot be rendered: {str(exc).replace(HYPHEN, '-')}") from exc
    return "".join(pieces)


class _Environment(ImmutableSandboxedEnvironment):
    """Jinja's sandbox, in which values are JSON and nothing else."""

    def getattr(self, obj: Any, attribute: str) -> Any:
        return self.getitem(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        if obj is None:
            return None
        if isinstance(obj, Mapping):
            return obj.get(argument.replace(HYPHEN, "-") if isinstance(argument, str) else argument)
        if isinstance(obj, list | tuple) and isinstance(argument, int):
            return obj[argument] if -len(obj) <= argument < len(obj) else None
        if isinstance(obj, LoopContext) and argument in LOOP_FIELDS:
            return getattr(obj, argument)
        return obj if isinstance(obj, Undefined) else self.undefined(obj=obj, name=argument)


def _printed(value: Any) -> Any:
    """What `{{ value }}` prints."""
    match value:
        case None:
            return "none"
        case bool():
            return "true" if value else "false"
        case Mapping() | list() | tuple():
            return json.dumps(value, ensure_ascii=False)
        case _:
            return value


def _default(value: Any, fallback: Any = "", boolean: bool = False) -> Any:
    """The value, or the fallback where it is null (or false, on request)."""
    missing = value is None or isinstance(value, Undefined) or (boolean and not value)
    return fallback if missing else value


def _tojson(value: Any, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent)


def _replace(text: Any, old: str, new: str, count: int = -1) -> str:
    before = str(text)
    times = before.count(old) if count < 0 else min(before.count(old), count)
    _bound(len(before) + times * (len(new) - len(old)))
    return before.replace(old, new, count)


def _indent(text: Any, width: int = 4, first: bool = False, blank: bool = False) -> str:
    before = str(text)
    _bound(len(before) + (before.count("\n") + 1) * max(width, 0))
    return str(FILTERS["indent"](before, width, first, blank))


def _join(values: Sequence[Any], separator: str = "") -> str:
    printed = [str(_printed(value)) for value in values]
    _bound(sum(map(len, printed)) + len(separator) * len(printed))
    return separator.join(printed)


def _bound(length: int) -> None:
    if length > MAX_OUTPUT:
        raise RenderError(f"a filter would make more than {MAX_OUTPUT} characters")


def _environment() -> _Environment:
    environment = _Environment(undefined=StrictUndefined, finalize=_printed, keep_trailing_newline=True)
    kept = ("length", "upper", "lower", "title", "trim", "truncate", "round")
    ours = {"default": _default, "tojson": _tojson, "replace": _replace, "indent": _indent, "join": _join}
    environment.filters = {name: FILTERS[name] for name in kept} | ours
    environment.tests = {name: environment.tests[name] for name in ("defined", "undefined", "none")}
    environment.tests |= {"defined": _is_there, "undefined": _is_missing}
    environment.globals = {}
    return environment


def _is_there(value: Any) -> bool:
    return not _is_missing(value)


def _is_missing(value: Any) -> bool:
    return value is None or isinstance(value, Undefined)


_ENVIRONMENT = _environment()


@lru_cache(maxsize=1024)
def compiled(prose: str) -> Template:
    """The template that `render` renders. BadTemplate; SyntaxError where loops are nested deeper than Python can."""
    code = _ENVIRONMENT.compile(parse_template(prose))
    return Template.from_code(_ENVIRONMENT, code, _ENVIRONMENT.make_globals(None))
