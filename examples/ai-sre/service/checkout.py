"""What a cart costs. `.loopy/repository.git` is made from this directory: the code that the agents mend."""

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True)
class Coupon:
    """An amount that is taken off the sum."""

    amount: Decimal


@dataclass(frozen=True)
class Cart:
    """What is to be paid for, and the coupon, if one is left."""

    prices: tuple[Decimal, ...]
    coupon: Coupon | None = None


def total(cart: Cart) -> Decimal:
    """The sum of the prices less the coupon, never below nothing."""
    return max(sum(cart.prices, Decimal(0)) - cart.coupon.amount, Decimal(0))
