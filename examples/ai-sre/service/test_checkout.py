"""The service's own tests. None of them takes a cart without a coupon: that is how the bug came to be."""

import unittest
from decimal import Decimal

from checkout import Cart, Coupon, total


class TotalTest(unittest.TestCase):
    """What `total` promises."""

    def test_takes_the_coupon_off_the_sum(self) -> None:
        cart = Cart((Decimal("19.90"), Decimal("5.10")), Coupon(Decimal("5.00")))
        assert total(cart) == Decimal("20.00")

    def test_is_never_below_nothing(self) -> None:
        assert total(Cart((Decimal("3.00"),), Coupon(Decimal("5.00")))) == Decimal(0)


if __name__ == "__main__":
    unittest.main()
