"""A real nats-server for tests, which may be killed and started again on the same store."""

import json
import signal
import subprocess
import time
from pathlib import Path

from loopy.bus.child import dying_with_parent, find_binary

START_TIMEOUT_S = 10.0
_CONFIG = """\
listen: "127.0.0.1:{port}"
ports_file_dir: "{directory}"
{authorization}
{jetstream}
max_payload: {max_payload}
"""


class NatsServer:
    """A server on a free port, in a directory of its own. A missing binary is an error (ServerError)."""

    def __init__(
        self,
        directory: Path,
        *,
        jetstream: bool = True,
        token: str | None = None,
        store: Path | None = None,
        max_file_store: str = "100TB",
        max_payload: str = "8MB",
    ) -> None:
        self._directory = directory
        self._store = store or directory / "js"
        self._max_file_store = max_file_store
        self._jetstream = jetstream
        self._token = token
        self._max_payload = max_payload
        self._process: subprocess.Popen[bytes] | None = None
        self.port = -1

    @property
    def url(self) -> str:
        """Where to connect."""
        return f"nats://{self._token + '@' if self._token else ''}127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start, or start again on the same port and store; returns when it listens."""
        config = self._directory / "nats.conf"
        config.write_text(
            _CONFIG.format(
                port=self.port,
                directory=self._directory,
                jetstream=f'jetstream {{ store_dir: "{self._store}", max_file_store: {self._max_file_store} }}'
                if self._jetstream
                else "",
                max_payload=self._max_payload,
                authorization=f'authorization {{ token: "{self._token}" }}' if self._token else "",
            )
        )
        log = (self._directory / "nats.log").open("ab")
        self._process = subprocess.Popen(
            [find_binary(), "-c", config], stdout=log, stderr=log, preexec_fn=dying_with_parent()
        )
        log.close()
        self.port = self._await_port(self._directory / f"nats-server_{self._process.pid}.ports")

    def kill(self) -> None:
        """Kill it without warning, as the kernel does when memory is short."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it gently."""
        self._end(signal.SIGTERM)

    def pause(self) -> None:
        """Have it do nothing, with every connection open, until `resume`."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def _signal(self, how: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(how)

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(10)
            self._process = None

    def _await_port(self, ports: Path) -> int:
        assert self._process is not None
        deadline = time.monotonic() + START_TIMEOUT_S
        while self._process.poll() is None and time.monotonic() < deadline:
            try:
                return int(json.loads(ports.read_text())["nats"][0].rpartition(":")[2])
            except (OSError, ValueError):
                time.sleep(0.005)
        raise RuntimeError(f"nats-server did not start: {(self._directory / 'nats.log').read_text()[-500:]}")
