"""A namespace in which nothing was ever run is told of by every command, instead of waiting for its streams."""

from pathlib import Path

import pytest

from loopy.cli.main import main


@pytest.mark.parametrize(
    "words",
    [
        ["runs"],
        ["runs", "show", "0" * 24],
        ["runs", "cancel", "0" * 24],
        ["runs", "replay", "0" * 24],
        ["control"],
        ["control", "halt"],
        ["dead"],
        ["deliveries"],
        ["tap"],
        ["trigger", "Order"],
    ],
    ids=" ".join,
)
def test_a_command_says_that_nothing_was_ever_run_there(
    words: list[str], nats_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([*words, "--nats", nats_url, "--namespace", "other"]) == 2
    told = capsys.readouterr().err
    assert "nothing was ever run in namespace `other`" in told
    assert "`--namespace NS` names another one" in told
    assert nats_url not in told
