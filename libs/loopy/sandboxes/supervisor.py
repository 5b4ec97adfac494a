"""A program that runs one other program and leaves nothing of it behind: `python -I -S supervisor.py FD`.

FD is a socket, the lifeline. Over it comes the request (`encode_request`); back goes one line, `exit CODE` or
`error ERRNO`. When the program has ended, or when the other end of the lifeline is closed, for whatever reason, even
because that process was killed, every descendant is killed. A daemon cannot hide: the supervisor is the subreaper, so
that orphans become its children, whatever session they are in. Where there is no such thing (macOS), the program's
process group is killed.

It imports the standard library only, and little of it: it starts once for every program.
"""

import contextlib
import ctypes
import os
import select
import signal
import socket
import sys
from collections.abc import Iterator, Mapping, Sequence

PR_SET_CHILD_SUBREAPER = 36
# What Python ignores and what the supervisor itself ignores; the program begins with none of it ignored.
TO_DEFAULT = (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def encode_request(command: Sequence[str], environment: Mapping[str, str]) -> bytes:
    """The request: its length and the number of words on one line, then words and variables, each ended by a NUL."""
    variables = [f"{name}={value}" for name, value in environment.items()]
    body = "".join(f"{text}\0" for text in (*command, *variables)).encode("utf-8", "surrogateescape")
    return b"%d %d\n" % (len(body), len(command)) + body


def receive_request(lifeline: socket.socket) -> tuple[list[str], dict[str, str]]:
    """The command and the environment of a request; EOFError when the other end is gone before it is whole."""
    with lifeline.makefile("rb") as stream:
        length, words = map(int, stream.readline().split() or (0, 0))
        body = stream.read(length)
    if not length or len(body) < length:
        raise EOFError
    texts = [os.fsdecode(text) for text in body.split(b"\0")[:-1]]
    return texts[:words], dict(text.split("=", 1) for text in texts[words:])


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent ends, where the system can do so."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def wake_on_child_exit() -> int:
    """A descriptor that becomes readable when a child has ended."""
    read_end, write_end = os.pipe()
    os.set_blocking(read_end, False)
    os.set_blocking(write_end, False)
    signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    return read_end


def reap(wanted: int) -> int | None:
    """Collect every child that has ended; the exit code of `wanted` if it was among them."""
    code = None
    with contextlib.suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            if ended[0] == wanted:
                code = os.waitstatus_to_exitcode(ended[1])
    return code


def await_end(program: int, lifeline: socket.socket, wake: int) -> int | None:
    """Wait until the program has ended (its exit code) or the lifeline is closed (None)."""
    while True:
        ready, _, _ = select.select([lifeline.fileno(), wake], [], [])
        if wake in ready:
            os.read(wake, 4096)
            if (code := reap(program)) is not None:
                return code
        if lifeline.fileno() in ready:
            return None


def parents() -> Iterator[tuple[int, int]]:
    """Every process of this machine and its parent."""
    for name in os.listdir("/proc"):  # noqa: PTH208 - pathlib would double the supervisor's start
        if name.isdigit():
            with contextlib.suppress(OSError), open(f"/proc/{name}/stat", "rb") as stat:  # noqa: PTH123 - as above
                yield int(name), int(stat.read().rpartition(b")")[2].split()[1])


def descendants(ancestor: int) -> list[int]:
    """The processes below `ancestor`, at this moment."""
    children: dict[int, list[int]] = {}
    for process, parent in parents():
        children.setdefault(parent, []).append(process)
    found = [ancestor]
    for process in found:
        found.extend(children.get(process, ()))
    return found[1:]


def kill_all(program: int) -> None:
    """Kill every descendant and wait until none is left; those that appear meanwhile are found in the next round."""
    while True:
        if sys.platform == "linux":
            for process in descendants(os.getpid()):
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(process, signal.SIGKILL)
        else:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(program, signal.SIGKILL)
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return
        reap(program)


def supervise(lifeline: socket.socket) -> str:
    """Run the program that the lifeline asks for; what to answer."""
    command, environment = receive_request(lifeline)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    adopt_orphans()
    wake = wake_on_child_exit()
    try:
        program = os.posix_spawnp(command[0], command, environment, setpgroup=0, setsigdef=TO_DEFAULT)
    except OSError as error:
        return f"error {error.errno}"
    code = await_end(program, lifeline, wake)
    kill_all(program)
    return f"exit {code}"


def main(descriptor: int) -> None:
    """Supervise what the lifeline at this descriptor asks for."""
    lifeline = socket.socket(fileno=descriptor)
    lifeline.set_inheritable(False)
    with contextlib.suppress(EOFError, OSError):
        lifeline.sendall(supervise(lifeline).encode())


if __name__ == "__main__":
    main(int(sys.argv[1]))
