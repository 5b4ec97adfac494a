"""The installed `loopy`, as a process: commands that end, and `loopy run`s that serve as long as a test needs them."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from loopy.cli.server_file import Whereabouts

LOOPY = Path(sys.executable).with_name("loopy")
TIMEOUT_S = 30.0
READY = "waiting for events"


def environment(**more: str) -> dict[str, str]:
    """This process's environment without what would change what commands do."""
    return {name: value for name, value in os.environ.items() if not name.startswith("LOOPY_")} | more


def loopy(
    *words: str | Path, cwd: Path | None = None, stdin: str = "", env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [LOOPY, *words],
        cwd=cwd,
        input=stdin,
        env=environment(**(env or {})),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )


class Started:
    """A command that goes on until it is told to stop. `told` are the lines of its standard output so far."""

    def __init__(self, *words: str | Path, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> None:
        self.process = subprocess.Popen(
            [LOOPY, *words],
            cwd=cwd,
            env=environment(**(env or {})),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.told: list[str] = []
        self.complained: list[str] = []
        self._news = threading.Condition()
        self._ended = 0
        self._readers = [
            threading.Thread(target=self._read, args=(self.process.stdout, self.told), daemon=True),
            threading.Thread(target=self._read, args=(self.process.stderr, self.complained), daemon=True),
        ]
        for reader in self._readers:
            reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(TIMEOUT_S)
        for reader in self._readers:
            reader.join(TIMEOUT_S)
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()

    def line(self, wanted: str) -> str:
        """The first line of standard output that holds this text, as soon as it is there."""
        return self._wait(lambda: next((each for each in self.told if wanted in each), None), wanted)

    def complaint(self, wanted: str) -> str:
        """The first line of standard error that holds this text, as soon as it is there."""
        return self._wait(lambda: next((each for each in self.complained if wanted in each), None), wanted)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and give the exit code."""
        self.process.send_signal(how)
        return self.process.wait(TIMEOUT_S)

    def _wait(self, found: Callable[[], str | None], wanted: str) -> str:
        with self._news:
            self._news.wait_for(lambda: found() is not None or self._ended == len(self._readers), TIMEOUT_S)
        line = found()
        shown = "\n".join([*self.told[-20:], *self.complained[-20:]])
        assert line is not None, f"{wanted!r} was not said, but:\n{shown}"
        return line

    def _read(self, stream: Any, lines: list[str]) -> None:
        for each in stream:
            with self._news:
                lines.append(each.rstrip("\n"))
                self._news.notify_all()
        with self._news:
            self._ended += 1
            self._news.notify_all()


class Run(Started):
    """A `loopy run` on a project, ready to serve; any port that is free."""

    def __init__(self, project: Path, *words: str | Path, env: Mapping[str, str] | None = None) -> None:
        super().__init__("run", project, "--port", "0", *words, env=env)
        self.project = project
        try:
            self.headline = self.line(READY)
        except BaseException:
            self.__exit__(None, None, None)
            raise

    @property
    def there(self) -> Whereabouts:
        """Where it says that it can be reached."""
        return msgspec.json.decode((self.project / ".loopy" / "server.json").read_bytes(), type=Whereabouts)
