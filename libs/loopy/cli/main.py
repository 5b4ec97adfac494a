"""The command `loopy`: finds the command that is asked for, and sees that nothing ends in a traceback."""

import importlib
import os
import sys
from collections.abc import Sequence

from loopy.cli.commands import COMMANDS, named, parser_of
from loopy.cli.exits import FAILED, INTERRUPTED, MEANINGS, OK, UNUSABLE, CommandError
from loopy.cli.parser import did_you_mean


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and give its exit code. No input makes it raise."""
    _print_anything()
    try:
        code = _dispatch(sys.argv[1:] if argv is None else list(argv))
        sys.stdout.flush()
    except CommandError as error:
        return _refuse(error)
    except BrokenPipeError:
        return _close_quietly()
    except KeyboardInterrupt:
        return INTERRUPTED
    except OSError as error:
        return _refuse(CommandError(_in_words(error)))
    except Exception as error:  # noqa: BLE001 -- the last resort: a person is to see one line, whatever we got wrong
        return _own_bug(error)
    return code


def _dispatch(arguments: list[str]) -> int:
    match arguments:
        case []:
            print(help_text(), file=sys.stderr)
            return UNUSABLE
        case ["-h" | "--help" | "help", *_]:
            print(help_text())
            return OK
        case ["-V" | "--version", *_]:
            print(f"loopy {version()}")
            return OK
        case [name, *rest]:
            return _run_command(name, rest)
        case _:
            raise AssertionError(arguments)


def _run_command(name: str, rest: list[str]) -> int:
    command = named(name)
    if command is None:
        what = "option" if name.startswith("-") else "command"
        known = ("--help", "--version") if what == "option" else [c.name for c in COMMANDS]
        raise CommandError(
            f"loopy: unknown {what} `{name}`", did_you_mean(name, known, "`loopy --help` lists them all")
        )
    try:
        args = parser_of(command).parse_args(rest)
    except SystemExit:  # argparse has printed the help that was asked for
        return OK
    code: int = importlib.import_module(f"loopy.cli.{name}").run(args)
    return code


def help_text() -> str:
    """What `loopy --help` prints."""
    width = max(len(command.name) for command in COMMANDS)
    commands = "\n".join(f"  {command.name:<{width}}  {command.summary}" for command in COMMANDS)
    exits = "\n".join(f"  {code:<{width}}  {meaning}" for code, meaning in MEANINGS.items())
    return f"""Usage: loopy COMMAND [OPTIONS]

Agent workflows from Markdown files, run on NATS JetStream.

Commands:
{commands}

Options:
  -h, --help     show this help; `loopy COMMAND --help` shows a command's options and examples
  -V, --version  print the version

Examples:
  loopy init my-automation && cd my-automation
  loopy run --rehearse
  loopy trigger Question --field text='Is anybody there?' --field asked_by=Ada --wait

Exit codes:
{exits}

Colour: only on a terminal, and not with NO_COLOR set. LOOPY_DEBUG=1 shows the trace of an internal error."""


def version() -> str:
    """The version of the installed distribution."""
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as installed

    try:
        return installed("loopy-core")
    except PackageNotFoundError:
        return "(not installed)"


def _print_anything() -> None:
    """Let a terminal of any encoding show what it can of our text, rather than fail; a closed stream shows nothing."""
    sys.stdout = sys.stdout or os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")
    sys.stderr = sys.stderr or os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


def _refuse(error: CommandError) -> int:
    from loopy.cli.screen import error_lines, stderr_screen

    screen = stderr_screen()
    for line in error_lines(error.message, error.hint):
        screen.line(line)
    return error.code


def _close_quietly() -> int:
    """Whoever read us has read enough; the interpreter is not to complain about it at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return OK


def _in_words(error: OSError) -> str:
    reason = error.strerror or str(error) or type(error).__name__
    return f"{error.filename}: {reason}" if error.filename is not None else reason


def _own_bug(error: Exception) -> int:
    if os.environ.get("LOOPY_DEBUG") == "1":
        import traceback

        traceback.print_exception(error)
    summary = " ".join(f"{type(error).__name__}: {error}".split())[:300]
    print(f"internal error: {summary} (please report this; LOOPY_DEBUG=1 shows the trace)", file=sys.stderr)
    return FAILED
