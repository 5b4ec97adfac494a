"""An engine with one thing wrong with it."""

import contextlib
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

import msgspec

from tests.sim.invariants import Invariant


class Mutant(msgspec.Struct, frozen=True):
    """What is wrong, which functions are replaced by which to make it so, and the invariant that must notice.

    `likely` are seeds that are tried first, since it took many to find one in which it matters.
    """

    wrong: str
    noticed_by: Invariant
    changes: tuple[tuple[Any, str, Any], ...]
    likely: tuple[int, ...] = ()

    @contextlib.contextmanager
    def at_work(self) -> Iterator[None]:
        """The engine is so, meanwhile."""
        with contextlib.ExitStack() as stack:
            for owner, name, replacement in self.changes:
                stack.enter_context(patch.object(owner, name, replacement))
            yield
