"""Rehearsed answers: of the right types, the same each time, and as the author's hint says."""

from pathlib import Path
from typing import Any

import pytest

from loopy.agents.harness import Assignment, HarnessError
from loopy.agents.hints import read_hint
from loopy.agents.rehearsal import RehearsalHarness, rehearse
from loopy.types.check import checker_of
from tests.support.assignments import ITEM, assigned, requested

OUTPUT: dict[str, Any] = {"verdict": "enum[pass, fail]", "title": "str", "why": {"text": "str", "score": "int"}}
EVENTS: dict[str, Any] = {"WorkItem": {**ITEM, "goal": "str"}, "Shipped": {"goal_id": "id"}}


def assignment(hint: Any = None, **changes: Any) -> Assignment:
    return assigned(OUTPUT, EVENTS, hint=hint, **changes)


def refused(hint: Any) -> str:
    with pytest.raises(HarnessError) as caught:
        rehearse(assignment(hint))
    assert caught.value.reason == "bad_hint"
    assert not caught.value.retryable
    return caught.value.detail


async def test_the_answer_depends_on_run_and_step_alone() -> None:
    first = await RehearsalHarness().run(assignment(), None)
    assert first == rehearse(assignment(attempt=2))
    assert first != rehearse(assignment(run="r2"))


def test_one_payload_is_emitted_for_each_event() -> None:
    reply = rehearse(assignment())
    assert {name: len(payloads) for name, payloads in reply.emits.items()} == {"WorkItem": 1, "Shipped": 1}


def test_known_values_are_carried_on_from_near_to_far() -> None:
    inputs = {"check": {"title": "from check", "goal": "from check"}, "skipped": None}
    reply = rehearse(assignment(inputs=inputs))
    payload = reply.emits["WorkItem"][0]
    assert payload["title"] == reply.output["title"]
    assert payload["goal"] == "from check"
    assert payload["link"] == requested().event.data["link"]


def test_a_value_of_another_type_is_not_carried_on() -> None:
    reply = rehearse(assigned({}, {"Shipped": {"link": "int", "title": "str"}}))
    payload = reply.emits["Shipped"][0]
    assert isinstance(payload["link"], int)
    assert payload["title"] == "broken"


def test_a_hint_is_laid_over_field_by_field() -> None:
    hint = {"output": {"verdict": "fail", "why": {"score": 3}}, "emits": {"WorkItem": [{"title": "a"}, {}]}}
    plain, reply = rehearse(assignment()), rehearse(assignment(hint))
    assert reply.output["verdict"] == "fail"
    assert reply.output["why"]["score"] == 3
    assert reply.output["title"] == plain.output["title"]
    assert [payload["title"] for payload in reply.emits["WorkItem"]] == ["a", reply.output["title"]]
    assert len(reply.emits["Shipped"]) == 1
    checker_of(OUTPUT).check(reply.output)


def test_an_event_that_is_hinted_as_empty_is_not_emitted() -> None:
    reply = rehearse(assignment({"emits": {"WorkItem": []}}))
    assert reply.emits["WorkItem"] == []
    assert len(reply.emits["Shipped"]) == 1


def test_a_hinted_output_is_carried_into_payloads() -> None:
    reply = rehearse(assignment({"output": {"title": "mine"}}))
    assert reply.emits["WorkItem"][0]["title"] == "mine"


@pytest.mark.parametrize(
    ("hint", "field"),
    [
        ({"output": {"verdict": "maybe"}}, "output.verdict: "),
        ({"output": {"verdct": "fail"}}, "output.verdct: "),
        ({"output": {"why": {"score": "3"}}}, "output.why.score: "),
        ({"output": {"why": 3}}, "output.why: "),
        ({"output": []}, "output: "),
        ({"emits": {"WorkItem": [{"link": "x"}]}}, "emits.WorkItem[0].link: "),
        ({"emits": {"WorkItem": [{}, 3]}}, "emits.WorkItem[1]: "),
        ({"emits": {"WorkItem": {}}}, "emits.WorkItem: "),
        ({"emits": {"WorkItem": [{}] * 4}}, "emits.WorkItem: 4 payloads"),
        ({"emits": {"WorkItm": []}}, "emits.WorkItm: "),
        ({"emits": []}, "emits: "),
        ({"ouput": {}}, "unknown key `ouput`; did you mean `output`?"),
        ([], "expected "),
    ],
)
def test_a_wrong_hint_names_file_and_field(hint: Any, field: str) -> None:
    assert refused(hint).startswith(f"rehearsal/resolve/fix.json: {field}")


def test_what_cannot_be_made_up_can_be_hinted() -> None:
    output: dict[str, Any] = {"code": {"type": "string", "pattern": "^[A-Z]{3}-[0-9]{4}$"}}
    with pytest.raises(HarnessError, match=r"rehearsal/resolve/fix\.json"):
        rehearse(assigned(output))
    reply = rehearse(assigned(output, hint={"output": {"code": "ABC-1234"}}))
    assert reply.output == {"code": "ABC-1234"}


def test_a_project_need_not_have_hints(tmp_path: Path) -> None:
    assert read_hint(tmp_path, "resolve", "fix") is None


def test_a_hint_is_read_from_its_file(tmp_path: Path) -> None:
    (tmp_path / "rehearsal" / "resolve").mkdir(parents=True)
    (tmp_path / "rehearsal" / "resolve" / "fix.json").write_text('{"output": {}}')
    assert read_hint(tmp_path, "resolve", "fix") == {"output": {}}


@pytest.mark.parametrize("content", [b"{", b"\xff", b"", b"[" * 100_000])
def test_a_hint_that_is_no_json_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "rehearsal" / "resolve").mkdir(parents=True)
    (tmp_path / "rehearsal" / "resolve" / "fix.json").write_bytes(content)
    with pytest.raises(HarnessError, match=r"rehearsal/resolve/fix\.json is not JSON"):
        read_hint(tmp_path, "resolve", "fix")


def test_a_hint_that_is_a_directory_is_named(tmp_path: Path) -> None:
    (tmp_path / "rehearsal" / "resolve" / "fix.json").mkdir(parents=True)
    with pytest.raises(HarnessError, match=r"rehearsal/resolve/fix\.json cannot be read"):
        read_hint(tmp_path, "resolve", "fix")
