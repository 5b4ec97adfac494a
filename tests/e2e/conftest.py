"""A shop that runs: one `loopy run` with its embedded server, shared by every test that only looks and triggers."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.command_line import Run
from tests.support.shop import write_shop


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """The running shop."""
    with Run(write_shop(tmp_path_factory.mktemp("shop"))) as run:
        yield run


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A shop of the test's own, which nobody runs yet."""
    return write_shop(tmp_path / "shop")
