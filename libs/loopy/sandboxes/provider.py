"""What every sandbox provider has in common."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

import msgspec

from loopy.compiler.plan import Sandbox


class Finished(msgspec.Struct, frozen=True):
    """A program that ended by itself. Output beyond the cap is cut, and `truncated` says so."""

    exit_code: int
    stdout: bytes
    stderr: bytes
    truncated: bool = False


class SandboxError(Exception):
    """A sandbox could not be made, or a program not started in it; the text says which and why."""


class SandboxSession(Protocol):
    """A sandbox that is open."""

    async def execute(self, command: Sequence[str], *, stdin: bytes = b"") -> Finished:
        """Run a program to its end. When the caller is cancelled, the program and all its children are killed."""
        ...


class Provider(Protocol):
    """Where sandboxes come from. Entry-point group `loopy.sandboxes`; made without arguments, once a process."""

    def open(self, sandbox: Sandbox, *, run: str, step: str) -> AbstractAsyncContextManager[SandboxSession]:
        """A fresh sandbox for one attempt, gone with all its processes when the context ends. SandboxError."""
        ...
