"""The engine with one thing wrong with it, as processes: `python -m tests.crash.mutants dispatcher acknowledges_early`
is a dispatcher that is so. `python -m tests.crash --mutants` plays short campaigns until each is noticed."""

import asyncio
import sys
from typing import Any

import msgspec

from loopy.bus import client, leases, writing
from loopy.bus.messages import Ack, Message, Outgoing, Stored, Verdict
from loopy.bus.steering import Steering
from loopy.bus.transport import Transport
from loopy.kit.process import serve_main
from loopy.runs.state import RunState
from loopy_services.dispatcher.runs import RunDecider
from loopy_services.executor.service import Executor
from tests.crash.executions import executions_are_under_leases, leases_are_taken_over_only_after_a_silence
from tests.crash.promises import Promise, everything_is_said_once, runs_end_once
from tests.crash.steering import paused_runs_begin_nothing

LATER_S = 0.5

_background: set["asyncio.Task[Any]"] = set()
_standing = leases.standing
_on_fact = RunDecider.on_fact


class Mutant(msgspec.Struct, frozen=True):
    """What is wrong, the promise that is seen to break, and which functions are replaced by which to make it so."""

    wrong: str
    noticed_by: Promise
    changes: tuple[tuple[Any, str, Any], ...]


async def _work_later(self: RunDecider, message: Message) -> Verdict:
    """Acknowledge, and do it a moment later: what is killed in between loses it."""

    async def work() -> None:
        await asyncio.sleep(LATER_S)
        await _on_fact(self, message)

    task = asyncio.ensure_future(work())
    _background.add(task)
    task.add_done_callback(_background.discard)
    return Ack()


async def _unsettled(*_: object) -> bool:
    return False


def _never_held(ours: leases.Holder, found: Message | None) -> leases.Standing:
    stands = _standing(ours, found)
    return leases.Free(stands.after, stands.earlier) if isinstance(stands, leases.Theirs) else stands


async def _stored_always(connection: Transport, message: Outgoing) -> Stored:
    return await writing._publish(connection, message, {})


def _not_paused(state: RunState) -> bool:
    return state.cancelled is None and state.ended is None


MUTANTS = {
    "acknowledges_early": Mutant(
        "a fact is acknowledged before what follows from it is stored",
        runs_end_once,
        ((RunDecider, "on_fact", _work_later),),
    ),
    "looks_at_no_result": Mutant(
        "whoever takes an attempt over does not look how it ended",
        executions_are_under_leases,
        ((Executor, "_is_settled", _unsettled), (Executor, "_has_result", _unsettled)),
    ),
    "takes_over_at_once": Mutant(
        "a lease is taken over without waiting",
        leases_are_taken_over_only_after_a_silence,
        ((leases, "standing", _never_held),),
    ),
    "stores_again": Mutant(
        "what is stored is stored again", everything_is_said_once, ((client, "publish_once", _stored_always),)
    ),
    "pauses_nothing": Mutant(
        "a pause is written and not heeded",
        paused_runs_begin_nothing,
        ((RunState, "is_open", property(_not_paused)), (Steering, "is_paused", lambda *_: False)),
    ),
}


def main(kind: str, name: str) -> int:
    """Be a service with this mutation, until told to stop."""
    for owner, attribute, replacement in MUTANTS[name].changes:
        setattr(owner, attribute, replacement)
    return serve_main(kind)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
