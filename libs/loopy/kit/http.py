"""One HTTP listener for everything that a process serves, shared out by the path's beginning."""

import asyncio
import contextlib
import errno
import logging
import socket
from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec

from loopy.kit.access import is_loopback, refusal
from loopy.kit.errors import CannotStart
from loopy.kit.problems import ASGIApp, Problem, Receive, Scope, Send
from loopy.kit.settings import Settings

if TYPE_CHECKING:
    import uvicorn

BACKLOG = 2048
WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 (we do not bind to these, we name what reaches them)

_log = logging.getLogger(__name__)


class Address(msgspec.Struct, frozen=True):
    """Where to listen, and which variables say so, to be named when that is impossible."""

    host: str
    port: int
    host_variable: str
    port_variable: str


class Mount(msgspec.Struct, frozen=True):
    """An ASGI application, where its paths begin (`/api`; `/` for all that nothing else claims), and who may use it."""

    prefix: str
    app: ASGIApp
    protected: bool

    def serves(self, path: str) -> bool:
        """Whether a path is this application's."""
        return self.prefix == "/" or path == self.prefix or path.startswith(f"{self.prefix}/")


class HttpServer:
    """The listener. Its port is bound by the first `mount`, so that what cannot work fails before anything begins.

    Connections wait until `start`; `url` is known once something is mounted.
    """

    def __init__(self, settings: Settings, address: Address | None = None) -> None:
        """Listen at `address`, or where the settings say."""
        self._settings = settings
        self._address = address or Address(settings.host, settings.port, "LOOPY_HOST", "LOOPY_PORT (or --port)")
        self._mounts: list[Mount] = []
        self._socket: socket.socket | None = None
        self._server: uvicorn.Server | None = None
        self._serving: asyncio.Task[None] | None = None

    @property
    def mounted(self) -> bool:
        """Whether there is anything to serve."""
        return bool(self._mounts)

    @property
    def url(self) -> str:
        """Where this machine can reach this server, with no slash at its end; empty when nothing is served."""
        if self._socket is None:
            return ""
        host, port = self._socket.getsockname()[:2]
        host = WILDCARDS.get(host, host)
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def mount(self, prefix: str, app: ASGIApp, *, protected: bool) -> None:
        """Serve `app` for the paths that begin with `prefix`; the longest prefix wins.

        Raises CannotStart when the address cannot be listened on, or when a protected application would be open to
        others because there is no token.
        """
        if self._socket is None:
            self._socket = _bind(self._address)
        if protected and not self._loopback and self._settings.token is None:
            raise CannotStart(
                f"listening on {self._address.host}, which others can reach, needs a token: "
                "set LOOPY_TOKEN (or LOOPY_TOKEN_FILE), or listen on 127.0.0.1"
            )
        self._mounts.append(Mount(prefix, app, protected))
        self._mounts.sort(key=lambda mount: -len(mount.prefix))

    async def start(self) -> None:
        """Answer requests from now on. Does nothing when nothing is mounted."""
        if self._socket is None:
            return
        self._server, started = _server(self, grace_s=self._settings.grace_s)
        self._serving = asyncio.create_task(self._server.serve(sockets=[self._socket]), name="http")
        await started.wait()

    async def stop(self) -> None:
        """Accept nothing more, let the requests under way end within the grace, close."""
        if self._server is not None and self._serving is not None:
            self._server.should_exit = True
            await self._serving
        if self._socket is not None:
            self._socket.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI application that uvicorn serves."""
        begun = False

        async def sending(message: Scope) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._dispatch(scope, receive, sending)
        except Problem as problem:
            await problem.send(send)
        except Exception:  # noqa: BLE001 (whatever an application does, the client gets an answer)
            _log.exception("request.failed")
            if not begun:
                await Problem(500, "this server made a mistake; its log says which").send(send)

    async def _dispatch(self, scope: Scope, receive: Receive, send: Send) -> None:
        mount = next((mount for mount in self._mounts if mount.serves(scope["path"])), None)
        if mount is None:
            raise Problem(404, "nothing is served at this path")
        if mount.protected:
            refused = refusal(scope["headers"], loopback=self._loopback, token=self._settings.token)
            if refused is not None:
                raise refused
        await mount.app(scope, receive, send)

    @property
    def _loopback(self) -> bool:
        return self._socket is not None and is_loopback(self._socket.getsockname()[0])


def _bind(where: Address) -> socket.socket:
    """A listening socket; CannotStart says why there is none and what to do."""
    host, port = where.host, where.port
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    except OSError as error:
        raise CannotStart(
            f"cannot listen on {host!r} ({where.host_variable}): the name leads to no address ({error.strerror})"
        ) from None
    try:
        return socket.create_server(address[:2], family=family, backlog=BACKLOG)
    except OSError as error:
        raise CannotStart(_why_not(error, where)) from None


def _why_not(error: OSError, where: Address) -> str:
    host, port, variable = where.host, where.port, where.port_variable
    match error.errno:
        case errno.EADDRINUSE:
            return f"port {port} on {host} is in use: set {variable} to another, 0 for any that is free"
        case errno.EACCES:
            return f"port {port} on {host} may not be used by this user: set {variable} to one above 1023"
        case _:
            return f"cannot listen on {host}, port {port}: {error.strerror}"


def _server(app: HttpServer, *, grace_s: float) -> tuple["uvicorn.Server", asyncio.Event]:
    """A uvicorn server that leaves signals alone, and the event that is set once it accepts."""
    import uvicorn

    started = asyncio.Event()

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            started.set()

        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield

    config = uvicorn.Config(
        app,
        log_config=None,
        log_level=logging.WARNING,
        access_log=False,
        lifespan="off",
        ws="none",
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=max(1, round(grace_s)),
    )
    return Server(config), started
