"""`loopy explain`: the page of a diagnostic's code."""

import argparse
import sys
from collections.abc import Mapping
from importlib.resources import files

from loopy.cli.exits import OK, CommandError
from loopy.cli.screen import print_json


def run(args: argparse.Namespace) -> int:
    """Print a page, or the list; returns the exit code."""
    from loopy.diagnostics.codes import CODES

    if args.code is None:
        _list(CODES, as_json=args.json)
        return OK
    code = _spelled(args.code)
    if code not in CODES:
        raise CommandError(f"there is no code `{args.code}`", _suggestion(code, sorted(CODES)))
    page = (files("loopy.diagnostics") / "pages" / f"{code}.md").read_text(encoding="utf-8")
    if args.json:
        severity, title = CODES[code]
        print_json({"code": code, "severity": severity, "title": title, "page": page})
    else:
        _show(page)
    return OK


def _list(codes: Mapping[str, tuple[str, str]], *, as_json: bool) -> None:
    rows = sorted(codes.items())
    if as_json:
        print_json([{"code": code, "severity": severity, "title": title} for code, (severity, title) in rows])
        return
    for code, (severity, title) in rows:
        print(f"{code}  {severity:<7}  {title}")


def _spelled(code: str) -> str:
    """`lp302`, `302` and `error[LP302]` as `LP302`."""
    digits = "".join(char for char in code if char.isdigit())
    return f"LP{digits}"


def _suggestion(code: str, known: list[str]) -> str:
    from difflib import get_close_matches

    close = get_close_matches(code, known, n=3, cutoff=0.6)
    return f"did you mean {', '.join(close)}?" if close else "`loopy explain` lists them all"


def _show(page: str) -> None:
    """Markdown as it is in a pipe, set on a terminal."""
    if not sys.stdout.isatty():
        print(page, end="")
        return
    from rich.console import Console
    from rich.markdown import Markdown

    Console().print(Markdown(page))
