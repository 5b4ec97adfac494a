"""The text of a file: what is checked of every file before anything in it is read."""

import re

from loopy.diagnostics.diagnostic import Diagnostic
from loopy.diagnostics.span import Span

MAX_BYTES = 1024 * 1024
_BOM = "\ufeff"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
# Control characters, byte order marks inside the text, and the line breaks that editors do not count as such.
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


class Unreadable(bytes):
    """The content of a file or directory that could not be read: nothing, and `reason` says why."""

    reason: str

    def __new__(cls, reason: str) -> "Unreadable":
        """An empty content with the reason."""
        content = super().__new__(cls)
        content.reason = reason
        return content


def read_text(path: str, content: bytes) -> tuple[str, list[Diagnostic]]:
    """A file's text, without a byte order mark and with every line ended by a single newline.

    With a diagnostic the text is only what can be shown of the file: it is not to be read further.
    """
    if isinstance(content, Unreadable):
        return "", [Diagnostic("LP120", f"`{path}` cannot be read: {content.reason}", Span(path))]
    if len(content) > MAX_BYTES:
        headline = f"`{path}` is larger than {MAX_BYTES // 1024} KiB"
        return "", [Diagnostic("LP113", headline, Span(path), help="keep data out of the project's own files")]
    try:
        text = _normal(content.decode())
    except UnicodeDecodeError as error:
        return _normal(content.decode(errors="replace")), [_not_utf8(path, content, error)]
    return text, []


def control_character(path: str, text: str) -> Diagnostic | None:
    """The first character that no text file should hold, or None."""
    found = None if text.isascii() and text.isprintable() else _CONTROL.search(text)
    if found is None:
        return None
    line = text.count("\n", 0, found.start())
    column = found.start() - text.rfind("\n", 0, found.start())
    span = Span.of(path, line + 1, column)
    return Diagnostic(
        "LP102", f"a control character U+{ord(found[0]):04X} stands here", span, "invisible", help="remove it"
    )


def _normal(text: str) -> str:
    return text.removeprefix(_BOM).replace("\r\n", "\n").replace("\r", "\n")


def _not_utf8(path: str, content: bytes, error: UnicodeDecodeError) -> Diagnostic:
    """Points at the first wrong byte, which is shown as one replacement character."""
    if content.startswith(_UTF16):
        return Diagnostic("LP101", f"`{path}` is UTF-16, not UTF-8", Span(path), help="save it as UTF-8")
    before = _normal(content[: error.start].decode())
    span = Span.of(path, before.count("\n") + 1, len(before) - before.rfind("\n"))
    headline = f"`{path}` is not UTF-8: byte 0x{content[error.start]:02x} belongs to no character"
    return Diagnostic("LP101", headline, span, "not UTF-8", help="save it as UTF-8")
