"""Projects written in Markdown: files in fenced blocks, and what the compiler is expected to say about their lines."""

import re
from collections.abc import Iterator, Mapping

import msgspec

_PATH = re.compile(r"`([^`\n]+\.(?:md|yml|py))`:?")
_FENCE = re.compile(r"(`{3,})\w*")
_EXPECTED = re.compile(r'#! (error|warning): (\d+) \[(LP\d{3})\](?: "(.*)")?')


class Expected(msgspec.Struct, frozen=True, order=True):
    """One diagnostic: where it begins, its code, and a part of its headline or help."""

    path: str
    line: int
    column: int
    severity: str
    code: str
    text: str = ""


class Example(msgspec.Struct, frozen=True):
    """A section of a document: a project, and all that is expected of compiling it."""

    title: str
    files: dict[str, bytes]
    expected: tuple[Expected, ...]


def examples(document: str) -> Iterator[Example]:
    """The sections (`## title`) of a document. Files before the first belong to all that do not write their own."""
    preamble, *sections = re.split(r"^## ", document, flags=re.MULTILINE)
    shared = dict(files_of(preamble))
    for section in sections:
        title, _, body = section.partition("\n")
        texts = shared | dict(files_of(body))
        yield _example(title.strip(), texts)


def files_of(markdown: str) -> Iterator[tuple[str, str]]:
    """The (path, text) of every fenced block that follows a line which holds a path in backticks, and nothing else."""
    path, fence, lines = "", "", list[str]()
    for line in markdown.splitlines():
        if fence:
            if line == fence:
                yield path, "".join(f"{each}\n" for each in lines)
                path, fence, lines = "", "", []
            else:
                lines.append(line)
        elif (opening := _FENCE.fullmatch(line)) and path:
            fence = opening[1]
        elif line.strip():
            named = _PATH.fullmatch(line.strip())
            path = named[1] if named else ""
    assert not fence, f"the block of {path} is not closed"


def _example(title: str, texts: Mapping[str, str]) -> Example:
    files: dict[str, bytes] = {}
    expected: list[Expected] = []
    for path, text in texts.items():
        kept: list[str] = []
        for line in text.splitlines():
            match = _EXPECTED.fullmatch(line.strip())
            if match is None:
                assert not line.lstrip().startswith("#! "), f"{path}: not an expectation: {line}"
                kept.append(line)
                continue
            severity, column, code, part = match.groups()
            expected.append(Expected(path, max(len(kept), 1), int(column), severity, code, part or ""))
        files[path] = "".join(f"{line}\n" for line in kept).encode()
    return Example(title, files, tuple(sorted(expected)))
