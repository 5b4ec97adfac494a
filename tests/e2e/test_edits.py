"""`loopy run` while its project is edited: the next run goes by the edit, or one is told why not."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.command_line import Run, loopy
from tests.support.files import write_files
from tests.support.scribe import said, write_scribe, written

SENSOR = """from loopy import sensor
from loopy.events import Ping


@sensor(webhook="/hooks/ping", emits="Ping")
def pings(req):
    return Ping()
"""


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """A `loopy run` whose first step does not wait."""
    project = write_scribe(tmp_path / "scribe")
    (project / "open").touch()
    with Run(project) as run:
        run.line("  trigger")
        yield run
        assert not any("Traceback" in line or "internal error" in line for line in (*run.told, *run.complained))
        assert run.stop() == 0


def edit(run: Run, text: str, told: str) -> str:
    """Write the second step, and give the first line that has this in it and was not there before."""
    return changed(run, {"workflows/w/second.md": text}, told)


def changed(run: Run, files: dict[str, str], told: str) -> str:
    """Write these files, and do the same."""
    del run.told[:]
    write_files(run.project, files)
    return run.line(told)


def trigger(run: Run) -> str:
    """Have an event pass through the workflow; what was said besides."""
    done = loopy("trigger", "Ping", "--wait", "--project", run.project)
    assert done.returncode == 0, done.stderr
    return done.stderr


def test_an_edit_of_prose_is_what_the_next_run_is_told(run: Run) -> None:
    trigger(run)
    line = edit(run, said("new"), "serves new runs")
    assert re.fullmatch(r"✓ plan [0-9a-f]{8}… serves new runs · 1 workflow · 2 steps \(\d+ ms\)", line)
    trigger(run)
    assert re.findall(r"Write (\w+)\.", written(run.project)) == ["old", "new"]


def test_what_does_not_compile_is_shown_and_the_old_plan_goes_on_until_it_is_mended(run: Run) -> None:
    line = edit(run, said("{{ event.nothing }}"), "goes on serving")
    assert re.fullmatch(r"✗ 1 error · plan [0-9a-f]{8}… goes on serving new runs", line)
    assert run.line("error[LP302]") == "error[LP302]: `event` has no field `nothing`"
    assert run.line("-->").endswith("workflows/w/second.md:5:10")
    assert "checked against the plan that was served last" in trigger(run)
    line = edit(run, said("old"), "✓")
    assert re.fullmatch(r"✓ it can be served again · plan [0-9a-f]{8}… goes on serving new runs", line)
    edit(run, said("{{"), "goes on serving")
    edit(run, said("new"), "serves new runs")
    trigger(run)
    assert re.findall(r"Write (\w+)\.", written(run.project)) == ["old", "new"]


def test_fifty_edits_in_a_row_end_with_the_last_one(run: Run) -> None:
    for number in range(50):
        (run.project / "workflows/w/second.md").write_text(said(f"number{number}"))
    edit(run, said("last"), "serves new runs")
    trigger(run)
    assert "Write last." in written(run.project)


def test_each_of_fifty_edits_that_wait_for_each_other_is_served(run: Run) -> None:
    for number in range(50):
        edit(run, said(f"number{number}"), "serves new runs")
    trigger(run)
    assert "Write number49." in written(run.project)


def test_what_cannot_be_run_here_is_refused_as_an_error_is(run: Run) -> None:
    registry = (run.project / "registry.yml").read_text()
    line = changed(run, {"registry.yml": registry.replace('"command"', '"codex"')}, "goes on serving")
    assert line.startswith("✗ it compiles, but cannot be served · plan ")
    assert "runtime `codex` is not installed" in run.line("codex")
    trigger(run)
    changed(run, {"registry.yml": registry}, "✓ it can be served again")


def test_a_sensor_that_does_not_import_is_refused_and_one_that_does_opens_its_webhook(run: Run) -> None:
    changed(run, {"sensors/pings.py": f"{SENSOR}\n1 / 0\n"}, "✗ it compiles, but cannot be served")
    run.line("  sensors/pings.py does not import: ZeroDivisionError: division by zero (line 9)")
    changed(run, {"sensors/pings.py": SENSOR}, "serves new runs")
    assert re.search(r"webhook +http://127\.0\.0\.1:\d+/hooks/ping +→ pings", run.line("webhook"))


def test_a_warning_is_shown_when_it_is_new_and_not_again(run: Run) -> None:
    registry = (run.project / "registry.yml").read_text()
    unused = registry.replace('"Ping": {}', '"Ping": {}, "Pong": {}')
    changed(run, {"registry.yml": unused}, "serves new runs")
    assert "Pong" in run.line("warning[LP806]")
    changed(run, {"workflows/w/second.md": said("new")}, "serves new runs")
    assert not any("warning" in line for line in run.told)


def test_a_project_that_is_taken_away_and_brought_back_is_served_all_along(run: Run) -> None:
    elsewhere = run.project.parent / "elsewhere"
    del run.told[:]
    (run.project / "registry.yml").unlink()
    run.line("goes on serving")
    write_scribe(elsewhere)
    (elsewhere / "workflows/w/second.md").write_text(said("swapped"))
    shutil.copy(elsewhere / "registry.yml", run.project)
    (run.project / "workflows").rename(run.project / "gone")
    (elsewhere / "workflows").rename(run.project / "workflows")
    run.line("serves new runs")


def test_a_touch_and_a_file_that_is_none_of_the_projects_are_not_told_of(run: Run) -> None:
    del run.told[:]
    write_files(
        run.project, {"README.md": "Read me.", "workflows/w/.second.md.swp": "x", "workflows/w/second.md~": "x"}
    )
    (run.project / "workflows/w/second.md").touch()
    (run.project / "workflows/w/second.md").write_text(said("old"))
    edit(run, said("new"), "serves new runs")
    assert [line for line in run.told if line] == [run.line("serves new runs")], run.told
