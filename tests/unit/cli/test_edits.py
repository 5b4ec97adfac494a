"""What counts as an edit of a project, and when it is told."""

import asyncio
import os
import shutil
import threading
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from pathlib import Path

import pytest

from loopy.cli import edits as noticing
from loopy.cli.edits import Stamps, edits, stamps_of
from tests.support.files import write_files

FILES = {
    "registry.yml": "events: {}",
    "workflows/w/s.md": "one",
    "sensors/deep/a.py": "a = 1",
    "skills/x/SKILL.md": "skill",
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    write_files(root, FILES)
    return root


@pytest.fixture
async def noticed(project: Path) -> AsyncIterator[AsyncGenerator[float]]:
    async with aclosing(edits(project, stamps_of(project))) as told:
        yield told


async def next_of(noticed: AsyncGenerator[float]) -> float:
    async with asyncio.timeout(10):
        return await anext(noticed)


def same_size(root: Path) -> None:
    """Other content of the same length, and the time of the change as it was."""
    file = root / "workflows/w/s.md"
    before = file.stat()
    file.write_text("two")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def replaced(root: Path) -> None:
    """As editors save: a new file, renamed over the old one."""
    (root / "workflows/w/.s.md.swp").write_text("one")
    (root / "workflows/w/.s.md.swp").rename(root / "workflows/w/s.md")


def swapped(root: Path) -> None:
    """As git changes branches, at its most thorough: another directory in the place of the old one."""
    shutil.copytree(root / "workflows", root / "elsewhere")
    (root / "elsewhere/w/s.md").write_text("another")
    (root / "workflows").rename(root / "gone")
    (root / "elsewhere").rename(root / "workflows")


@pytest.mark.parametrize(
    "edit",
    [
        lambda root: (root / "registry.yml").write_text("agents: {}"),
        same_size,
        replaced,
        swapped,
        lambda root: (root / "workflows/w/more.md").write_text("more"),
        lambda root: (root / "sensors/deep/a.py").unlink(),
        lambda root: (root / "registry.yml").unlink(),
        lambda root: (root / "skills/x").rename(root / "skills/y"),
        lambda root: write_files(root, {"workflows/new/deep.md": "in a directory that was not there"}),
        shutil.rmtree,
    ],
)
async def test_an_edit_is_noticed(
    project: Path, noticed: AsyncGenerator[float], edit: Callable[[Path], object]
) -> None:
    edit(project)
    await next_of(noticed)


async def test_what_is_no_file_of_the_project_is_no_edit(project: Path) -> None:
    before = stamps_of(project)
    strays = (
        ".loopy/store/x", ".git/index", "README.md", "workflows/w/.s.md.swp", "workflows/w/s.md~", "workflows/w/4913",
        "sensors/deep/__pycache__/a.pyc", "sensors/deep/.#a.py", "deliveries/issue.json", "rehearsal/w/s.json",
    )  # fmt: skip
    write_files(project, dict.fromkeys(strays, "stray"))
    assert stamps_of(project) == before


async def test_edits_in_quick_succession_are_told_of_once_and_with_the_last_of_them(
    project: Path, noticed: AsyncGenerator[float]
) -> None:
    file = project / "workflows/w/s.md"
    for number in range(20):
        file.write_text(f"{number}")
    await next_of(noticed)
    assert file.read_text() == "19"
    after = asyncio.create_task(next_of(noticed))
    (project / "registry.yml").write_text("the next edit")
    assert await after


def test_files_that_are_still_being_written_are_let_be_until_they_stay_the_same(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[Stamps] = [{"a": (2,)}, {"a": (3,)}, {"a": (3,)}, {"a": (4,)}]
    monkeypatch.setattr(noticing, "stamps_of", lambda root: looks.pop(0))
    monkeypatch.setattr(noticing, "QUIET_S", 0)
    settled = noticing._settled(project, {"a": (1,)}, time.perf_counter(), threading.Event())
    assert (settled, looks) == ({"a": (3,)}, [{"a": (4,)}])


async def test_files_that_are_never_let_be_are_told_of_all_the_same(
    project: Path, noticed: AsyncGenerator[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("loopy.cli.edits.LONGEST_S", 0.2)
    writing = True

    async def write() -> None:
        number = 0
        while writing:
            number += 1
            (project / "registry.yml").write_text(str(number))
            await asyncio.sleep(0)

    writer = asyncio.create_task(write())
    await next_of(noticed)
    writing = False
    await writer


async def test_a_project_that_comes_back_is_noticed(project: Path, noticed: AsyncGenerator[float]) -> None:
    shutil.rmtree(project)
    await next_of(noticed)
    assert stamps_of(project) == {}
    write_files(project, FILES)
    await next_of(noticed)
