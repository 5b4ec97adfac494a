"""One attempt, executed: its sandbox opened, its agent run under the wall clock, its answer held against the types."""

import asyncio
from contextlib import AbstractAsyncContextManager, nullcontext
from pathlib import Path

from loopy.agents.harness import Assignment, Harness, HarnessError
from loopy.agents.hints import read_hint
from loopy.agents.installed import Runtimes
from loopy.agents.readiness import sandbox_of
from loopy.compiler.plan import Agent, Plan, Sandbox
from loopy.runs.records import AttemptRequested
from loopy.sandboxes.installed import Providers
from loopy.sandboxes.provider import Placement, SandboxError, SandboxSession
from loopy_services.executor import core


class Execution:
    """Executes attempts for one project's directory, each with the plan that its run began with."""

    def __init__(self, project: Path, runtimes: Runtimes, providers: Providers, *, rehearse: bool) -> None:
        self._project = project
        self._runtimes = runtimes
        self._providers = providers
        self._rehearse = rehearse

    async def perform(self, plan: Plan, request: AttemptRequested, lease: int) -> core.Settled:
        """The attempt's answer, worked out under this lease. HarnessError when there is none; then no process of it is
        left either."""
        agent = core.agent_of(plan, request, rehearse=self._rehearse)
        try:
            return await self._timed(plan, request, agent, lease)
        except HarnessError:
            raise
        except Exception as error:
            raise core.harness_failed(agent, error) from error

    async def _timed(self, plan: Plan, request: AttemptRequested, agent: Agent, lease: int) -> core.Settled:
        """The attempt's answer, given within what is left of its step's wall clock."""
        harness = self._runtimes.get(agent.runtime)
        hint = read_hint(self._project, request.workflow, request.step) if agent.runtime == core.REHEARSAL else None
        assignment = core.assign(plan, request, agent, lease, hint)
        sandbox = sandbox_of(plan, agent) if harness.needs_sandbox else None
        clock = asyncio.timeout(request.wall_clock_s)
        try:
            async with clock:
                return await self._answer(assignment, harness, sandbox)
        except TimeoutError:
            if clock.expired():
                raise core.timed_out(request, assignment.meter.used) from None
            raise

    async def _answer(self, assignment: Assignment, harness: Harness, sandbox: Sandbox | None) -> core.Settled:
        try:
            async with self._opened(assignment, sandbox) as session:
                try:
                    return core.settled(assignment, await harness.run(assignment, session))
                except SandboxError:
                    raise
                except HarnessError as error:
                    raise _without_secrets(error, session) from None
                except Exception as error:
                    raise _without_secrets(core.harness_failed(assignment.agent, error), session) from error
        except SandboxError as error:
            raise HarnessError("cannot_start", str(error), retryable=error.retryable) from error

    def _opened(
        self, assignment: Assignment, sandbox: Sandbox | None
    ) -> AbstractAsyncContextManager[SandboxSession | None]:
        if sandbox is None:
            return nullcontext()
        attempt, step = assignment.attempt, assignment.step
        placement = Placement(attempt.run, step.name, attempt.attempt, step.workspace, attempt.epoch, assignment.lease)
        return self._providers.get(sandbox.provider).open(sandbox, placement)


def _without_secrets(error: HarnessError, session: SandboxSession | None) -> HarnessError:
    """The same error, telling no value of the sandbox's env files."""
    if session is None:
        return error
    return HarnessError(error.reason, session.redact(error.detail), retryable=error.retryable, usage=error.usage)
