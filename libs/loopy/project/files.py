"""The only reader of user files: which files make a project, and what is in them."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

from loopy.project.places import kind_of
from loopy.project.text import MAX_BYTES, Unreadable

_MAX_DEPTH = 16
_TREES = ("sensors", "tools", "skills")
_REGISTRY = "registry.yml"
_MISNAMED = ("registry.yaml", "registry.json", "Registry.yml")


Stamp: TypeAlias = tuple[int, ...] | str


class ProjectMissing(Exception):
    """There is no such directory, or nothing of a project in it."""


def load_files(root: Path) -> dict[str, bytes]:
    """The files of the project in `root`, by their paths with forward slashes. ProjectMissing.

    Read are `registry.yml`, `workflows/*/*.md`, `sensors/**/*.py`, `tools/**/*.py` and `skills/**/SKILL.md`, and what
    was probably meant to be one of them (see `places`); all else is nobody's business. What cannot be read is an
    `Unreadable`; of a file too large the beginning is read.
    """
    return {name: at if isinstance(at, Unreadable) else _content(at) for name, at in _found(root).items()}


def stamp_files(root: Path) -> dict[str, Stamp]:
    """A stamp of each file that `load_files` would read, by the same paths; another one once the file has changed.

    Opens no file, so that one can look often. ProjectMissing.
    """
    return {name: at.reason if isinstance(at, Unreadable) else _stamp(at) for name, at in _found(root).items()}


def _found(root: Path) -> dict[str, "str | Unreadable"]:
    """Where each file of the project is. ProjectMissing."""
    try:
        present = {entry.name for entry in os.scandir(root)}
    except OSError as error:
        raise ProjectMissing(f"{root} cannot be read as a project: {_reason(error)}") from None
    found = dict(_registry(root, present))
    if "workflows" in present:
        found.update(_workflows(root))
    for tree in _TREES:
        if tree in present:
            found.update(_tree(os.path.join(root, tree), tree, ()))  # noqa: PTH118  # three times as fast
    if not found and not present & {"workflows", *_TREES}:
        raise ProjectMissing(
            f"{root} holds no project: neither `registry.yml` nor `workflows/`; `loopy init` makes one"
        )
    return found


def _registry(root: Path, present: set[str]) -> Iterator[tuple[str, "str | Unreadable"]]:
    if _REGISTRY in present:
        yield _REGISTRY, os.path.join(root, _REGISTRY)  # noqa: PTH118  # as above
        return
    for name in _MISNAMED:
        if name in present:
            yield _REGISTRY, Unreadable(f"it is called `{name}`; rename it")


def _workflows(root: Path) -> Iterator[tuple[str, "str | Unreadable"]]:
    """The step files, and those too deep or too shallow to be one."""
    for workflow, is_directory in _entries(os.path.join(root, "workflows")):  # noqa: PTH118  # as above
        if isinstance(workflow, Unreadable):
            yield "workflows", workflow
        elif is_directory and not _is_hidden(workflow.name):
            yield from _steps(workflow)
        elif not is_directory and kind_of(f"workflows/{workflow.name}"):
            yield _named("workflows/", workflow)


def _steps(workflow: "os.DirEntry[str]") -> Iterator[tuple[str, "str | Unreadable"]]:
    prefix = f"workflows/{_shown(workflow.name)}"
    for step, is_directory in _entries(workflow.path):
        if isinstance(step, Unreadable):
            yield prefix, step
        elif is_directory and not _is_hidden(step.name):
            yield from _tree(step.path, f"{prefix}/{_shown(step.name)}", (os.path.realpath(workflow.path),))
        elif not is_directory and not _is_hidden(step.name) and kind_of(f"{prefix}/{step.name}"):
            yield _named(f"{prefix}/", step, workflow.name)


def _tree(directory: str, prefix: str, above: tuple[str, ...]) -> Iterator[tuple[str, "str | Unreadable"]]:
    """The files below a directory that have a kind. A link to a directory above is not followed."""
    real = os.path.realpath(directory)
    if real in above or len(above) >= _MAX_DEPTH:
        return
    for entry, is_directory in _entries(directory):
        if isinstance(entry, Unreadable):
            yield prefix, entry
        elif is_directory and not _is_hidden(entry.name):
            yield from _tree(entry.path, f"{prefix}/{_shown(entry.name)}", (*above, real))
        elif not is_directory and not _is_hidden(entry.name) and kind_of(f"{prefix}/{entry.name}"):
            yield _named(f"{prefix}/", entry)


def _entries(directory: str) -> Iterator[tuple["os.DirEntry[str] | Unreadable", bool]]:
    """What a directory holds, and whether each is a directory; devices, pipes and dead links are left out."""
    try:
        with os.scandir(directory) as entries:
            for entry in entries:
                if (is_directory := _is_directory(entry)) is not None:
                    yield entry, is_directory
    except OSError as error:
        yield Unreadable(_reason(error)), False


def _is_directory(entry: "os.DirEntry[str]") -> bool | None:
    """Whether an entry is a directory or a file; None when it is neither, such as a link that leads to itself."""
    try:
        return True if entry.is_dir() else False if entry.is_file() else None
    except OSError:
        return None


def _named(prefix: str, entry: "os.DirEntry[str]", parent: str = "") -> tuple[str, "str | Unreadable"]:
    """A file by its path. A name that is no text would fail wherever it is written: it is reported instead."""
    name = _shown(entry.name)
    if name != entry.name or _shown(parent) != parent:
        return prefix + name, Unreadable("its name is not UTF-8 text")
    return prefix + name, entry.path


def _shown(name: str) -> str:
    return name if name.isascii() else os.fsencode(name).decode(errors="replace")


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name == "__pycache__"


def _stamp(path: str) -> Stamp:
    """What tells that a file is not what it was: written, renamed, or another in its place."""
    try:
        status = os.stat(path)  # noqa: PTH116  # as above
    except OSError as error:
        return _reason(error)
    return status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino


def _content(path: str) -> bytes:
    """A file's bytes, at most one more than a project's file may have."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        return Unreadable(_reason(error))
    try:
        return _read(descriptor)
    except OSError as error:
        return Unreadable(_reason(error))
    finally:
        os.close(descriptor)


def _read(descriptor: int) -> bytes:
    whole = os.read(descriptor, MAX_BYTES + 1)
    while whole and len(whole) <= MAX_BYTES and (more := os.read(descriptor, MAX_BYTES + 1 - len(whole))):
        whole += more
    return whole


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
