"""When everything fails: the rule by which a consumer stops."""

from loopy.bus.collapse import IN_A_ROW, WITHIN_S, Losses, told


def losses(count: int, every_s: float = 0.1) -> Losses:
    all_lost = Losses()
    for number in range(count):
        all_lost.lost(number, "handler_failed", number * every_s)
    return all_lost


def test_everything_fails_when_so_many_in_a_row_were_set_aside() -> None:
    assert losses(IN_A_ROW).are_all
    assert not losses(IN_A_ROW - 1).are_all


def test_one_success_shows_that_not_everything_fails() -> None:
    mixed = losses(IN_A_ROW - 1)
    mixed.succeeded()
    mixed.lost(100, "handler_failed", 2)
    assert not mixed.are_all


def test_the_same_message_again_is_no_other() -> None:
    again = Losses()
    for number in range(10 * IN_A_ROW):
        again.lost(number % (IN_A_ROW - 1), "handler_failed", number / 10)
    assert not again.are_all


def test_poison_that_drips_is_not_everything() -> None:
    assert not losses(10 * IN_A_ROW, every_s=WITHIN_S / (IN_A_ROW - 2)).are_all
    assert losses(IN_A_ROW, every_s=WITHIN_S / (IN_A_ROW - 1)).are_all


def test_what_is_told_counts_each_reason() -> None:
    some = losses(3)
    some.lost(50, "no_plan", 1)
    assert told(some) == "3 × handler_failed, 1 × no_plan"
