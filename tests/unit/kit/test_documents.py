"""What is told to programs has all of its keys."""

from datetime import UTC, datetime

import msgspec

from loopy.kit.documents import complete
from loopy.runs.records import AttemptFailed, RunResumed, Usage

AT = datetime(2026, 3, 1, tzinfo=UTC)


def test_a_fact_is_told_with_the_keys_that_it_leaves_out_on_the_bus() -> None:
    resumed = RunResumed("r", "w", 1, AT, "ada")
    assert complete({"steering": (resumed,)}) == {
        "steering": [
            {
                "record": "RunResumed",
                "run": "r",
                "workflow": "w",
                "epoch": 1,
                "at": AT,
                "by": "ada",
                "why": "",
                "steps": [],
                "edits": {},
            }
        ]
    }


def test_what_lies_in_it_is_complete_too() -> None:
    failed = AttemptFailed("r", "w", "a", 1, "x", AT, AT, "bad_output", "no", usage=Usage(spend_usd=1.0))
    told = complete(failed)
    assert (told["usage"], told["epoch"]) == ({"input_tokens": 0, "output_tokens": 0, "spend_usd": 1.0}, 0)


def test_what_is_complete_reads_as_the_same_fact() -> None:
    resumed = RunResumed("r", "w", 1, AT, "ada", edits={"event": {"title": "x"}})
    assert msgspec.convert(complete(resumed), RunResumed) == resumed


def test_names_are_those_of_the_encoding() -> None:
    class Renamed(msgspec.Struct, rename="camel"):
        one_name: int = 0

    assert complete(Renamed()) == {"oneName": 0}
