"""argparse with the manners of Loopy: suggestions for what was mistyped, examples at the end, no wrapped surprises."""

import argparse
import os
from collections.abc import Iterable, Sequence
from typing import Any, NoReturn

from loopy.cli.exits import CommandError

MAX_WIDTH = 100


def closest(word: str, known: Iterable[str]) -> str | None:
    """The known word that `word` was probably meant to be."""
    import difflib

    matches = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return matches[0] if matches else None


def did_you_mean(word: str, known: Iterable[str], otherwise: str = "") -> str:
    """A hint that names the closest known word, or `otherwise`."""
    match = closest(word, known)
    return f"did you mean `{match}`?" if match else otherwise


def terminal_width() -> int:
    """How many columns help may fill; does not import `shutil`, which costs more than the whole parser."""
    try:
        columns = int(os.environ.get("COLUMNS", "")) if "COLUMNS" in os.environ else os.get_terminal_size().columns
    except (OSError, ValueError):
        columns = MAX_WIDTH
    return max(40, min(columns, MAX_WIDTH)) - 2


class Formatter(argparse.RawDescriptionHelpFormatter):
    """Help with descriptions and examples as they are written."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=30, width=terminal_width())

    def start_section(self, heading: str | None) -> None:
        """Name argparse's sections as the rest of our help does."""
        super().start_section({"positional arguments": "Arguments", "options": "Options"}.get(heading or "", heading))

    def add_usage(self, usage: Any, actions: Any, groups: Any, prefix: str | None = None) -> None:
        """Begin with a capital letter, as every section does."""
        super().add_usage(usage, actions, groups, "Usage: " if prefix is None else prefix)


class Parser(argparse.ArgumentParser):
    """A parser that raises `CommandError` with a hint where argparse would print its usage and exit."""

    def __init__(self, prog: str, *, description: str = "", epilog: str = "") -> None:
        super().__init__(
            prog, description=description, epilog=epilog, formatter_class=Formatter, allow_abbrev=False, add_help=False
        )
        self.add_argument("-h", "--help", action="help", help="show this help")

    def parse_args(  # type: ignore[override]  # argparse overloads this for namespaces of other classes
        self, args: Sequence[str] | None = None, namespace: None = None
    ) -> argparse.Namespace:
        """The parsed arguments, in any order; CommandError names the first one that nobody knows."""
        parsed, unknown = self.parse_known_intermixed_args(args, namespace)
        if unknown:
            self._refuse(unknown[0])
        return parsed

    def _refuse(self, unknown: str) -> NoReturn:
        flag = unknown.split("=")[0]
        if flag.startswith("-"):
            hint = did_you_mean(flag, self._option_string_actions, f"`{self.prog} --help` lists its options")
            raise CommandError(f"{self.prog}: unknown option `{flag}`", hint)
        raise CommandError(f"{self.prog}: unexpected argument `{unknown}`", f"`{self.prog} --help` shows its usage")

    def error(self, message: str) -> NoReturn:
        """Refuse what argparse could not parse."""
        raise CommandError(f"{self.prog}: {message}", f"`{self.prog} --help` shows its usage")
