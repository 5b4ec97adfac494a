"""Where a running project says that it is, and that only one runs it."""

import os
import stat
import subprocess
from pathlib import Path

import pytest

from loopy.cli.exits import CommandError
from loopy.cli.server_file import Whereabouts, announced, is_alive, read_server_file, sole_runner

THERE = Whereabouts("nats://token@127.0.0.1:4222", "http://127.0.0.1:8700", "loopy", 4711)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / ".loopy").mkdir()
    return tmp_path


def test_the_file_is_there_as_long_as_the_server_and_its_owners_alone(project: Path) -> None:
    with announced(project, THERE):
        file = project / ".loopy" / "server.json"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert read_server_file(project) == THERE
    assert read_server_file(project) is None
    assert list((project / ".loopy").iterdir()) == []


def test_a_file_that_others_could_read_is_replaced_not_written_into(project: Path) -> None:
    file = project / ".loopy" / "server.json"
    file.write_text("{}")
    file.chmod(0o644)
    with announced(project, THERE):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"\xff\xfe", b'{"nats_url": 1}', b"[" * 100_000])
def test_a_file_that_cannot_be_understood_counts_as_none(project: Path, content: bytes) -> None:
    (project / ".loopy" / "server.json").write_bytes(content)
    assert read_server_file(project) is None


def test_credentials_do_not_show() -> None:
    assert "token" not in repr(THERE)


def test_a_second_runner_is_told_who_runs(project: Path) -> None:
    ours = Whereabouts("nats://t@h", "http://127.0.0.1:1", "loopy", os.getpid())
    with sole_runner(project):
        with announced(project, ours), pytest.raises(CommandError) as caught, sole_runner(project):
            pass
        assert f"by process {os.getpid()} (at http://127.0.0.1:1)" in caught.value.message
        assert caught.value.code == 2
    with sole_runner(project):
        pass


def test_a_process_that_ended_is_not_alive() -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    assert not is_alive(ended.pid)
    assert is_alive(os.getpid())
    assert not is_alive(2**70)


def test_a_place_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    (tmp_path / ".loopy").write_text("a file")
    with pytest.raises(CommandError) as caught, sole_runner(tmp_path):
        pass
    assert caught.value.message == f"{tmp_path / '.loopy'} cannot be written to: File exists"
