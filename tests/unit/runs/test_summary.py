from loopy.runs.records import RunEnded
from loopy.runs.state import RunState, fold
from loopy.runs.summary import RunSummary, summarize
from tests.support.facts import NOW, Facts, at, step, workflow

FACTS = Facts(workflow(step("a")))


def test_a_run_under_way_has_no_outcome() -> None:
    assert summarize(fold(FACTS.run, [FACTS.started()])) == RunSummary(FACTS.run, "w", "e1", "Incident", "e1", NOW)


def test_a_run_that_ended_says_how_and_how_long_it_took() -> None:
    end = RunEnded(FACTS.run, "w", "failed", at(2.5), "a", "no answer")
    summary = summarize(fold(FACTS.run, [FACTS.started(), end]))
    assert summary == RunSummary(
        FACTS.run, "w", "e1", "Incident", "e1", NOW, "failed", 2.5, failed_step="a", detail="no answer"
    )


def test_a_run_whose_first_fact_is_gone_has_no_summary() -> None:
    assert summarize(RunState("r")) is None
