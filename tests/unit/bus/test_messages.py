"""What becomes of a message that cannot be processed yet."""

from loopy.bus.messages import RetryAfter, patience


def test_patience_grows_and_ends_after_about_five_minutes() -> None:
    waits = [patience(deliveries) for deliveries in range(1, 11)]
    assert waits[0] == RetryAfter(1.0)
    assert waits[-1] is None
    assert 200 < sum(wait.delay_s for wait in waits if wait is not None) < 400
