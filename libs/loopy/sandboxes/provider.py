"""What every sandbox provider has in common."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Literal, Protocol

import msgspec

from loopy.compiler.plan import Sandbox


class Finished(msgspec.Struct, frozen=True):
    """A program that ended by itself; `exit_code` is -9 for one that signal 9 ended.

    `stdout` is the beginning of what it wrote, `truncated` says that there was more; `stderr` is the end of it.
    """

    exit_code: int
    stdout: bytes
    stderr: bytes
    truncated: bool = False


class Placement(msgspec.Struct, frozen=True):
    """For which attempt a sandbox is opened, and whether its files are shared with the other steps of the run.

    Attempts are numbered anew in each `epoch` of their step. Two executions of one attempt, each under its `lease`, may
    overlap for a moment: while an executor stands still, another takes over.
    """

    run: str
    step: str
    attempt: int
    workspace: Literal["run", "step"] = "run"
    epoch: int = 0
    lease: int = 0


class SandboxError(Exception):
    """A sandbox could not be made, or a program not started in it; the text says which and why."""

    def __init__(self, detail: str, *, retryable: bool = True) -> None:
        super().__init__(detail)
        self.retryable = retryable


class SandboxSession(Protocol):
    """A sandbox that is open."""

    async def execute(self, command: Sequence[str], *, stdin: bytes = b"") -> Finished:
        """Run a program to its end. When the caller is cancelled, the program and all its children are killed.

        SandboxError when it cannot be started.
        """
        ...

    def redact(self, text: str) -> str:
        """The text, with every secret that this sandbox was given replaced by its name."""
        ...


class Provider(Protocol):
    """Where sandboxes come from. Entry-point group `loopy.sandboxes`; made once a process."""

    def __init__(self, project: Path) -> None:
        """`project` is the directory from which env files are read, and under whose `.loopy/` files may be kept."""
        ...

    def open(self, sandbox: Sandbox, placement: Placement) -> AbstractAsyncContextManager[SandboxSession]:
        """A sandbox for one attempt, whose processes are gone when the context ends. SandboxError.

        With the workspace `run`, the files of the run's earlier steps in the same sandbox are there, and these are
        kept until `end_run`; with `step`, the sandbox begins empty and its files end with the context.
        """
        ...

    def kept_runs(self) -> tuple[str, ...]:
        """The runs of which something is kept, also by a process before this one."""
        ...

    async def end_run(self, run: str) -> None:
        """Remove all that is kept for a run, once none of its sandboxes is open; nothing kept is fine."""
        ...
