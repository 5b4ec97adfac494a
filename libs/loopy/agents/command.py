"""Runtime `command`: a program in the sandbox, with the prompt on its input and one JSON document on its output.

    {"output": {"verdict": "pass"}, "emits": {"WorkItem": [{"link": "https://…"}]}}

All of stdout is that document; what a program has to tell besides goes to stderr. All keys may be left out. What the
attempt cost stands in `"usage": {"input_tokens": 900, "output_tokens": 80, "spend_usd": 0.02}`; it counts whatever
becomes of the attempt.
"""

import math
from typing import Annotated, Any, TypeAlias

import msgspec

from loopy.agents.harness import NOTHING_USED, Assignment, HarnessError, Reply
from loopy.diagnostics.suggest import did_you_mean
from loopy.runs.records import Usage
from loopy.sandboxes.provider import Finished, SandboxSession

SHOWN_CHARACTERS = 200
SHOWN_LINES = 10
_KEYS = ("output", "emits", "usage")
_Count: TypeAlias = Annotated[int, msgspec.Meta(ge=0)]
_Amount: TypeAlias = Annotated[float, msgspec.Meta(ge=0)]


class _ReportedUsage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a program says that it used."""

    input_tokens: _Count = 0
    output_tokens: _Count = 0
    spend_usd: _Amount = 0.0


class NoDocument(ValueError):
    """What a program wrote is not one JSON document of the right shape; the text says what is wrong with it."""


class CommandHarness:
    """Executes `run: [program, argument, …]` of an agent."""

    needs_sandbox = True

    async def run(self, assignment: Assignment, sandbox: SandboxSession | None) -> Reply:
        """One execution of the agent's program. HarnessError: `cannot_start`, `exit_code`, `bad_output`."""
        assert sandbox is not None
        agent = assignment.agent
        if not agent.run:
            raise HarnessError("cannot_start", f"agent `{agent.name}` has no `run: [program, …]`", retryable=False)
        finished = await sandbox.execute(agent.run, stdin=assignment.prompt.encode())
        if finished.exit_code != 0:
            raise HarnessError("exit_code", _failure(agent.run[0], finished, sandbox), usage=_usage_at_least(finished))
        try:
            return read_document(finished)
        except NoDocument as error:
            detail = sandbox.redact(str(error)) + _beginning(finished, sandbox)
            raise HarnessError("bad_output", detail, usage=_usage_at_least(finished)) from None


def read_document(finished: Finished) -> Reply:
    """The reply that a program wrote to its stdout. NoDocument."""
    if finished.truncated:
        raise NoDocument(f"the program wrote more than {len(finished.stdout)} bytes to stdout")
    if not finished.stdout.strip():
        raise NoDocument('the program wrote nothing to stdout; expected {"output": {…}, "emits": {…}}')
    try:
        document = msgspec.json.decode(finished.stdout)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise NoDocument(f"stdout is not one JSON document: {error}") from None
    if not isinstance(document, dict):
        raise NoDocument('stdout is JSON, but not an object like {"output": {…}, "emits": {…}}')
    for key in document:
        if key not in _KEYS:
            known = did_you_mean(key, _KEYS) or "the document has `output`, `emits` and `usage`"
            raise NoDocument(f"stdout has an unknown key `{key}`; {known}")
    return Reply(document.get("output"), document.get("emits"), _usage(document.get("usage")))


def _usage(reported: Any) -> Usage:
    """What a document says under `usage`. NoDocument."""
    if reported is None:
        return NOTHING_USED
    try:
        usage = msgspec.convert(reported, _ReportedUsage)
    except msgspec.ValidationError as error:
        raise NoDocument(f'`usage` is not like {{"spend_usd": 0.02}}: {error}') from None
    if not math.isfinite(usage.spend_usd):
        raise NoDocument("`usage.spend_usd` is no amount of US dollars")
    return Usage(usage.input_tokens, usage.output_tokens, usage.spend_usd)


def _usage_at_least(finished: Finished) -> Usage:
    """What a program that failed said all the same that it used."""
    try:
        document = msgspec.json.decode(finished.stdout)
        return _usage(document.get("usage")) if isinstance(document, dict) else NOTHING_USED
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError, NoDocument):
        return NOTHING_USED


def _failure(program: str, finished: Finished, sandbox: SandboxSession) -> str:
    code = finished.exit_code
    end = f"`{program}` was ended by signal {-code}" if code < 0 else f"`{program}` ended with exit code {code}"
    lines = sandbox.redact(finished.stderr.decode(errors="replace")).strip().splitlines()[-SHOWN_LINES:]
    return "\n".join([f"{end}; stderr ends with:", *lines]) if lines else f"{end} and wrote nothing to stderr"


def _beginning(finished: Finished, sandbox: SandboxSession) -> str:
    """How the output begins; secrets are taken out before it is cut, since half of one is still a secret."""
    text = sandbox.redact(finished.stdout.decode(errors="replace")).strip()
    cut = text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + "…"
    return f"; it begins: {cut}" if cut else ""
