"""The embedded NATS server: one for each store, supervised, gone when its owner is gone."""

import asyncio
import contextlib
import fcntl
import logging
import os
import secrets
from pathlib import Path

from loopy.bus.child import Child, ServerError
from loopy.bus.streams import Durability

__all__ = ["EmbeddedServer", "ServerError", "StoreInUse"]

QUICK_DEATH_S = 10.0
MOST_QUICK_DEATHS = 5
FIRST_RESTART_DELAY_S = 0.05
LOCK_TRIES = 50
LOCK_PAUSE_S = 0.02

_log = logging.getLogger("loopy.bus")


class StoreInUse(ServerError):
    """Another server works on this store: two on one would lose messages."""

    def __init__(self, store: Path) -> None:
        super().__init__(f"{store} is in use by another NATS server: is `loopy run` running on this project?")


class EmbeddedServer:
    """nats-server on a store of our own, restarted on the same port when it dies."""

    def __init__(self, store: Path, token: str, lock: int, child: Child, durability: Durability) -> None:
        self._store = store
        self._token = token
        self._lock = lock
        self._child = child
        self._durability: Durability = durability
        self._supervision = asyncio.create_task(self._supervise())

    @classmethod
    async def start(cls, store: Path, durability: Durability = "process") -> "EmbeddedServer":
        """Start a server whose data lies in `store`, a directory that is made if need be. ServerError, StoreInUse."""
        store, lock = _prepare(store)
        token = secrets.token_urlsafe(24)
        try:
            await _take(lock, store)
            child = await Child.start(store, token, -1, lock, durability)
        except BaseException:
            os.close(lock)
            raise
        return cls(store, token, lock, child, durability)

    @property
    def url(self) -> str:
        """Where to connect, with the credentials: not to be shown."""
        return f"nats://{self._token}@127.0.0.1:{self._child.port}"

    @property
    def pid(self) -> int:
        """The id of the process that serves now."""
        return self._child.pid

    async def wait(self) -> None:
        """Return when the server was stopped. ServerError when it keeps dying and was given up."""
        await asyncio.wait({self._supervision})
        if not self._supervision.cancelled():
            self._supervision.result()

    async def stop(self) -> None:
        """End the server; its data stays."""
        self._supervision.cancel()
        with contextlib.suppress(asyncio.CancelledError, ServerError):
            await self._supervision
        await self._child.stop()
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    async def _supervise(self) -> None:
        """Restart the server whenever it dies, until it has died quickly too often. ServerError."""
        loop = asyncio.get_running_loop()
        quick_deaths = 0
        while True:
            started = loop.time()
            code = await self._child.ended()
            quick_deaths = quick_deaths + 1 if loop.time() - started < QUICK_DEATH_S else 1
            _log.error("server.died", extra={"code": code, "quick_deaths": quick_deaths})
            while not await self._restarted(quick_deaths):
                quick_deaths += 1

    async def _restarted(self, quick_deaths: int) -> bool:
        """Whether the server runs again, after a wait that grows with its quick deaths. ServerError at too many."""
        if quick_deaths > MOST_QUICK_DEATHS:
            raise self._given_up("it died or did not start")
        await asyncio.sleep(FIRST_RESTART_DELAY_S * 2 ** (quick_deaths - 1))
        try:
            self._child = await Child.start(self._store, self._token, self._child.port, self._lock, self._durability)
        except ServerError as error:
            _log.exception("server.restart_failed", exc_info=error)
            if quick_deaths == MOST_QUICK_DEATHS:
                raise self._given_up(str(error)) from error
            return False
        _log.warning("server.restarted", extra={"pid": self._child.pid})
        return True

    def _given_up(self, why: str) -> ServerError:
        return ServerError(
            f"the embedded NATS server keeps dying ({MOST_QUICK_DEATHS} times in a row): {why};"
            f" its log is {self._store / 'run' / 'nats.log'}"
        )


def _prepare(store: Path) -> tuple[Path, int]:
    """Make the store's directory: its whole path, and the descriptor of the file that is its lock. ServerError."""
    try:
        store = store.absolute()
        store.mkdir(mode=0o700, parents=True, exist_ok=True)
        return store, os.open(store / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ServerError(f"the store {store} cannot be used: {error.strerror}") from error


async def _take(lock: int, store: Path) -> None:
    """Take the lock for us and the server to come. StoreInUse.

    A server whose owner was just killed holds it until it has ended: that is waited for.
    """
    for _ in range(LOCK_TRIES):
        if _locked(lock):
            return
        await asyncio.sleep(LOCK_PAUSE_S)
    raise StoreInUse(store)


def _locked(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
