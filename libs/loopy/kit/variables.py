"""One setting as it stands in the environment: its variable, what is told of it, its value."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from loopy.kit.secret import Secret

PREFIX = "LOOPY_"


def variable(field: msgspec.structs.FieldInfo) -> str:
    """The environment variable of a field of `Settings`."""
    return PREFIX + field.name.upper()


def told(field: msgspec.structs.FieldInfo) -> dict[str, Any]:
    """What is told of a field: `must`, `secret`, and its `description`."""
    meta = next(part for part in field.type.__metadata__ if isinstance(part, Meta))
    return {**(meta.extra or {}), "description": meta.description}


def from_environment(
    environment: Mapping[str, str], field: msgspec.structs.FieldInfo, problems: list[str]
) -> str | None:
    """What the environment says of a field, itself or in a file that it names; None when it says nothing."""
    name = variable(field)
    text, file = environment.get(name) or None, environment.get(f"{name}_FILE") or None
    if not told(field)["secret"] or file is None:
        return text
    if text is not None:
        problems.append(f"{name} and {name}_FILE are both set: leave one of them out")
        return text
    return _in_file(f"{name}_FILE", file, problems)


def _in_file(name: str, file: str, problems: list[str]) -> str | None:
    """The secret in a file that the variable `name` names; None, with a problem told, when there is none."""
    try:
        text = Path(file).read_text(encoding="utf-8").strip()
    except OSError as error:
        problems.append(f"{name}: {file!r} cannot be read: {error.strerror}")
    except UnicodeDecodeError:
        problems.append(f"{name}: {file!r} is not UTF-8 text")
    else:
        if text:
            return text
        problems.append(f"{name}: {file!r} is empty")
    return None


def converted(field: msgspec.structs.FieldInfo, raw: Any, problems: list[str]) -> Any | UnsetType:
    """The value of a field, or UNSET with a problem told. What is secret is not repeated."""
    about = told(field)
    try:
        if field.name == "token":
            return _token(raw)
        return msgspec.convert(raw, field.type, strict=False)
    except ValueError:
        shown = "" if about["secret"] else f", not {raw!r}"
        problems.append(f"{variable(field)} must {about['must']}{shown}")
        return UNSET


def _token(raw: str | Secret) -> Secret:
    """A token that fits into a header as it is."""
    text = raw.reveal() if isinstance(raw, Secret) else raw
    if not (text.isascii() and text.isprintable()) or " " in text:
        raise ValueError
    return Secret(text)
