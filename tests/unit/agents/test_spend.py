"""What calls cost, and what may still be asked for."""

import pytest

from loopy.agents.spend import Meter, Tokens, may_answer, usage_of
from loopy.compiler.plan import Price
from loopy.runs.records import Usage

PRICE = Price(input=3, output=15)


def test_tokens_cost_what_the_price_says_and_cached_ones_their_share() -> None:
    usage = usage_of(Tokens(1_000, 100, cache_written=2_000, cache_read=10_000), PRICE)
    assert (usage.input_tokens, usage.output_tokens) == (13_000, 100)
    assert usage.spend_usd == pytest.approx((1_000 + 2_500 + 1_000) * 3e-6 + 100 * 15e-6)


def test_without_a_price_tokens_count_and_nothing_is_spent() -> None:
    assert usage_of(Tokens(10, 5), None) == Usage(10, 5, 0.0)


@pytest.mark.parametrize(("left", "most"), [(None, 8_000), (1.0, 8_000), (0.015, 1_000), (0.0, 0), (-1.0, 0)])
def test_an_answer_is_no_longer_than_what_is_left_pays_for(left: float | None, most: int) -> None:
    assert may_answer(8_000, left, PRICE) == most
    assert may_answer(8_000, left, None) == 8_000


def test_a_meter_adds_up() -> None:
    meter = Meter()
    meter.add(Usage(1, 2, 0.5))
    meter.add(Usage(3, 4, 0.25))
    assert meter.used == Usage(4, 6, 0.75)
