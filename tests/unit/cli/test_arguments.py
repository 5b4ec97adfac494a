"""What may be written on the command line, and what is said of everything else."""

import argparse
import shlex
from importlib.metadata import version

import pytest

from loopy.cli.commands import COMMANDS, Command, named, parser_of
from loopy.cli.exits import OK, UNUSABLE, CommandError
from loopy.cli.init import scaffold
from loopy.cli.main import help_text, main
from loopy.cli.values import event_data
from loopy.compiler.compile import compile_project
from tests.support.cli_page import PAGE, page


def parse(name: str, *words: str) -> argparse.Namespace:
    command = named(name)
    assert command is not None
    return parser_of(command).parse_args(words)


def refusal(name: str, *words: str) -> CommandError:
    with pytest.raises(CommandError) as caught:
        parse(name, *words)
    assert caught.value.code == UNUSABLE
    return caught.value


def test_the_reference_is_what_help_says() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "write it with `python -m tests.support.cli_page`"


def test_help_has_every_command_in_one_aligned_column() -> None:
    lines = help_text().splitlines()
    for command in COMMANDS:
        line = next(line for line in lines if line.startswith(f"  {command.name} "))
        assert line.index(command.summary) == 14
        assert len(line) <= 80


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_every_example_can_be_parsed(command: Command) -> None:
    for example in command.examples:
        words = shlex.split(example)
        words = words[words.index("loopy") + 1 :]
        parse(words[0], *words[1:])


@pytest.mark.parametrize(("written", "meant"), [("rnu", "run"), ("compil", "compile"), ("trigerr", "trigger")])
def test_an_unknown_command_gets_a_suggestion(written: str, meant: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([written]) == UNUSABLE
    assert capsys.readouterr().err == f"error: loopy: unknown command `{written}`\n  help: did you mean `{meant}`?\n"


def test_an_unknown_command_that_is_like_none_is_not_guessed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["xyzzy"]) == UNUSABLE
    assert "did you mean" not in capsys.readouterr().err


def test_an_unknown_option_gets_a_suggestion() -> None:
    assert refusal("run", "--reherse").hint == "did you mean `--rehearse`?"
    assert refusal("run", "--reherse").message == "loopy run: unknown option `--reherse`"


def test_options_may_not_be_shortened_so_that_new_ones_break_nobody() -> None:
    assert "--rehea" in refusal("run", "--rehea").message


@pytest.mark.parametrize("value", ["", "x", "-1", "65536", "\uff18\uff17", "1" * 5000])
def test_a_port_is_a_port(value: str) -> None:
    assert "port" in refusal("run", "--port", value).message


@pytest.mark.parametrize("value", ["", "x", "1w", "-1s", "1e3", "nan", "9" * 400])
def test_a_duration_is_a_duration(value: str) -> None:
    assert refusal("tap", "--since", value).message.startswith("loopy tap: argument --since: expected")


@pytest.mark.parametrize(("value", "seconds"), [("90", 90), ("90s", 90), ("1.5m", 90), ("2h", 7200), ("1d", 86400)])
def test_durations_are_seconds(value: str, seconds: float) -> None:
    assert vars(parse("tap", "--since", value))["since"] == seconds


@pytest.mark.parametrize("value", ["0", "-1", "x", "1.5", "9999999999"])
def test_a_count_is_a_whole_number_from_one(value: str) -> None:
    assert "whole number" in refusal("runs", "--limit", value).message


@pytest.mark.parametrize("value", ["title", "=x", ""])
def test_a_field_has_a_name_and_a_value(value: str) -> None:
    assert "NAME=VALUE" in refusal("trigger", "Incident", "--field", value).message


def test_a_value_may_hold_equals_signs() -> None:
    assert vars(parse("trigger", "E", "--field", "query=a=b"))["field"] == [("query", "a=b")]


@pytest.mark.parametrize("command", [c.name for c in COMMANDS])
def test_every_command_has_help_with_examples(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--help"]) == OK
    shown = capsys.readouterr().out
    assert shown.startswith(f"Usage: loopy {command}")
    assert "Examples:" in shown


def test_without_a_command_the_help_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == UNUSABLE
    assert "Commands:" in capsys.readouterr().err


def test_help_tells_the_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == OK
    assert "  130         interrupted by Ctrl-C" in capsys.readouterr().out.splitlines()


def test_the_version_is_the_distributions(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == OK
    assert capsys.readouterr().out == f"loopy {version('loopy-core')}\n"


def test_runs_show_needs_an_id_and_list_takes_none(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs", "show"]) == UNUSABLE
    assert main(["runs", "list", "abc"]) == UNUSABLE
    assert "`loopy runs show abc` shows a run" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("init", [""]),
        ("compile", [""]),
        ("serve", ["ingress", ""]),
        ("run", ["--nats", ""]),
        ("run", ["--host", ""]),
        ("runs", ["--project", ""]),
        ("tap", ["--namespace", ""]),
    ],
)
def test_an_empty_text_is_refused_where_a_name_is_needed(name: str, words: list[str]) -> None:
    assert "expected a value, got an empty text" in refusal(name, *words).message


def test_what_is_delivered_is_named_by_its_path_and_file() -> None:
    assert "expected PATH=FILE" in refusal("run", "--deliver", "/hooks/x").message


@pytest.mark.parametrize(
    ("written", "hint"), [("lst", "did you mean `list`?"), ("3f9a01c2", "`loopy runs show 3f9a01c2` shows a run")]
)
def test_what_is_no_action_may_be_a_run(written: str, hint: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs", written]) == UNUSABLE
    assert hint in capsys.readouterr().err


def test_the_examples_of_help_fit_the_scaffold() -> None:
    plan = compile_project({path.as_posix(): data for path, data in scaffold().items()}).plan
    assert plan is not None
    examples = [line.strip() for line in help_text().splitlines() if line.startswith("  loopy trigger")]
    for example in examples:
        args = parse("trigger", *shlex.split(example)[2:])
        event_data(plan, args.event, {}, args.field)
    assert examples
