"""The local provider, with real processes: what a program is given, what is kept of it, and that nothing survives."""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from loopy.compiler.plan import Sandbox
from loopy.sandboxes.local import LANGUAGE, SEARCH_PATH, LocalProvider
from loopy.sandboxes.program import STDERR_BYTES, STDOUT_BYTES
from loopy.sandboxes.provider import Finished, Placement, SandboxError

PLACEMENT = Placement("r1", "fix", 1)
SANDBOX = Sandbox("default")
Run = Callable[..., Awaitable[Finished]]

# Two more generations: one in a session of its own whose parent is gone, both deaf to SIGTERM. Their pids go to a fifo.
STUBBORN = """
import os, signal, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        with open(sys.argv[1], "w") as fifo:
            fifo.write(f"{os.getppid()} {os.getpid()}")
        signal.pause()
    os._exit(0) if sys.argv[2] == "orphan" else signal.pause()
if sys.argv[2] == "orphan":
    os.wait()
if sys.argv[3] == "stay":
    signal.pause()
"""


@pytest.fixture
def run(tmp_path: Path) -> Run:
    async def execute(*command: str, stdin: bytes = b"", sandbox: Sandbox = SANDBOX) -> Finished:
        async with LocalProvider(tmp_path).open(sandbox, PLACEMENT) as session:
            return await session.execute(command, stdin=stdin)

    return execute


def alive(process: int) -> bool:
    """Whether a process is there and not a zombie."""
    try:
        return " Z " not in Path(f"/proc/{process}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


async def told(fifo: Path) -> list[int]:
    """The pids that a program writes to a fifo, once it has."""
    text = await asyncio.to_thread(fifo.read_text)
    return [int(word) for word in text.split()]


@contextlib.asynccontextmanager
async def ending(process: int) -> AsyncIterator[None]:
    """What is done inside makes this process end; it is waited for, up to a few seconds."""
    watched = os.pidfd_open(process)
    ended = asyncio.Event()
    asyncio.get_running_loop().add_reader(watched, ended.set)
    try:
        yield
        async with asyncio.timeout(5):
            await ended.wait()
    finally:
        asyncio.get_running_loop().remove_reader(watched)
        os.close(watched)


async def test_the_environment_is_exactly_what_was_built(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEAKED", "yes")
    (tmp_path / "a.env").write_text("TOKEN='a b'\nBOTH=1\n")
    (tmp_path / "b.env").write_text("BOTH=2\n")
    finished = await run("env", "-0", sandbox=Sandbox("default", env_file=("a.env", "b.env")))
    kept = tmp_path / ".loopy" / "sandboxes" / "r1"
    assert dict(line.split("=", 1) for line in finished.stdout.decode().split("\0")[:-1]) == {
        "PATH": SEARCH_PATH,
        "HOME": str(kept / "shared" / "default"),
        "LANG": LANGUAGE,
        "TMPDIR": str(kept / "tmp" / "fix-0-1-0"),
        "TOKEN": "a b",
        "BOTH": "2",
    }


async def test_a_foreign_language_adds_no_variable(run: Run, tmp_path: Path) -> None:
    (tmp_path / "a.env").write_text("LANG=C\n")
    finished = await run("env", sandbox=Sandbox("default", env_file=("a.env",)))
    assert b"LC_CTYPE" not in finished.stdout


async def test_the_program_begins_in_its_workspace_with_default_signals_and_no_stray_descriptor(run: Run) -> None:
    finished = await run("sh", "-c", "pwd; echo $HOME; ls /proc/self/fd; grep SigIgn /proc/self/status")
    here, home, *rest = finished.stdout.decode().split()
    assert here == home
    assert rest[:4] == ["0", "1", "2", "3"]  # 3 is ls reading the directory
    assert int(rest[-1], 16) & 0x7FFFFFFF == 0  # above are two signals that the C library keeps for itself


async def test_input_arrives_whole(run: Run) -> None:
    prompt = os.urandom(1 << 20)
    assert (await run("cat", stdin=prompt)).stdout == prompt


async def test_a_program_may_leave_its_input_unread(run: Run) -> None:
    assert await run("true", stdin=bytes(4 << 20)) == Finished(0, b"", b"")


async def test_the_beginning_of_a_long_output_and_the_end_of_long_errors_are_kept(run: Run) -> None:
    script = "import sys; sys.stdout.write('o' * (65 << 20)); sys.stderr.write('e' * (1 << 20) + 'last')"
    finished = await run(sys.executable, "-c", script)
    assert finished.stdout == b"o" * STDOUT_BYTES
    assert finished.truncated
    assert len(finished.stderr) == STDERR_BYTES
    assert finished.stderr.endswith(b"elast")


async def test_output_of_exactly_the_cap_is_whole(run: Run) -> None:
    finished = await run(sys.executable, "-c", f"print('o' * {STDOUT_BYTES}, end='')")
    assert (len(finished.stdout), finished.truncated) == (STDOUT_BYTES, False)


@pytest.mark.parametrize(("script", "code"), [("exit 3", 3), ("kill -9 $$", -9)])
async def test_the_exit_code_is_told(run: Run, script: str, code: int) -> None:
    assert (await run("sh", "-c", script)).exit_code == code


async def test_a_program_that_is_not_there_is_named(run: Run) -> None:
    with pytest.raises(SandboxError, match="no program `no-such-program`") as caught:
        await run("no-such-program")
    assert not caught.value.retryable


async def test_a_file_that_cannot_be_executed_is_named(run: Run, tmp_path: Path) -> None:
    (tmp_path / "programs").mkdir()
    (tmp_path / "programs" / "fix").write_text("not executable")
    with pytest.raises(SandboxError, match=r"programs/fix` cannot be started: Permission denied"):
        await run("programs/fix")


async def test_a_program_with_a_slash_is_the_projects(run: Run, tmp_path: Path) -> None:
    program = tmp_path / "programs" / "fix"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho mine $1\n")
    program.chmod(0o755)
    assert (await run("programs/fix", "too")).stdout == b"mine too\n"


@pytest.mark.parametrize("lineage", ["orphan", "family"])
async def test_cancelling_kills_the_whole_tree(run: Run, tmp_path: Path, lineage: str) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    running = asyncio.ensure_future(run(sys.executable, "-c", STUBBORN, str(fifo), lineage, "stay"))
    processes = await told(fifo)
    assert alive(processes[1])
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        async with asyncio.timeout(5):
            await running
    assert not any(alive(process) for process in processes)


async def test_a_program_that_ends_leaves_no_daemon(run: Run, tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    running = asyncio.ensure_future(run(sys.executable, "-c", STUBBORN, str(fifo), "orphan", "leave"))
    processes = await told(fifo)
    async with asyncio.timeout(5):
        assert (await running).exit_code == 0
    assert not any(alive(process) for process in processes)


async def test_the_wall_clock_cuts_a_program_that_floods_its_output(run: Run) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await run("sh", "-c", "trap '' TERM; yes & yes >&2 & wait")


async def test_cancelling_twice_still_kills(run: Run, tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    running = asyncio.ensure_future(run(sys.executable, "-c", STUBBORN, str(fifo), "orphan", "stay"))
    processes = await told(fifo)
    async with ending(processes[1]):
        for _ in range(2):
            running.cancel()
            await asyncio.wait([running], timeout=0)
    await asyncio.wait(asyncio.all_tasks() - {asyncio.current_task()})


# Runs a stubborn program in a local sandbox and is then killed itself.
EXECUTOR = """
import asyncio, sys
from pathlib import Path
from loopy.compiler.plan import Sandbox
from loopy.sandboxes.local import LocalProvider
from loopy.sandboxes.provider import Placement

async def main():
    async with LocalProvider(Path(sys.argv[1])).open(Sandbox("default"), Placement("r1", "fix", 1)) as session:
        await session.execute([sys.executable, "-c", *sys.argv[2:]])

asyncio.run(main())
"""


async def test_the_tree_dies_with_an_executor_that_is_killed(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    command = [sys.executable, "-c", EXECUTOR, str(tmp_path), STUBBORN, str(fifo), "orphan", "stay"]
    executor = await asyncio.create_subprocess_exec(*command)
    _, grandchild = await told(fifo)
    async with ending(grandchild):
        executor.kill()
    await executor.wait()


async def test_a_program_that_kills_its_supervisor_is_told_apart(run: Run) -> None:
    with pytest.raises(SandboxError, match="watched over `sh` was killed") as caught:
        await run("sh", "-c", "kill -9 $PPID")
    assert caught.value.retryable


async def test_a_command_with_a_nul_is_refused(run: Run) -> None:
    with pytest.raises(SandboxError, match="holds a NUL"):
        await run("echo", "a\0b")


async def test_a_directory_that_cannot_be_removed_costs_no_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(directory: Path) -> None:
        raise PermissionError(1, "Operation not permitted", str(directory))

    provider = LocalProvider(tmp_path)
    async with provider.open(SANDBOX, PLACEMENT) as session:
        finished = await session.execute(["true"])
        monkeypatch.setattr("loopy.sandboxes.local.remove", refuse)
    await provider.end_run("r1")
    assert finished.exit_code == 0
    assert [record.message for record in caplog.records] == ["sandbox.not_removed"] * 2


async def test_directories_end_with_the_attempt_that_owns_them(tmp_path: Path) -> None:
    provider = LocalProvider(tmp_path)
    async with provider.open(SANDBOX, Placement("r1", "fix", 1, "step")) as session:
        finished = await session.execute(["sh", "-c", "touch kept; mkdir -m 0 locked; pwd; echo $TMPDIR"])
    files, temporary = map(Path, finished.stdout.decode().split())
    assert not files.exists()
    assert not temporary.exists()
    assert provider.kept_runs() == ("r1",)
    await provider.end_run("r1")
    assert provider.kept_runs() == ()


async def test_a_missing_env_file_is_named(run: Run) -> None:
    with pytest.raises(SandboxError, match=r"secrets/base\.env of sandbox `default` cannot be read: No such file"):
        await run("true", sandbox=Sandbox("default", env_file=("secrets/base.env",)))


async def test_a_broken_env_file_is_placed_and_not_quoted(run: Run, tmp_path: Path) -> None:
    (tmp_path / "a.env").write_text("A=1\nhunter2\n")
    with pytest.raises(SandboxError, match=r"a\.env of sandbox `default`, line 2") as caught:
        await run("true", sandbox=Sandbox("default", env_file=("a.env",)))
    assert "hunter2" not in str(caught.value)


async def test_values_of_env_files_are_taken_out_of_texts(tmp_path: Path) -> None:
    (tmp_path / "a.env").write_text("TOKEN=hunter2\n")
    async with LocalProvider(tmp_path).open(Sandbox("default", env_file=("a.env",)), PLACEMENT) as session:
        assert session.redact("it is hunter2") == "it is [TOKEN]"
