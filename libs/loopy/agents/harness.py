"""What every runtime has in common: an assignment goes in, a reply comes out."""

from collections.abc import Mapping
from typing import Any, Protocol

import msgspec

from loopy.agents.spend import Meter
from loopy.compiler.plan import Agent, Fields, Price, Step
from loopy.runs.records import AttemptRequested, Usage
from loopy.sandboxes.provider import SandboxSession

NOTHING_USED = Usage()


class Assignment(msgspec.Struct, frozen=True):
    """One attempt, ready to be executed: the whole prompt and everything that bounds it.

    `events` has the field types of every event that the step may emit, by name. `lease` is a fencing token: of two
    executors that believe they have the attempt, the one with the larger token is right. `hint` is what the project's
    `rehearsal/<workflow>/<step>.json` says, or None. `attempt.spend_usd` is the most that it may cost, the least that
    is left of any limit (None: no cap): a runtime stops when it is spent. `price` is that of the agent's model, if
    it is known; `meter` counts what the attempt uses while it works, so that it counts though the attempt is stopped.
    """

    attempt: AttemptRequested
    step: Step
    agent: Agent
    prompt: str
    events: Mapping[str, Fields]
    lease: int
    hint: Any = None
    price: Price | None = None
    meter: Meter = msgspec.field(default_factory=Meter)


class Reply(msgspec.Struct, frozen=True):
    """What an agent answered, not yet checked: `{"output": {…}, "emits": {"WorkItem": [{…}]}}`."""

    output: Any = None
    emits: Any = None
    usage: Usage = Usage()


class HarnessError(Exception):
    """An agent gave no reply. `reason` is a constant word for `AttemptFailed`, the text a sentence for the author.

    `usage` is what it cost all the same, as far as the runtime knows.
    """

    def __init__(self, reason: str, detail: str, *, retryable: bool = True, usage: Usage = NOTHING_USED) -> None:
        super().__init__(detail)
        self.usage = usage
        self.reason = reason
        self.detail = detail
        self.retryable = retryable


class Harness(Protocol):
    """A runtime. Entry-point group `loopy.agents`; made without arguments, once a process."""

    needs_sandbox: bool

    async def run(self, assignment: Assignment, sandbox: SandboxSession | None) -> Reply:
        """Execute one attempt. HarnessError when there is no reply; the caller keeps the wall clock."""
        ...
