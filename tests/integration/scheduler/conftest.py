"""What the tests of keeping house share."""

import pytest

from loopy.bus.client import Bus
from loopy.bus.streams import Consumer, Stream


@pytest.fixture
def dealt_with(monkeypatch: pytest.MonkeyPatch) -> None:
    """Dispatchers have dealt with all that is stored: there are none here."""

    async def everything(bus: Bus, consumer: Consumer, stream: Stream) -> int:
        return await bus.position(stream)

    monkeypatch.setattr(Bus, "dealt_with", everything)
