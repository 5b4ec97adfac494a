"""Runtime `anthropic`: the real SDK against a scripted model, with tools that act on a real local sandbox."""

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest

from loopy.agents import anthropic
from loopy.agents.anthropic import AnthropicHarness
from loopy.agents.conversation import SUBMIT
from loopy.agents.harness import Assignment, HarnessError, Reply
from loopy.agents.worktools import BASH, EDITOR
from loopy.compiler.plan import Agent, Fields, Price, Sandbox
from loopy.sandboxes.local import LocalProvider
from loopy.sandboxes.provider import Placement
from tests.support.assignments import ITEM, assigned
from tests.support.model_server import Hangs, Model, Refuses, Says, Turn, model
from tests.support.waiting import wait_until

KEY = "sk-ant-nobody-may-see-this"
SECRET = "hunter2-hunter2"
OUTPUT: Fields = {"verdict": "enum[pass, fail]"}
ANSWER = {"output": {"verdict": "pass"}, "emits": {"WorkItem": [{"link": "https://example.com/2", "title": "x"}]}}
DONE = Says([(SUBMIT, ANSWER)])
PRICE = Price(input=3, output=15)  # a turn of 1,000 and 100 tokens costs 0.0045


def assignment(**changes: Any) -> Assignment:
    """A step that gives a verdict, and may emit WorkItems."""
    given = assigned(OUTPUT, {"WorkItem": ITEM}, **changes)
    agent = Agent("Fixer", "anthropic", model="anthropic/claude-sonnet-4-6")
    return msgspec.structs.replace(given, agent=agent, price=PRICE)


async def work(project: Path, monkeypatch: pytest.MonkeyPatch, asked: Model, of: Assignment | None = None) -> Reply:
    """What the runtime answers."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    monkeypatch.setenv("ANTHROPIC_BASE_URL", asked.url)
    monkeypatch.setattr(anthropic, "FIRST_WAIT_S", 0.01)
    (project / "a.env").write_text(f"TOKEN={SECRET}\n")
    sandbox = Sandbox("default", env_file=("a.env",))
    async with LocalProvider(project).open(sandbox, Placement("r1", "fix", 1)) as session:
        return await AnthropicHarness().run(of or assignment(), session)


async def failure(
    project: Path, monkeypatch: pytest.MonkeyPatch, *turns: Turn, of: Assignment | None = None
) -> HarnessError:
    """Why it gives no answer."""
    async with model(*turns) as asked:
        with pytest.raises(HarnessError) as caught:
            await work(project, monkeypatch, asked, of)
    return caught.value


def results(asked: Model, request: int) -> list[tuple[str, bool]]:
    """What a request tells of the tools that were used before it."""
    last = asked.asked[request]["messages"][-1]["content"]
    return [(block["content"], block["is_error"]) for block in last if block["type"] == "tool_result"]


async def test_an_answer_comes_typed_after_work_in_the_sandbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    turns = (
        Says(["Let me look.", (BASH, {"command": "mkdir d && cd d && echo hi > f && env"})]),
        Says([(BASH, {"command": "cat f; pwd; exit 3"})]),
        Says([(EDITOR, {"command": "str_replace", "path": "d/f", "old_str": "hi", "new_str": "ho"})]),
        Says([(EDITOR, {"command": "view", "path": "d/f"}), (EDITOR, {"command": "view", "path": "nowhere"})]),
        DONE,
    )
    async with model(*turns) as asked:
        reply = await work(tmp_path, monkeypatch, asked)
    assert (reply.output, reply.emits) == (ANSWER["output"], ANSWER["emits"])
    assert (reply.usage.input_tokens, reply.usage.output_tokens) == (5_000, 500)
    assert reply.usage.spend_usd == pytest.approx(5 * 0.0045)
    [(environment, _)] = results(asked, 1)
    assert KEY not in environment
    assert SECRET not in environment
    assert "TOKEN=[TOKEN]" in environment
    [(shown, failed)] = results(asked, 2)
    assert shown.startswith("hi\n")
    assert shown.splitlines()[1].endswith("/d")
    assert (shown.splitlines()[-1], failed) == ("(exit code 3)", False)
    assert [failed for _, failed in results(asked, 4)] == [False, True]
    assert results(asked, 4)[0][0].endswith("\tho")
    assert set(asked.keys) == {KEY}
    first = asked.asked[0]
    assert (first["model"], first["messages"][0]["content"][0]["text"]) == ("claude-sonnet-4-6", "Fix it.\n")
    assert [tool["name"] for tool in first["tools"]] == [BASH, EDITOR, SUBMIT]


async def test_a_prompt_of_a_mebibyte_arrives_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prompt = "ü" * (1 << 19)
    async with model(DONE) as asked:
        await work(tmp_path, monkeypatch, asked, assignment(prompt=prompt))
    assert asked.asked[0]["messages"][0]["content"][0]["text"] == prompt


async def test_a_wrong_answer_goes_back_with_the_reasons(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with model(Says([(SUBMIT, {"output": {"verdict": "perhaps"}})]), DONE) as asked:
        reply = await work(tmp_path, monkeypatch, asked)
    assert reply.output == ANSWER["output"]
    [(told, failed)] = results(asked, 1)
    assert failed
    assert "output.verdict" in told


async def test_the_third_wrong_answer_fails_and_counts_what_it_cost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = await failure(tmp_path, monkeypatch, *[Says([(SUBMIT, {})])] * 3)
    assert (error.reason, error.retryable) == ("bad_output", True)
    assert "output.verdict" in error.detail
    assert error.usage.spend_usd == pytest.approx(3 * 0.0045)


async def test_who_ends_without_an_answer_is_reminded_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with model(Says(["I am done."]), Says(["Really."]), DONE) as asked:
        assert (await work(tmp_path, monkeypatch, asked)).output == ANSWER["output"]
    assert SUBMIT in asked.asked[1]["messages"][-1]["content"][0]["text"]
    assert (await failure(tmp_path, monkeypatch, *[Says(["I am done."])] * 3)).reason == "no_answer"


async def test_an_api_that_has_no_time_is_asked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    passing = (
        Refuses(529, "overloaded_error"),
        Refuses(429, "rate_limit_error", retry_after="0"),
        Refuses(500, "api_error"),
        Refuses(200, "overloaded_error", in_stream=True),
    )
    async with model(*passing, DONE) as asked:
        assert (await work(tmp_path, monkeypatch, asked)).output == ANSWER["output"]
    assert len(asked.asked) == 5


async def test_an_api_that_refuses_is_not_asked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    error = await failure(tmp_path, monkeypatch, Refuses(401, "authentication_error"))
    assert (error.reason, error.retryable) == ("model_error", False)
    assert "401" in error.detail
    assert KEY not in error.detail


async def test_a_model_that_refuses_ends_the_attempt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (await failure(tmp_path, monkeypatch, Says(["No."], stop="refusal"))).reason == "refused"


async def test_nothing_is_asked_that_cannot_be_paid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = [Says([(BASH, {"command": "true"})])] * 9
    error = await failure(tmp_path, monkeypatch, *looks, of=assignment(spend_usd=0.012))
    assert (error.reason, error.retryable) == ("budget_spent", False)
    assert error.usage.spend_usd == pytest.approx(2 * 0.0045)


async def test_an_answer_may_not_be_longer_than_what_is_left_pays_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with model(DONE) as asked:
        await work(tmp_path, monkeypatch, asked, assignment(spend_usd=0.015))
    assert asked.asked[0]["max_tokens"] == 1_000


async def test_what_was_spent_is_known_though_the_attempt_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = assignment()
    async with model(Says([(BASH, {"command": "true"})]), Hangs()) as asked:
        working = asyncio.create_task(work(tmp_path, monkeypatch, asked, given))

        async def asked_twice() -> bool:
            return len(asked.asked) == 2

        await wait_until(asked_twice)
        working.cancel()
        with pytest.raises(asyncio.CancelledError):
            await working
    assert given.meter.used.spend_usd == pytest.approx(0.0045)


async def test_without_a_key_it_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for key in anthropic.KEYS:
        monkeypatch.delenv(key, raising=False)
    async with LocalProvider(tmp_path).open(Sandbox("default"), Placement("r1", "fix", 1)) as session:
        with pytest.raises(HarnessError, match="ANTHROPIC_API_KEY") as caught:
            await AnthropicHarness().run(assignment(), session)
    assert not caught.value.retryable
