"""An executor whose clock is set while an agent works."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from loopy.agents.installed import Runtimes
from loopy.bus.client import Bus
from loopy.bus.messages import Ack
from loopy.bus.plans import PlanStore
from loopy.bus.steering import Steering
from loopy.bus.streams import ATTEMPTS
from loopy.clock import SystemClock
from loopy.runs.standing import duration_s
from loopy.sandboxes.installed import Providers
from loopy_services.executor.execution import Execution
from loopy_services.executor.service import Executor
from tests.integration.executor.desk import failure, planned, publish, requested


class JumpingClock:
    """A clock that shows two hours more each time that it is looked at."""

    def __init__(self) -> None:
        self._looks = 0

    def now(self) -> datetime:
        """The time, and two hours for each look."""
        self._looks += 1
        return datetime.now(UTC) + timedelta(hours=2 * self._looks)

    def monotonic(self) -> float:
        """As this machine's."""
        return SystemClock().monotonic()


async def test_a_clock_that_is_set_forward_spends_no_attempts_wall_clock(bus: Bus, tmp_path: Path) -> None:
    plan = planned("exit 1")
    execution = Execution(tmp_path, Runtimes(), Providers(tmp_path), rehearse=False)
    executor = Executor("x", bus, PlanStore(bus, plan), execution, JumpingClock(), 2, Steering(bus))
    await publish(bus, requested(plan))
    message = await bus.last(ATTEMPTS, bus.subjects.under("attempt", ">"))
    assert message is not None
    assert isinstance(await executor.handle(message), Ack)
    assert duration_s(await failure(bus)) < 60
