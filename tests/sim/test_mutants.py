"""The simulator notices what is wrong with an engine, and it is the invariant that is meant to that notices it."""

import pytest

from tests.sim.invariants import INVARIANTS
from tests.sim.mutants import MUTANTS, Mutant
from tests.sim.world import simulate

SEEDS = 60


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.wrong)
def test_what_is_wrong_is_noticed(mutant: Mutant) -> None:
    with mutant.at_work():
        noticed = (any(mutant.noticed_by(simulate(seed, mutant.leaning))) for seed in range(SEEDS))
        assert any(noticed), f"not within {SEEDS} seeds"


def test_every_invariant_notices_something() -> None:
    assert {mutant.noticed_by for mutant in MUTANTS} == set(INVARIANTS)
