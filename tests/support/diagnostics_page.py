"""docs/reference/diagnostics.md, made of `CODES`: `python -m tests.support.diagnostics_page` writes it."""

from itertools import groupby
from pathlib import Path

from loopy.diagnostics.codes import CODES

PAGE = Path(__file__).parents[2] / "docs/reference/diagnostics.md"
HEAD = """\
# Diagnostics

Every mistake that the compiler knows, each with a page of its own, which `loopy explain CODE` prints. A code is
permanent. A warning fails a compile only with `--strict`.
"""
GROUPS = {
    "1": "file syntax",
    "2": "the registry",
    "3": "references",
    "4": "the graph",
    "5": "types",
    "6": "prose and `when`",
    "7": "sensors, tools, skills and schedules",
    "8": "risk and cost",
    "9": "our own faults",
}


def page() -> str:
    """The page as it must be."""
    return HEAD + "".join(_section(digit, list(codes)) for digit, codes in groupby(sorted(CODES), lambda code: code[2]))


def _section(digit: str, codes: list[str]) -> str:
    rows = "".join(_row(code) for code in codes)
    return f"\n## LP{digit}xx: {GROUPS[digit]}\n\n| code | severity | what |\n|---|---|---|\n{rows}"


def _row(code: str) -> str:
    severity, title = CODES[code]
    return f"| [{code}](../../libs/loopy/diagnostics/pages/{code}.md) | {severity} | {title} |\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
