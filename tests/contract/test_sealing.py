"""The seal: one key for all dispatchers of a namespace, and nothing passes for sealed that was not."""

from typing import Any

import msgspec
import pytest

from loopy.bus.client import Bus
from loopy.bus.seal import MOST_CARRIED_BYTES, Sealer, shared_sealer
from loopy.runs.records import AttemptRequested, AttemptSucceeded
from tests.contract.conftest import Connect
from tests.support.assignments import AT, requested


def success(request: AttemptRequested, **changes: Any) -> AttemptSucceeded:
    """What an executor makes of a request, changed by a forger."""
    made = AttemptSucceeded(*request.result_head("x", AT, AT), epoch=request.epoch, carried=request.carried)
    return msgspec.structs.replace(made, **changes)


async def test_what_one_dispatcher_seals_another_knows(bus: Bus, connect: Connect) -> None:
    sealed = (await shared_sealer(bus)).sealed(requested())
    other = await shared_sealer(await connect("other"))
    assert other.is_genuine(success(sealed))
    wire = msgspec.json.decode(msgspec.json.encode(success(sealed)), type=AttemptSucceeded)
    assert other.is_genuine(wire)


@pytest.mark.parametrize(
    "changes", [{"run": "r2"}, {"workflow": "other"}, {"step": "ship"}, {"attempt": 2}, {"epoch": 1}, {"carried": None}]
)
def test_a_seal_is_for_one_attempt(changes: dict[str, Any]) -> None:
    sealer = Sealer(b"key")
    assert not sealer.is_genuine(success(sealer.sealed(requested()), **changes))


def test_a_seal_is_over_all_that_is_carried() -> None:
    sealer = Sealer(b"key")
    genuine = success(sealer.sealed(requested(inputs={"a": {"n": 1}})))
    assert genuine.carried is not None
    assert sealer.is_genuine(genuine)
    for changes in ({"plan": "p2"}, {"inputs": {"a": {"n": 2}}}, {"seal": ""}, {"seal": "0" * 24}, {"seal": "µ"}):
        forged = msgspec.structs.replace(genuine.carried, **changes)
        assert not sealer.is_genuine(msgspec.structs.replace(genuine, carried=forged))
    assert not Sealer(b"another").is_genuine(genuine)


def test_what_is_long_is_not_carried() -> None:
    long = Sealer(b"key").sealed(requested(inputs={"a": {"text": "x" * MOST_CARRIED_BYTES}}))
    assert (long.seal, long.carried) == ("", None)
