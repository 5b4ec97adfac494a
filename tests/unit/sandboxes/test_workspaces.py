"""The directories of local sandboxes."""

import shutil
from pathlib import Path

import msgspec
import pytest

from loopy.sandboxes.provider import Placement
from loopy.sandboxes.workspaces import Workspaces, remove


def place(step: str = "fix", attempt: int = 1, *, own: bool = False, run: str = "r1") -> Placement:
    return Placement(run, step, attempt, "step" if own else "run")


def removed(directories: tuple[Path, ...]) -> None:
    for directory in directories:
        remove(directory)


@pytest.fixture
def workspaces(tmp_path: Path) -> Workspaces:
    return Workspaces(tmp_path / "root")


def test_steps_of_a_run_share_the_files_of_one_sandbox(workspaces: Workspaces) -> None:
    first = workspaces.make(place("fix"), "default")
    (first.files / "patch").write_text("x")
    removed(workspaces.give_back(first))
    assert (workspaces.make(place("review"), "default").files / "patch").read_text() == "x"
    assert not list(workspaces.make(place("review"), "other").files.iterdir())
    assert not list(workspaces.make(place("review", run="r2"), "default").files.iterdir())


def test_a_step_of_its_own_begins_empty_and_leaves_nothing(workspaces: Workspaces) -> None:
    first = workspaces.make(place(own=True), "default")
    (first.files / "patch").write_text("x")
    again = workspaces.make(place(own=True), "default")
    assert again.files == first.files
    assert not list(again.files.iterdir())
    removed(workspaces.give_back(again))
    assert not again.files.exists()
    assert not again.temporary.exists()


@pytest.mark.parametrize("other", [{"epoch": 1}, {"lease": 8}])
def test_executions_of_two_epochs_or_leases_do_not_meet(workspaces: Workspaces, other: dict[str, int]) -> None:
    first = workspaces.make(place(own=True), "default")
    (first.files / "patch").write_text("x")
    again = workspaces.make(msgspec.structs.replace(place(own=True), **other), "default")
    removed(workspaces.give_back(again))
    assert (first.files / "patch").exists()
    assert first.temporary.exists()


def test_a_run_that_ends_while_an_attempt_is_open_is_removed_after_it(workspaces: Workspaces) -> None:
    workspace = workspaces.make(place(), "default")
    assert workspaces.runs() == ("r1",)
    removed(workspaces.end_run("r1"))
    assert workspace.files.exists()
    removed(workspaces.give_back(workspace))
    assert workspaces.runs() == ()


def test_the_end_of_a_run_that_was_never_here_is_fine(workspaces: Workspaces) -> None:
    removed(workspaces.end_run("never"))
    assert workspaces.runs() == ()


@pytest.mark.parametrize("name", ["../../escape", "..", "/etc", "a/b"])
def test_no_name_leads_out_of_the_root(workspaces: Workspaces, tmp_path: Path, name: str) -> None:
    workspace = workspaces.make(place(), name)
    assert workspace.files.resolve().is_relative_to(tmp_path / "root" / "r1" / "shared")
    assert workspace.files.parent == tmp_path / "root" / "r1" / "shared"


def test_what_another_executor_removes_at_the_same_time_is_gone_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory, rmtree = tmp_path / "r1", shutil.rmtree
    for name in "ab":
        (directory / name).mkdir(parents=True)

    def beside_another(path: Path) -> None:
        if (path / "a").exists():
            (path / "a").rmdir()
            raise FileNotFoundError(path / "a")
        rmtree(path)

    monkeypatch.setattr(shutil, "rmtree", beside_another)
    remove(directory)
    assert not directory.exists()
