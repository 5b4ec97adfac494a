"""When a connection is given up: nothing was answered for a while, though it was asked for more than once."""

from loopy.bus.stall import LEAST_FAILURES, MEMORY_S, STALLED_S, Stall


def test_a_connection_is_given_up_when_nothing_was_answered_for_a_while() -> None:
    stall = Stall()
    assert not stall.unanswered(0.0, 2.0)
    assert not stall.unanswered(2.0, 4.0)
    assert stall.unanswered(4.0, 6.0)
    assert not stall.unanswered(6.0, 8.0), "the count begins anew"


def test_many_at_once_are_no_while() -> None:
    stall = Stall()
    assert not any(stall.unanswered(0.0, STALLED_S / 2) for _ in range(100))


def test_an_answer_between_them_means_that_all_is_well() -> None:
    stall = Stall()
    for second in range(30):
        assert not stall.unanswered(second, second + 1.0)
        if second % (LEAST_FAILURES - 1):
            stall.answered()


def test_failures_far_apart_have_nothing_to_do_with_each_other() -> None:
    stall = Stall()
    assert not any(stall.unanswered(at, at + 2.0) for at in range(0, 200, int(MEMORY_S) + 1))
