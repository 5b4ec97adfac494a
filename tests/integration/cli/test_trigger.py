"""`loopy trigger` does not hang where the server gives no answer."""

import asyncio

import pytest

from loopy.bus.client import Bus
from loopy.bus.messages import Outgoing
from loopy.cli import trigger
from loopy.cli.exits import FAILED, CommandError
from tests.support.facts import event, plan, step, workflow


async def test_it_gives_up_after_a_while_and_says_how_to_repeat_it(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    async def unanswered(message: Outgoing) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(trigger, "STORE_S", 0.05)
    monkeypatch.setattr(bus, "publish_once", unanswered)
    with pytest.raises(CommandError, match="has not stored Incident e1 within") as given_up:
        await trigger.published(bus, event(), plan(workflow(step("a"))), wait=False, timeout_s=None)
    assert given_up.value.code == FAILED
    assert "--id e1" in str(given_up.value.hint)
