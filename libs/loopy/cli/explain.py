"""`loopy explain`: the page of a diagnostic's code."""

import argparse
import sys
from importlib.resources import files

DESCRIPTION = "Print what a diagnostic means, with an example that is wrong and one that is right."
EPILOG = "Exit codes: 0 printed, 2 there is no such code."


def configure(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.description, parser.epilog = DESCRIPTION, EPILOG
    parser.add_argument("code", nargs="?", metavar="CODE", help="such as LP302 (default: list every code)")


def run(args: argparse.Namespace) -> int:
    """Print a page, or the list; returns the exit code."""
    from loopy.diagnostics.codes import CODES

    if args.code is None:
        for code, (severity, title) in sorted(CODES.items()):
            print(f"{code}  {severity:<7}  {title}")
        return 0
    code = _spelled(args.code)
    if code not in CODES:
        print(_unknown(args.code, code, sorted(CODES)), file=sys.stderr)
        return 2
    _show((files("loopy.diagnostics") / "pages" / f"{code}.md").read_text(encoding="utf-8"))
    return 0


def _spelled(code: str) -> str:
    """`lp302`, `302` and `error[LP302]` as `LP302`."""
    digits = "".join(char for char in code if char.isdigit())
    return f"LP{digits}"


def _unknown(written: str, code: str, known: list[str]) -> str:
    from difflib import get_close_matches

    close = get_close_matches(code, known, n=3, cutoff=0.6)
    hint = f"did you mean {', '.join(close)}?" if close else "`loopy explain` lists them all"
    return f"loopy explain: there is no code {written!r}; {hint}"


def _show(page: str) -> None:
    """Markdown as it is in a pipe, set on a terminal."""
    if not sys.stdout.isatty():
        print(page, end="")
        return
    from rich.console import Console
    from rich.markdown import Markdown

    Console().print(Markdown(page))
