"""Runtime `command`: a program in the sandbox, with the prompt on its input and one JSON document on its output.

    {"output": {"verdict": "pass"}, "emits": {"WorkItem": [{"link": "https://…"}]}}

All of stdout is that document; what a program has to tell besides goes to stderr. Both keys may be left out.
"""

import msgspec

from loopy.agents.harness import Assignment, HarnessError, Reply
from loopy.diagnostics.suggest import did_you_mean
from loopy.sandboxes.provider import Finished, SandboxSession

SHOWN_CHARACTERS = 200
SHOWN_LINES = 10
_KEYS = ("output", "emits")


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
            raise HarnessError("exit_code", _failure(agent.run[0], finished, sandbox))
        try:
            return read_document(finished)
        except NoDocument as error:
            raise HarnessError("bad_output", sandbox.redact(str(error)) + _beginning(finished, sandbox)) from None


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
            known = did_you_mean(key, _KEYS) or "the document has `output` and `emits`"
            raise NoDocument(f"stdout has an unknown key `{key}`; {known}")
    return Reply(document.get("output"), document.get("emits"))


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
