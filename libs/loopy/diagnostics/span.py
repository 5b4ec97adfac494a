"""Where something stands in a project's files."""

import msgspec


class Span(msgspec.Struct, frozen=True, order=True):
    """A stretch of one file.

    `path` is relative to the project, with forward slashes. Lines and columns count from 1, columns in characters
    (not bytes); `end_column` is exclusive, so an empty span has `column == end_column`.
    """

    path: str
    line: int = 1
    column: int = 1
    end_line: int = 1
    end_column: int = 1

    @classmethod
    def of(cls, path: str, line: int, column: int, width: int = 1) -> "Span":
        """A span of `width` characters on one line."""
        return cls(path, line, column, line, column + width)
