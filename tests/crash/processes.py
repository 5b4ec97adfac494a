"""Services as processes that are started again whenever they end, and what befell each of them."""

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import msgspec

from loopy.bus.child import dying_with_parent
from tests.support.waiting import wait_until

RESTART_S = 0.2
STOP_S = 30.0


def now_s() -> float:
    """The time by the clock that /proc/uptime shows: the agent's program notes it as well."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Blow(msgspec.Struct, frozen=True):
    """A process was hurt from `begun_s` until `ended_s`. `pid` is 0 for the server."""

    target: str
    pid: int
    how: str
    begun_s: float
    ended_s: float


class Exit(msgspec.Struct, frozen=True):
    """A process ended of itself."""

    name: str
    code: int
    at_s: float


class Service:
    """One replica of a service; its output goes to `<logs>/<name>.log`. `mutant` is what is wrong with it, if so."""

    def __init__(self, name: str, environment: Mapping[str, str], logs: Path, mutant: str = "") -> None:
        self.name = name
        self.exits: list[Exit] = []
        self._module = f"loopy_services.{self.kind}"
        self._arguments: tuple[str, ...] = ()
        if mutant:
            self._module, self._arguments = "tests.crash.mutants", (self.kind, mutant)
        self._environment = dict(environment)
        self._log = logs / f"{name}.log"
        self._process: asyncio.subprocess.Process | None = None
        self._killed = False
        self._ending = False
        self._may_start = asyncio.Event()
        self._may_start.set()

    async def keep(self) -> None:
        """Start the process, and again whenever it has ended, until `end` is called."""
        while not self._ending:
            await self._may_start.wait()
            self._killed = False
            self._process = await self._started()
            code = await self._process.wait()
            if not self._killed and not self._ending:
                self.exits.append(Exit(self.name, code, now_s()))
            await asyncio.sleep(RESTART_S)

    async def kill(self, down_s: float) -> Blow:
        """SIGKILL; the process is started again after so long."""
        process, begun = self._running(), now_s()
        self._killed = True
        self._may_start.clear()
        process.kill()
        await asyncio.sleep(down_s)
        self._may_start.set()
        return Blow(self.name, process.pid, "kill", begun, begun)

    async def stop(self, down_s: float) -> Blow:
        """SIGSTOP, and SIGCONT after so long."""
        process, begun = self._running(), now_s()
        process.send_signal(signal.SIGSTOP)
        await asyncio.sleep(down_s)
        with contextlib.suppress(ProcessLookupError):  # it was about to end when it was stopped
            process.send_signal(signal.SIGCONT)
        return Blow(self.name, process.pid, "stop", begun, now_s())

    async def end(self) -> int:
        """End the process gently, for good; its exit code. -9 when it did not end in time.

        One that is still starting does not know yet how to end gently, so that is waited for.
        """
        self._ending = True
        process = self._running()
        await wait_until(lambda: process.returncode is not None or _ends_gently(process.pid), STOP_S)
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            return await asyncio.wait_for(process.wait(), STOP_S)
        except TimeoutError:
            process.kill()
            return await process.wait()

    def kill_now(self) -> None:
        """End it at once, whatever state it is in."""
        self._ending = True
        if self._process is not None and self._process.returncode is None:
            self._process.kill()

    @property
    def kind(self) -> str:
        """Which service it is one of."""
        return self.name.partition("-")[0]

    @property
    def is_up(self) -> bool:
        """Whether there is a process now."""
        return self._process is not None and self._process.returncode is None

    def _running(self) -> asyncio.subprocess.Process:
        assert self._process is not None
        return self._process

    async def _started(self) -> asyncio.subprocess.Process:
        with self._log.open("ab") as log:
            return await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                self._module,
                *self._arguments,
                env={**os.environ, **self._environment},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=dying_with_parent(),
            )


def _ends_gently(process: int) -> bool:
    """Whether a process handles SIGTERM."""
    status = Path(f"/proc/{process}/status").read_text()
    caught = int(next(line for line in status.splitlines() if line.startswith("SigCgt:")).split()[1], 16)
    return bool(caught >> (signal.SIGTERM - 1) & 1)
