"""Made-up values of a type, for rehearsals: believable, and the same for the same seed on every machine."""

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, assert_never

from loopy.clock import rfc3339
from loopy.types.fragment_sample import sample_fragment
from loopy.types.model import Enum, Fragment, ListOf, MapOf, Maybe, Record, Scalar, ScalarName, Type, Unknown

_EPOCH = datetime(2026, 1, 1, 9, 0, tzinfo=UTC)
_ITEMS = 2


def sample(kind: Type, seed: str) -> Any:
    """A value of the type that always passes its `Checker`. NoSample for a fragment that none could be made for.

    An enum gives its first member (`pass` of `enum[pass, fail]`), an optional value is present, a list has two items.
    """
    return _sample(kind, seed, "value")


def _sample(kind: Type, seed: str, name: str) -> Any:
    """`name` is the field's, which text and links are made of."""
    match kind:
        case Scalar():
            return _SCALARS[kind.name](seed, name)
        case Enum():
            return kind.members[0]
        case ListOf():
            return [_sample(kind.item, f"{seed}/{index}", _singular(name)) for index in range(_ITEMS)]
        case MapOf():
            return {f"{_singular(name)}_{index}": _sample(kind.value, f"{seed}/{index}", name) for index in (1, 2)}
        case Maybe():
            return _sample(kind.inner, seed, name)
        case Record():
            return {field: _sample(inner, f"{seed}/{field}", field) for field, inner in kind.fields}
        case Fragment():
            return sample_fragment(kind, lambda: _text(seed, name), _number(seed, name))
        case Unknown():
            return _json(seed, name)
        case _ as never:
            assert_never(never)


def _digest(seed: str, name: str) -> str:
    return hashlib.blake2b(f"{seed}\0{name}".encode(), digest_size=8).hexdigest()


def _singular(name: str) -> str:
    return name[:-1] if len(name) > 1 and name.endswith("s") else name


def _slug(name: str) -> str:
    """A field's name as a part of an id or a link: ASCII letters, digits and hyphens."""
    return "".join(c if c.isascii() and c.isalnum() else "-" for c in name).strip("-")[:40] or "value"


def _text(seed: str, name: str) -> str:
    return f"rehearsed {name.replace('_', ' ').replace('-', ' ')} {_digest(seed, name)[:4]}"


def _number(seed: str, name: str) -> int:
    return int(_digest(seed, name), 16) % 100 + 1


def _float(seed: str, name: str) -> float:
    return _number(seed, name) / 10


def _bool(seed: str, name: str) -> bool:
    """True: a rehearsal walks the path on which things go well."""
    del seed, name
    return True


def _url(seed: str, name: str) -> str:
    return f"https://example.com/{_slug(name)}/{_digest(seed, name)[:8]}"


def _id(seed: str, name: str) -> str:
    return f"{_slug(name.removesuffix('_id').removesuffix('Id'))}-{_digest(seed, name)[:8]}"


def _datetime(seed: str, name: str) -> str:
    return rfc3339(_EPOCH + timedelta(minutes=int(_digest(seed, name), 16) % 10_000))


def _duration(seed: str, name: str) -> str:
    return f"{_number(seed, name)}m"


def _json(seed: str, name: str) -> dict[str, str]:
    return {"rehearsed": _text(seed, name)}


_SCALARS: dict[ScalarName, Callable[[str, str], Any]] = {
    "str": _text,
    "int": _number,
    "float": _float,
    "bool": _bool,
    "url": _url,
    "id": _id,
    "datetime": _datetime,
    "duration": _duration,
    "json": _json,
}
