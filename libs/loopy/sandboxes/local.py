"""Provider `local`: an agent's program as a plain process of this machine, in a directory of its own.

It isolates nothing. A program can read and write whatever the executor's user can, and reach every network; image,
network and resources of the sandbox are not applied. What it does give: an environment built from nothing, a fresh
directory, and an end: at the wall clock every process is killed, and none is left behind by an attempt.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from loopy.compiler.plan import Sandbox
from loopy.sandboxes.envfile import EnvFileError, parse_env
from loopy.sandboxes.program import run_program
from loopy.sandboxes.provider import Finished, Placement, SandboxError
from loopy.sandboxes.redaction import redact
from loopy.sandboxes.workspaces import Workspace, Workspaces, remove

SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
LANGUAGE = "C.UTF-8"

_log = logging.getLogger("loopy.sandboxes")


class LocalSession:
    """An open local sandbox."""

    def __init__(self, project: Path, workspace: Workspace, given: Mapping[str, str]) -> None:
        self._project = project
        self._workspace = workspace
        self._given = given

    @property
    def environment(self) -> dict[str, str]:
        """All that a program in this sandbox finds in its environment."""
        return {
            "PATH": SEARCH_PATH,
            "HOME": str(self._workspace.files),
            "LANG": LANGUAGE,
            "TMPDIR": str(self._workspace.temporary),
            **self._given,
        }

    async def execute(self, command: Sequence[str], *, stdin: bytes = b"") -> Finished:
        """Run a program to its end, in the workspace; one written with a slash is the project's file of that path."""
        program, *arguments = command
        in_project = self._project / program
        if "/" in program and in_project.is_file():
            program = str(in_project)
        return await run_program((program, *arguments), self.environment, self._workspace.files, stdin)

    def redact(self, text: str) -> str:
        """The text, with every value of the sandbox's env files replaced by its name."""
        return redact(text, self._given)


class LocalProvider:
    """Local sandboxes of one project, in its `.loopy/sandboxes/`."""

    def __init__(self, project: Path) -> None:
        self._project = project.resolve()
        self._workspaces = Workspaces(self._project / ".loopy" / "sandboxes")

    @asynccontextmanager
    async def open(self, sandbox: Sandbox, placement: Placement) -> AsyncIterator[LocalSession]:
        """A local sandbox for one attempt. SandboxError when an env file or a directory is wrong."""
        given = self._read_env_files(sandbox)
        try:
            workspace = self._workspaces.make(placement, sandbox.name)
        except OSError as error:
            raise SandboxError(f"no directory for sandbox `{sandbox.name}`: {error.strerror}") from error
        try:
            yield LocalSession(self._project, workspace, given)
        finally:
            await _remove_all(self._workspaces.give_back(workspace))

    def kept_runs(self) -> tuple[str, ...]:
        """The runs that have directories here, also from before this process."""
        return self._workspaces.runs()

    async def end_run(self, run: str) -> None:
        """Remove a run's directories, once no attempt of it is executed here."""
        await _remove_all(self._workspaces.end_run(run))

    def _read_env_files(self, sandbox: Sandbox) -> dict[str, str]:
        variables: dict[str, str] = {}
        for name in sandbox.env_file:
            try:
                variables |= parse_env((self._project / name).read_bytes())
            except OSError as error:
                raise SandboxError(
                    f"env file {name} of sandbox `{sandbox.name}` cannot be read: {error.strerror}", retryable=False
                ) from error
            except EnvFileError as error:
                raise SandboxError(f"env file {name} of sandbox `{sandbox.name}`, {error}", retryable=False) from error
        return variables


async def _remove_all(directories: Iterable[Path]) -> None:
    """Remove directories. One that cannot be is logged: what an attempt answered must not be lost over its litter."""
    for directory in directories:
        try:
            if directory.exists():  # a rehearsed run has none, and a look needs no thread
                await asyncio.to_thread(remove, directory)
        except OSError as error:
            _log.warning("sandbox.not_removed", extra={"directory": str(directory), "error": error.strerror})
