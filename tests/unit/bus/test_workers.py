"""Workers: side by side, in order, and gone at the end."""

import asyncio

from loopy.bus.workers import Workers
from tests.support.waiting import wait_until


async def test_each_piece_is_begun_at_once_and_in_order() -> None:
    begun: list[int] = []
    release = asyncio.Event()

    async def work(piece: int) -> None:
        begun.append(piece)
        await release.wait()

    workers = Workers(work)
    for piece in range(100):
        workers.give(piece)
    await wait_until(lambda: begun == list(range(100)))
    release.set()
    await workers.finish(10)


async def test_those_who_are_done_do_the_next() -> None:
    by: list[object] = []

    async def work(piece: int) -> None:
        by.append(asyncio.current_task())

    workers = Workers(work)
    for piece in range(10):
        workers.give(piece)
        await wait_until(lambda piece=piece: len(by) == piece + 1)  # type: ignore[misc]
    assert len(set(by)) == 1
    await workers.finish(10)


async def test_what_is_done_within_the_grace_is_finished_and_the_rest_cancelled() -> None:
    release, begun, finished = asyncio.Event(), [], []

    async def work(piece: str) -> None:
        begun.append(piece)
        await (release.wait() if piece == "quick" else asyncio.Event().wait())
        finished.append(piece)

    workers = Workers(work)
    workers.give("quick")
    workers.give("stuck")
    await wait_until(lambda: len(begun) == 2)
    release.set()
    await workers.finish(0.05)
    assert finished == ["quick"]
    assert len(asyncio.all_tasks()) == 1


async def test_one_who_is_cancelled_is_replaced() -> None:
    done: list[int] = []

    async def work(piece: int) -> None:
        if piece == 1:
            raise asyncio.CancelledError
        done.append(piece)

    workers = Workers(work)
    for piece in (1, 2, 3):
        workers.give(piece)
    await wait_until(lambda: done == [2, 3])
    await workers.finish(10)
