from loopy.runs.records import Cause
from loopy.runs.trace import attempt_span, request_span, run_span, sense_span
from tests.support.facts import event

CAME_WITH = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"


def test_an_attempt_is_below_its_run_and_a_run_below_the_one_that_emitted_its_event() -> None:
    first, second = event("e1", traceparent=CAME_WITH), event("e2", cascade="e1", traceparent=CAME_WITH, hops=1)
    emitted = event("e2", cascade="e1", traceparent=CAME_WITH, hops=1, cause=Cause("r1", "a"))
    outer, inner = run_span("r1", first), run_span("r2", emitted)
    assert (outer.trace, outer.parent) == ("a" * 32, "b" * 16)
    assert (inner.trace, inner.parent) == ("a" * 32, outer.id)
    assert attempt_span("r1", "a", 0, 1, first).parent == outer.id
    assert run_span("r2", second).parent == "b" * 16


def test_no_two_spans_have_one_id() -> None:
    spans = [run_span("r", event()), *(attempt_span("r", "a", epoch, n, event()) for epoch in (0, 1) for n in (1, 2))]
    assert len({span.id for span in spans}) == 5
    assert {len(span.id) for span in spans} == {16}


def test_a_cascade_that_came_with_no_trace_has_one_of_its_own() -> None:
    first, later = event("e1"), event("e2", cascade="e1", hops=1)
    assert run_span("r1", first).trace == run_span("r2", later).trace != run_span("r3", event("e3")).trace
    assert len(run_span("r1", first).trace) == 32
    assert run_span("r1", first).parent == ""


def test_a_request_is_below_what_it_came_with_or_is_the_first_span() -> None:
    first, below = request_span("sentry", "d1", None, CAME_WITH), request_span("sentry", "d1", CAME_WITH, CAME_WITH)
    assert (first.trace, first.id, first.parent) == ("a" * 32, "b" * 16, "")
    assert (below.trace, below.parent) == ("a" * 32, "b" * 16)
    assert below.id != first.id


def test_a_sensors_call_is_below_the_request() -> None:
    span = sense_span("sentry", "d1", CAME_WITH)
    assert span is not None
    assert (span.trace, span.parent) == ("a" * 32, "b" * 16)
    assert sense_span("sentry", "d1", None) is None
    assert sense_span("sentry", "d1", "nonsense") is None
