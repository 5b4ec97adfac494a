"""Three nats-servers on loopback that keep every stream three times; the leader of the journals is whom faults hit."""

import asyncio
import signal
import socket
import subprocess
from itertools import permutations
from pathlib import Path
from typing import Any

import msgspec
import nats

from loopy.bus.child import dying_with_parent, find_binary
from tests.cluster.wires import Wire
from tests.crash.faults import SERVER, Fault
from tests.crash.processes import Blow, now_s
from tests.support.waiting import wait_until

COUNT = 3
NOBODY = 1  # a port where no server is: what servers tell each other of themselves leads past no wire
FORMING_S = 30.0
_CONFIG = """\
server_name: "server-{index}"
listen: "127.0.0.1:{port}"
jetstream {{ store_dir: "{directory}", max_file_store: 100TB }}
cluster {{
  name: "crash"
  listen: "127.0.0.1:{route}"
  advertise: "127.0.0.1:{nobody}"
  no_advertise: true
  routes: [{routes}]
}}
"""


class Cluster:
    """The servers and the wires between them."""

    replicas = COUNT

    def __init__(self, directory: Path, leading: str, *, wired: bool = True) -> None:
        """`leading` is the stream whose leader is struck. What is not `wired` cannot be cut, and is not slowed down."""
        self._directory = directory
        self._leading = leading
        self._ports = _free_ports(2 * COUNT)
        pairs = list(permutations(range(COUNT), 2)) if wired else []
        self._wires = {pair: Wire(self._ports[COUNT + pair[1]]) for pair in pairs}
        self._processes: dict[int, subprocess.Popen[bytes]] = {}

    @property
    def url(self) -> str:
        """Where to connect: any of them."""
        return ",".join(f"nats://127.0.0.1:{port}" for port in self._ports[:COUNT])

    async def start(self) -> None:
        """Start all three, and wait until they have found together."""
        self._directory.mkdir()
        direct = {(here, there): self._ports[COUNT + there] for here, there in permutations(range(COUNT), 2)}
        doors = direct | {pair: await wire.open() for pair, wire in self._wires.items()}
        for index in range(COUNT):
            routes = ", ".join(f'"nats-route://127.0.0.1:{port}"' for (here, _), port in doors.items() if here == index)
            self._config(index).write_text(
                _CONFIG.format(
                    index=index,
                    port=self._ports[index],
                    route=self._ports[COUNT + index],
                    directory=self._directory / f"js-{index}",
                    nobody=NOBODY,
                    routes=routes,
                )
            )
            self._start(index)
        await wait_until(self._has_formed, FORMING_S)

    async def strike(self, fault: Fault) -> Blow | None:
        """Kill, pause or cut off the leader, for a while."""
        index = await self._leader()
        begun = now_s()
        match fault.how:
            case "kill":
                self._processes[index].kill()
                self._processes[index].wait()
                await asyncio.sleep(fault.lasts_s)
                self._start(index)
            case "stop":
                self._processes[index].send_signal(signal.SIGSTOP)
                await asyncio.sleep(fault.lasts_s)
                self._processes[index].send_signal(signal.SIGCONT)
            case "cut":
                around = [wire for pair, wire in self._wires.items() if index in pair]
                for wire in around:
                    wire.cut()
                await asyncio.sleep(fault.lasts_s)
                for wire in around:
                    wire.mend()
        return Blow(f"{SERVER}-{index}", 0, fault.how, begun, now_s())

    async def close(self) -> None:
        """End all of them; their stores stay."""
        for process in self._processes.values():
            process.kill()
            process.wait()
        for wire in self._wires.values():
            await wire.close()

    def _config(self, index: int) -> Path:
        return self._directory / f"server-{index}.conf"

    def _start(self, index: int) -> None:
        with (self._directory / f"server-{index}.log").open("ab") as log:
            self._processes[index] = subprocess.Popen(
                [find_binary(), "-c", self._config(index)], stdout=log, stderr=log, preexec_fn=dying_with_parent()
            )

    async def _has_formed(self) -> bool:
        """Whether there is room for a stream on all of them."""
        trial = {"name": "TRIAL", "subjects": ["trial"], "storage": "memory", "num_replicas": COUNT}
        try:
            made = await self._asked("$JS.API.STREAM.CREATE.TRIAL", trial)
            return "error" not in made and "error" not in await self._asked("$JS.API.STREAM.DELETE.TRIAL")
        except (nats.errors.Error, OSError):
            return False

    async def _leader(self) -> int:
        """The number of the server that leads the stream."""
        info = await self._asked(f"$JS.API.STREAM.INFO.{self._leading}")
        return int(info["cluster"]["leader"].rpartition("-")[2])

    async def _asked(self, subject: str, body: Any = None) -> Any:
        client = await nats.connect(self.url.split(","), connect_timeout=2, max_reconnect_attempts=1)
        try:
            return msgspec.json.decode(
                (await client.request(subject, b"" if body is None else msgspec.json.encode(body), timeout=2)).data
            )
        finally:
            await client.close()


def _free_ports(count: int) -> list[int]:
    """Ports that are free at this moment."""
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    try:
        return [int(listener.getsockname()[1]) for listener in listeners]
    finally:
        for listener in listeners:
            listener.close()
