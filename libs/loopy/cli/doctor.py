"""`loopy doctor`: what this machine and the project still need for a run with real agents."""

import argparse

from loopy.cli.exits import FAILED, OK
from loopy.cli.projects import project_directory
from loopy.cli.screen import ATTENTION, BROKEN, DONE, Line, Piece, counted, line, print_json, stdout_screen

_SYMBOLS = {"ok": Piece(DONE, "ok"), "missing": Piece(BROKEN, "bad"), "attention": Piece(ATTENTION, "warn")}


def run(args: argparse.Namespace) -> int:
    """Print every finding; exit 1 when something is missing."""
    from loopy.cli.checkup import examine

    findings = examine(project_directory(args.directory))
    missing = sum(finding.state == "missing" for finding in findings)
    if args.json:
        print_json(findings)
        return FAILED if missing else OK
    screen = stdout_screen()
    for finding in findings:
        screen.lines(_lines(finding.state, finding.what, finding.advice))
    screen.line()
    screen.line(_verdict(missing))
    return FAILED if missing else OK


def _lines(state: str, what: str, advice: str) -> list[Line]:
    told = [line(_SYMBOLS[state], f" {what}")]
    return [*told, *(line(Piece(f"    {part}", "dim")) for part in advice.splitlines())]


def _verdict(missing: int) -> Line:
    if not missing:
        return line(Piece(f"{DONE} ready to run", "ok"))
    what = Piece(f"{BROKEN} {counted(missing, 'thing')} missing", "bad")
    return line(what, " for a run with real agents; `loopy run --rehearse` needs no agents")
