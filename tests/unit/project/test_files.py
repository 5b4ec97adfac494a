"""Which files make a project."""

import os
from pathlib import Path

import pytest

from loopy.project.files import ProjectMissing, load_files, stamp_files
from loopy.project.text import MAX_BYTES, Unreadable
from tests.support.files import write_files


def write(root: Path, *paths: str) -> None:
    write_files(root, {path: path for path in paths})


def reason(content: bytes) -> str:
    assert isinstance(content, Unreadable)
    return content.reason


def test_only_the_projects_own_files_are_read_and_what_was_meant_to_be_one(tmp_path: Path) -> None:
    mine = (
        "registry.yml",
        "workflows/w/s.md",
        "sensors/a.py",
        "sensors/deep/b.py",
        "tools/c.py",
        "skills/x/y/SKILL.md",
        "workflows/astray.md",
        "workflows/w/deep/astray.md",
        "skills/x/skill.md",
    )
    stray = (
        "README.md", "workflows/README.md", "workflows/w/notes.txt", "workflows/w/deep/README.md", "workflows/w/.s.md",
        "sensors/__pycache__/a.py", "sensors/data.csv", "skills/x/y/other.md", ".loopy/p.json", "workflows/.git/s.md",
    )  # fmt: skip
    write(tmp_path, *mine, *stray)
    assert load_files(tmp_path) == {path: path.encode() for path in mine}


def test_a_directory_that_holds_no_project_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ProjectMissing, match="holds no project"):
        load_files(tmp_path)
    with pytest.raises(ProjectMissing, match="no such file or directory"):
        load_files(tmp_path / "nowhere")
    write(tmp_path, "file")
    with pytest.raises(ProjectMissing, match="not a directory"):
        load_files(tmp_path / "file")


def test_links_are_followed_but_not_in_circles(tmp_path: Path) -> None:
    write(tmp_path, "elsewhere/a.py", "sensors/own.py")
    (tmp_path / "sensors/linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "sensors/circle").symlink_to(tmp_path / "sensors")
    (tmp_path / "sensors/dead.py").symlink_to(tmp_path / "gone.py")
    assert sorted(load_files(tmp_path)) == ["sensors/linked/a.py", "sensors/own.py"]


def test_pipes_and_directories_that_are_named_like_files_are_left_alone(tmp_path: Path) -> None:
    write(tmp_path, "registry.yml", "workflows/w/dir.md/inner")
    os.mkfifo(tmp_path / "workflows/w/pipe.md")
    assert sorted(load_files(tmp_path)) == ["registry.yml"]


def test_a_large_file_is_read_no_further_than_needed_to_say_so(tmp_path: Path) -> None:
    (tmp_path / "registry.yml").write_bytes(b"a" * (3 * MAX_BYTES))
    assert len(load_files(tmp_path)["registry.yml"]) == MAX_BYTES + 1


def test_a_name_that_is_no_text_is_reported_under_what_can_be_shown_of_it(tmp_path: Path) -> None:
    write(tmp_path, "workflows/w/x.md")
    (tmp_path / "workflows/w/x.md").rename(tmp_path / os.fsdecode(b"workflows/w/\xff.md"))
    files = load_files(tmp_path)
    assert reason(files["workflows/w/\ufffd.md"]) == "its name is not UTF-8 text"


def test_a_registry_of_another_name_is_reported(tmp_path: Path) -> None:
    write(tmp_path, "registry.yaml")
    assert reason(load_files(tmp_path)["registry.yml"]) == "it is called `registry.yaml`; rename it"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read_is_reported_and_the_rest_is_read(tmp_path: Path) -> None:
    write(tmp_path, "registry.yml", "workflows/w/s.md", "workflows/v/s.md", "sensors/a.py")
    shut = [tmp_path / "registry.yml", tmp_path / "workflows/v", tmp_path / "sensors"]
    for path in shut:
        path.chmod(0)
    try:
        files = load_files(tmp_path)
    finally:
        for path in shut:
            path.chmod(0o755)
    assert files["workflows/w/s.md"] == b"workflows/w/s.md"
    assert {path: reason(files[path]) for path in ("registry.yml", "workflows/v", "sensors")} == dict.fromkeys(
        ("registry.yml", "workflows/v", "sensors"), "permission denied"
    )


def test_there_is_a_stamp_for_each_file_and_it_tells_what_cannot_be_read(tmp_path: Path) -> None:
    write(tmp_path, "registry.yaml", "workflows/w/s.md", "sensors/a.py", "workflows/w/notes.txt")
    stamps = stamp_files(tmp_path)
    assert stamps.keys() == load_files(tmp_path).keys()
    assert stamps["registry.yml"] == "it is called `registry.yaml`; rename it"
    assert stamp_files(tmp_path) == stamps
    (tmp_path / "sensors" / "a.py").chmod(0)
    changed = {path for path, stamp in stamp_files(tmp_path).items() if stamp != stamps[path]}
    assert changed == {"sensors/a.py"}
    with pytest.raises(ProjectMissing):
        stamp_files(tmp_path / "nowhere")
