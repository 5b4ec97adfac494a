"""A process of Loopy: its exit codes, its signals, and its last words."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

HEAD = """
import asyncio, sys
from loopy.kit.errors import CannotStart, ServiceFailed
from loopy.kit.process import run_process

async def main(stopping):
    print("ready", flush=True)
    {body}

sys.exit(run_process(main))
"""


@asynccontextmanager
async def program(body: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A process whose `main` says that it is ready, then does `body`."""
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        HEAD.format(body=body),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert child.stdout is not None
    assert await child.stdout.readline() == b"ready\n"
    try:
        yield child
    finally:
        if child.returncode is None:
            child.kill()
        await child.communicate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_first_signal_ends_gracefully_with_0(number: signal.Signals) -> None:
    async with program("await stopping.wait(); print('ended well')") as child:
        child.send_signal(number)
        out, err = await child.communicate()
    assert (child.returncode, out, err) == (0, b"ended well\n", b"")


async def test_a_second_signal_leaves_now_with_130() -> None:
    body = "await stopping.wait(); print('stopping', flush=True); await asyncio.Event().wait()"
    async with program(body) as child:
        assert child.stdout is not None
        child.send_signal(signal.SIGTERM)
        assert await child.stdout.readline() == b"stopping\n"
        child.send_signal(signal.SIGINT)
        await child.communicate()
    assert child.returncode == 130


@pytest.mark.parametrize(("error", "code"), [("CannotStart", 2), ("ServiceFailed", 1)])
async def test_what_ends_a_process_is_told_in_one_line(error: str, code: int) -> None:
    async with program(f"raise {error}('mend the port')") as child:
        _, err = await child.communicate()
    assert (child.returncode, err) == (code, b"error: mend the port\n")
