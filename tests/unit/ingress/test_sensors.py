"""What is told of an exception in an author's code."""

from loopy_services.ingress.calls import TooSlow
from loopy_services.ingress.core import SensorMistake
from loopy_services.ingress.sensors import MAX_ERROR, error_text


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise RuntimeError


def test_an_error_is_one_short_line_with_its_name() -> None:
    assert error_text(KeyError("data")) == "KeyError: 'data'"
    assert error_text(ValueError("first\nsecond")) == "ValueError: first"
    assert error_text(AssertionError()) == "AssertionError"
    assert error_text(Unspeakable()) == "Unspeakable"
    assert len(error_text(ValueError("x" * 99_999))) < MAX_ERROR + 20
    noted = ValueError("it")
    noted.add_note("a note")
    assert error_text(noted) == "ValueError: it"


def test_of_our_own_errors_the_sentence_is_told() -> None:
    assert error_text(TooSlow("it took longer than 1 s")) == "it took longer than 1 s"
    assert error_text(SensorMistake("it gave a dict")) == "it gave a dict"
