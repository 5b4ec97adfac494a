"""Running one program under the supervisor: its input, its output up to a cap, and its end."""

import asyncio
import contextlib
import errno
import os
import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from loopy.sandboxes import supervisor
from loopy.sandboxes.provider import Finished, SandboxError

# An answer may be as large as the largest value that is stored, unless LOOPY_LARGEST_VALUE_BYTES is raised.
STDOUT_BYTES = 64 << 20
STDERR_BYTES = 64 << 10
_CHUNK = 1 << 16


async def run_program(
    command: Sequence[str], environment: Mapping[str, str], directory: Path, stdin: bytes = b""
) -> Finished:
    """Run `command` to its end with exactly this environment; then nothing that it started is alive.

    When the caller is cancelled, or dies, the whole tree is killed. SandboxError when it cannot be started.
    """
    if any("\0" in word for word in command):
        raise SandboxError("a word of the command holds a NUL character, which no program can take", retryable=False)
    lifeline, theirs = socket.socketpair()
    with lifeline:
        lifeline.setblocking(False)
        with theirs:
            process = await _start(theirs, environment.get("PATH", os.defpath), directory)
        feeding = asyncio.create_task(_feed(process.stdin, stdin))
        stdout = asyncio.create_task(_head(process.stdout, STDOUT_BYTES))
        stderr = asyncio.create_task(_tail(process.stderr, STDERR_BYTES))
        ending = asyncio.gather(feeding, stdout, stderr, process.wait())
        try:
            report = await _ask(lifeline, supervisor.encode_request(command, environment))
        finally:
            lifeline.close()  # whatever of the tree is alive is killed now, and the pipes end
            await asyncio.shield(ending)
    output, truncated = stdout.result()
    return Finished(_exit_code(report, command[0]), output, stderr.result(), truncated)


async def _start(lifeline: socket.socket, path: str, directory: Path) -> asyncio.subprocess.Process:
    # Python's own start may add LC_CTYPE to what it is given, so the program's environment comes over the lifeline;
    # PATH is the one variable that the supervisor needs, to find the program.
    try:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-I",
            "-S",
            supervisor.__file__,
            str(lifeline.fileno()),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={"PATH": path},
            cwd=directory,
            pass_fds=(lifeline.fileno(),),
            start_new_session=True,
        )
    except OSError as error:
        raise SandboxError(f"no process could be started: {os.strerror(error.errno or 0)}") from error


async def _ask(lifeline: socket.socket, request: bytes) -> str:
    loop = asyncio.get_running_loop()
    with contextlib.suppress(ConnectionError):
        await loop.sock_sendall(lifeline, request)
        return (await loop.sock_recv(lifeline, 64)).decode()
    return ""


async def _feed(stream: asyncio.StreamWriter | None, data: bytes) -> None:
    assert stream is not None
    with contextlib.suppress(ConnectionError):  # a program need not read what it is given
        stream.write(data)
        await stream.drain()
    stream.close()


async def _head(stream: asyncio.StreamReader | None, cap: int) -> tuple[bytes, bool]:
    assert stream is not None
    kept = bytearray()
    more = False
    while chunk := await stream.read(_CHUNK):
        room = cap - len(kept)
        kept += chunk[:room]
        more = more or len(chunk) > room
    return bytes(kept), more


async def _tail(stream: asyncio.StreamReader | None, cap: int) -> bytes:
    assert stream is not None
    kept = bytearray()
    while chunk := await stream.read(_CHUNK):
        kept += chunk
        del kept[:-cap]
    return bytes(kept)


def _exit_code(report: str, program: str) -> int:
    kind, _, number = report.partition(" ")
    match kind:
        case "exit":
            return int(number)
        case "error" if int(number) == errno.ENOENT:
            raise SandboxError(f"there is no program `{program}` in the sandbox", retryable=False)
        case "error":
            raise SandboxError(f"`{program}` cannot be started: {os.strerror(int(number))}", retryable=False)
        case _:
            raise SandboxError(f"the process that watched over `{program}` was killed")
