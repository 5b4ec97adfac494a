"""Conditions at run time: total over values, null among them."""

from typing import Any

import pytest

from loopy.compiler.expressions import ExpressionError, evaluate

EVENT: dict[str, Any] = {
    "count": 3, "title": "down", "tags": ["db", "eu"], "at": "2026-01-01T00:30:00+01:00", "yes": True,
    "labels": {"team": "sre"}, "none": None,
}  # fmt: skip
INPUTS: dict[str, Any] = {"review": {"verdict": "pass", "score": 0.5}, "scan-deps": {"ok": False}, "skipped": None}


@pytest.mark.parametrize(
    ("when", "holds"),
    [
        ('review.verdict == "pass"', True),
        ('review.verdict != "pass"', False),
        ('review.verdict in ["pass", "fail"] and event.count > 2', True),
        ("event.count >= 3 and event.count <= 3 and 1 < event.count < 5", True),
        ("review.score > event.count", False),
        ("scan-deps.ok", False),
        ("not scan-deps.ok and event.yes", True),
        ("event.yes == true and scan-deps.ok == false", True),
        ('"db" in event.tags and "team" in event.labels and "ow" in event.title', True),
        ('"x" not in event.tags', True),
        ('event.at < "2026-01-01T00:00:00Z"', True),
        ('event.at == "2025-12-31T23:30:00Z"', True),
        ("event.none == null and event.count != null", True),
        ("skipped.verdict == null", True),
        ('skipped.verdict == "pass"', False),
        ("skipped.score < 1 or skipped.score >= 1", False),
        ("skipped.ok", False),
        ("not skipped.ok", True),
        ('"x" in skipped.list', False),
        ('"x" not in skipped.list', True),
        ("event.title > 3", False),
        ("event.count == true", False),
        ("event.labels.team.deep == null", True),
        ("event.count > -1", True),
        ("(event.count > 5\n or event.yes)", True),
    ],
)
def test_conditions_hold_or_not(when: str, holds: bool) -> None:
    assert evaluate(when, EVENT, INPUTS) is holds


@pytest.mark.parametrize(
    "when", ["", "event.count >", "len(event.tags)", "other.x == 1", "event.count is 3", "1 + 1 == 2", "\0"]
)
def test_what_no_compiler_passed_is_refused(when: str) -> None:
    with pytest.raises(ExpressionError):
        evaluate(when, EVENT, INPUTS)
