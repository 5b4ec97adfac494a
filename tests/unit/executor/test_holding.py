"""A lease that is lost while its work looks for itself, too."""

import asyncio
import gc
from typing import Any, cast

import pytest

from loopy.bus.leases import Lease
from loopy_services.executor.holding import Holding, LeaseLost


class Lost:
    """A lease that is held when the work begins, and lost when it is renewed next, which takes a moment."""

    overdue = True
    age_s = 10.0

    def __init__(self) -> None:
        self.renewed = 0

    async def renew(self) -> bool:
        """Once."""
        self.renewed += 1
        if self.renewed == 1:
            return True
        await asyncio.sleep(0.05)
        return False


async def test_a_lease_that_both_find_lost_is_told_once() -> None:
    forgotten: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: forgotten.append(context))

    async def unsettled() -> bool:
        return False

    async def work() -> str:
        return "done"

    async def record(_: str) -> None:
        raise AssertionError("nothing is recorded without the lease")

    with pytest.raises(LeaseLost):
        await Holding(cast("Lease", Lost()), 0.03, unsettled).work(work, record)
    gc.collect()
    assert forgotten == []
