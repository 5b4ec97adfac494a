"""Runtime `anthropic`: a loop of ours asks a model over the Messages API, whose shell and editor act on the sandbox.

The key (`ANTHROPIC_API_KEY`) is the executor's: no program in the sandbox is given it, and none has to be in its image.
Each call is held against what may still be spent before it is made; what it took counts whatever becomes of the
attempt. When the API has no time (429, 529, 5xx) or cannot be reached, the loop waits and asks again: the wall clock
goes on.
"""

import asyncio
import os
import random
import secrets
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

from loopy.agents import readiness
from loopy.agents.conversation import (
    SYSTEM,
    Answered,
    Block,
    Failed,
    GoOn,
    Judge,
    Remind,
    Said,
    Stop,
    Text,
    ToolCall,
    Use,
)
from loopy.agents.harness import Assignment, HarnessError, Reply
from loopy.agents.spend import Tokens, may_answer, usage_of
from loopy.agents.worktools import DEFINITIONS, ToolProblem, WorkTools
from loopy.sandboxes.provider import SandboxSession

if TYPE_CHECKING:
    from anthropic import AsyncAnthropic
    from anthropic.types import Message

KEYS = readiness.KEYS["anthropic"]
MOST_TURNS = 250
MOST_TOKENS = 16_000
LEAST_TOKENS = 256
CALL_S = 600.0
FIRST_WAIT_S, LONGEST_WAIT_S = 0.5, 30.0
PASSING = frozenset({408, 409, 429})
PASSING_KINDS = frozenset({"overloaded_error", "rate_limit_error", "api_error", "timeout_error"})
STOPS: frozenset[str] = frozenset({"tool_use", "end_turn", "max_tokens", "refusal", "pause_turn"})


class AnthropicHarness:
    """Asks with a client of its own in each attempt."""

    needs_sandbox = True

    async def run(self, assignment: Assignment, sandbox: SandboxSession | None) -> Reply:
        """One attempt. HarnessError: `no_key`, `model_error`, `budget_spent`, `no_answer`, `bad_output`, `refused`."""
        assert sandbox is not None
        async with _client() as client:
            return await _Attempt(client, assignment, sandbox).work()


class _Attempt:
    """One attempt's conversation."""

    def __init__(self, client: "AsyncAnthropic", assignment: Assignment, sandbox: SandboxSession) -> None:
        self._client = client
        self._assignment = assignment
        self._meter = assignment.meter
        self._judge = Judge(assignment.step, assignment.events)
        self._tools = WorkTools(sandbox, mark=secrets.token_hex(16))
        self._messages: list[dict[str, Any]] = [_user([{"type": "text", "text": assignment.prompt}])]

    async def work(self) -> Reply:
        """Ask until there is an answer."""
        for _ in range(MOST_TURNS):
            message = await self._ask(self._may_answer())
            said = _said(message)
            if message.content:
                self._messages.append(_assistant(message))
            match self._judge.next(said):
                case Answered(reply=reply):
                    return Reply(reply.output, reply.emits, self._meter.used)
                case Failed(reason=reason, detail=detail, retryable=retryable):
                    raise self._failure(reason, detail, retryable=retryable)
                case Use(calls=calls, told=told):
                    results = [_result(call, text, failed=True) for call, text in told.items()]
                    self._messages.append(_user([*results, *[await self._used(call) for call in calls]]))
                case Remind(text=text):
                    unused = [_result(call.id, text, failed=True) for call in said.calls]
                    self._messages.append(_user([*unused, {"type": "text", "text": text}]))
                case GoOn():
                    pass
        raise self._failure("no_answer", f"the model gave no answer in {MOST_TURNS} turns")

    async def _used(self, call: ToolCall) -> dict[str, Any]:
        try:
            return _result(call.id, await self._tools.use(call.name, call.arguments), failed=False)
        except ToolProblem as problem:
            return _result(call.id, str(problem), failed=True)

    def _may_answer(self) -> int:
        """How many tokens the next answer may have. HarnessError when what there was to spend is spent."""
        cap, used = self._assignment.attempt.spend_usd, self._meter.used.spend_usd
        most = may_answer(MOST_TOKENS, None if cap is None else cap - used, self._assignment.price)
        if most < LEAST_TOKENS:
            raise self._failure("budget_spent", f"${used:.4f} of ${cap or 0:.4f} is spent", retryable=False)
        return most

    async def _ask(self, most_tokens: int) -> "Message":
        """The model's next message, counted. Waits while the API has no time. HarnessError when it refuses."""
        from anthropic import APIConnectionError, APIStatusError

        delay = FIRST_WAIT_S
        while True:
            try:
                message = await self._call(most_tokens)
            except APIStatusError as error:
                if not _passes(error.status_code, error.body):
                    detail = f"the Messages API answers {error.status_code}: {error.message}"
                    raise self._failure("model_error", detail, retryable=False) from None
                await asyncio.sleep(_told_to_wait(error.response.headers.get("retry-after")) or delay * _jitter())
            except APIConnectionError:
                await asyncio.sleep(delay * _jitter())
            else:
                self._meter.add(usage_of(_tokens(message), self._assignment.price))
                return message
            delay = min(2 * delay, LONGEST_WAIT_S)

    async def _call(self, most_tokens: int) -> "Message":
        model = self._assignment.agent.model.rpartition("/")[2]
        async with self._client.messages.stream(
            model=model,
            max_tokens=most_tokens,
            system=[{"type": "text", "text": SYSTEM, "cache_control": {"type": "ephemeral"}}],
            messages=cast("Any", _cached(self._messages)),
            tools=cast("Any", [*DEFINITIONS, self._judge.tool]),
        ) as stream:
            return await stream.get_final_message()

    def _failure(self, reason: str, detail: str, *, retryable: bool = True) -> HarnessError:
        return HarnessError(reason, detail, retryable=retryable, usage=self._meter.used)


def _client() -> "AsyncAnthropic":
    if not any(os.environ.get(key) for key in KEYS):
        detail = f"runtime `anthropic` needs {KEYS[0]} in the executor's environment"
        raise HarnessError("no_key", detail, retryable=False)
    from anthropic import AsyncAnthropic

    return AsyncAnthropic(max_retries=0, timeout=CALL_S)


def _said(message: "Message") -> Said:
    blocks: list[Block] = []
    for block in message.content:
        if block.type == "text":
            blocks.append(Text(block.text))
        elif block.type == "tool_use":
            blocks.append(ToolCall(block.id, block.name, block.input))
    stop = message.stop_reason if message.stop_reason in STOPS else "other"
    return Said(tuple(blocks), cast("Stop", stop))


def _tokens(message: "Message") -> Tokens:
    usage = message.usage
    return Tokens(
        usage.input_tokens,
        usage.output_tokens,
        usage.cache_creation_input_tokens or 0,
        usage.cache_read_input_tokens or 0,
    )


def _passes(status: int, body: object) -> bool:
    """Whether an error passes by itself; one that comes in the middle of a stream has the status of its beginning."""
    error = body.get("error") if isinstance(body, dict) else None
    kind = error.get("type") if isinstance(error, dict) else None
    return status in PASSING or status >= 500 or kind in PASSING_KINDS


def _told_to_wait(retry_after: str | None) -> float | None:
    """The seconds of a Retry-After header (RFC 9110, section 10.2.3); None when it says none."""
    if retry_after is None or not retry_after.strip().isdecimal():
        return None
    return min(float(retry_after), LONGEST_WAIT_S)


def _jitter() -> float:
    return random.uniform(0.5, 1.5)  # noqa: S311  jitter is no secret


def _user(content: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {"role": "user", "content": list(content)}


def _assistant(message: "Message") -> dict[str, Any]:
    return {"role": "assistant", "content": [block.model_dump(exclude_none=True) for block in message.content]}


def _result(call: str, text: str, *, failed: bool) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": call, "content": text or "(nothing)", "is_error": failed}


def _cached(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The messages, up to the last of ours marked to be cached: the next call begins with the same."""
    *before, last = messages
    if last["role"] != "user":
        return messages
    *others, block = last["content"]
    return [*before, {**last, "content": [*others, {**block, "cache_control": {"type": "ephemeral"}}]}]
