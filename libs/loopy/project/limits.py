"""`limits:`, `prices:` and `expect:` of the registry: what a project may cost, and what it should bring about."""

import re
from typing import Any

from loopy.diagnostics.diagnostic import Label
from loopy.project.model import ExpectDecl, LimitsDecl, Located, PriceDecl, Word, WorkflowLimitDecl
from loopy.project.shapes import Shapes
from loopy.project.tree import Entry, Text
from loopy.types.duration import seconds_of

_EXPECT = re.compile(r"\s*(?P<first>\S+)\s*(?:→|->)\s*(?P<then>\S+)\s+within\s+(?P<within>\S+)\s*")
_MAX_HOPS = 1000


def read_limits(shapes: Shapes, entry: Entry) -> LimitsDecl:
    """`limits:`; `cascade_spend` is an older spelling of `cascade: { spend: … }`."""
    keys = shapes.table(entry, ("cascade", "day", "workflows", "cascade_spend"))
    cascade = shapes.table(keys["cascade"], ("spend", "runs", "hops")) if "cascade" in keys else {}
    day = shapes.table(keys["day"], ("spend",)) if "day" in keys else {}
    return LimitsDecl(
        cascade_usd=_cascade_usd(shapes, keys.get("cascade_spend"), cascade.get("spend")),
        cascade_runs=shapes.integer(cascade["runs"], 1) if "runs" in cascade else None,
        cascade_hops=shapes.integer(cascade["hops"], 1, _MAX_HOPS) if "hops" in cascade else None,
        day_usd=_usd(shapes, day.get("spend")),
        workflows=_workflows(shapes, keys["workflows"]) if "workflows" in keys else (),
    )


def _usd(shapes: Shapes, entry: Entry | None) -> float | None:
    amount = shapes.usd(entry) if entry else None
    return amount.value if amount else None


def _cascade_usd(shapes: Shapes, older: Entry | None, newer: Entry | None) -> float | None:
    if older is not None and newer is not None:
        also = (Label(newer.key.span, "and here"),)
        headline = "the spend of a cascade is written twice"
        shapes.report("LP203", headline, older.key.span, "here", also=also, hint="keep the one under `cascade`")
    return _usd(shapes, newer or older)


def _workflows(shapes: Shapes, entry: Entry) -> tuple[WorkflowLimitDecl, ...]:
    pairs = shapes.pairs(entry, "a map of workflows and their limits")
    return tuple(_workflow(shapes, workflow) for workflow in (pairs.entries if pairs else ()))


def _workflow(shapes: Shapes, entry: Entry) -> WorkflowLimitDecl:
    keys = shapes.table(entry, ("spend", "concurrency"))
    limit = shapes.integer(keys["concurrency"], 1) if "concurrency" in keys else None
    return WorkflowLimitDecl(Located(entry.key.text, entry.key.span), _usd(shapes, keys.get("spend")), limit)


def read_prices(shapes: Shapes, entry: Entry) -> tuple[PriceDecl, ...]:
    """`prices:`, US dollars per million tokens."""
    pairs = shapes.pairs(entry, "a map of models and their prices")
    found = [_price(shapes, price) for price in (pairs.entries if pairs else ())]
    return tuple(price for price in found if price is not None)


def _price(shapes: Shapes, entry: Entry) -> PriceDecl | None:
    before = shapes.faults
    keys = shapes.table(entry, ("input", "output"))
    amounts = {key: shapes.amount(inner, zero=True) for key, inner in keys.items()}
    if shapes.faults == before and (missing := [key for key in ("input", "output") if key not in keys]):
        headline = f"the price of `{entry.key.text}` lacks `{missing[0]}`"
        shapes.report("LP202", headline, entry.key.span, "expected `{ input: 1.25, output: 10 }`")
    paid, made = amounts.get("input"), amounts.get("output")
    return PriceDecl(Located(entry.key.text, entry.key.span), paid.value, made.value) if paid and made else None


def read_expectations(shapes: Shapes, entry: Entry) -> tuple[ExpectDecl, ...]:
    """`expect: [Incident → GoalShipped within 4h]`; `->` means the same."""
    words = shapes.words(entry, "an expectation or a list of them") or ()
    found = [_expectation(shapes, word) for word in words]
    return tuple(expectation for expectation in found if expectation is not None)


def _expectation(shapes: Shapes, word: Word) -> ExpectDecl | None:
    found = _EXPECT.fullmatch(word.value)
    if found is None:
        label = "expected `Incident → GoalShipped within 4h`"
        shapes.report("LP208", f"`{word.value}` is not an expectation", word.span, label)
        return None
    seconds = seconds_of(found["within"])
    if not seconds:
        span = _part(word, found, "within").span
        shapes.report("LP208", f"`{found['within']}` is not a duration", span, "expected a duration such as 4h")
        return None
    return ExpectDecl(_part(word, found, "first"), _part(word, found, "then"), seconds)


def _part(word: Word, found: re.Match[str], group: Any) -> Word:
    """A word of the expectation and its place."""
    start, end = found.span(group)
    return Located(found[group], Text(word.value, word.span).part(start, end - start))
