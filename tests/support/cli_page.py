"""docs/reference/cli.md, made of the commands' own help: `python -m tests.support.cli_page` writes it."""

import os
from pathlib import Path
from unittest.mock import patch

from loopy.cli.commands import COMMANDS, parser_of
from loopy.cli.exits import MEANINGS

PAGE = Path(__file__).parents[2] / "docs/reference/cli.md"
HEAD = """\
# Command line

Every command prints what it found on standard output, and what went wrong, with what to do about it, on standard
error. On a terminal it is coloured, unless `NO_COLOR` is set; in a pipe it is plain text, and `--json` makes it JSON
where data is printed. No input makes a command print a traceback; should that happen all the same, it prints one line
and `LOOPY_DEBUG=1` shows the trace.

Commands that talk to a running project find it by the nearest project from the current directory upwards, whose
`.loopy/server.json` says where its `loopy run` is. `--project DIR` names another project; `--nats URL` or
`LOOPY_NATS_URL` names a NATS server, and `--namespace` or `LOOPY_NAMESPACE` the namespace on it. A run's id may be
shortened as far as it stays the only one that begins so.

"""


def page() -> str:
    """The page as it must be."""
    with patch.dict(os.environ, COLUMNS="100"):
        return HEAD + _exits() + "".join(_section(command.name) for command in COMMANDS)


def _exits() -> str:
    rows = "".join(f"| {code} | {meaning} |\n" for code, meaning in MEANINGS.items())
    return f"## Exit codes\n\n| code | meaning |\n|---|---|\n{rows}"


def _section(name: str) -> str:
    command = next(command for command in COMMANDS if command.name == name)
    return f"\n## loopy {name}\n\n```\n{parser_of(command).format_help()}```\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
