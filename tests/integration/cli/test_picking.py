"""Which runs a command is about, where there are more than are looked at."""

import pytest

from loopy.bus.client import Bus
from loopy.cli import picking
from loopy.runs.selection import Selection
from tests.integration.console.test_api import a_run


async def test_it_is_said_that_older_runs_were_not_looked_at(
    bus: Bus, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = [await a_run(bus, number) for number in range(3)]
    monkeypatch.setattr(picking, "SEARCHED", 4)
    assert len(await picking.picked(bus, Selection("triage"), 4)) == 3
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(picking, "SEARCHED", 2)
    assert [each.run for each in await picking.picked(bus, Selection("triage"), 2)] == runs[:0:-1]
    assert "only the newest 2 runs were looked at; of older ones, name the ids" in capsys.readouterr().err
    await picking.picked(bus, Selection(), 1)
    assert capsys.readouterr().err == ""
