"""Agents that are models, from the event to the typed outcome, in a real `loopy run` with a scripted model."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from loopy.agents.conversation import SUBMIT
from loopy.agents.worktools import BASH
from tests.support.command_line import Run, loopy
from tests.support.files import write_files
from tests.support.model_server import Model, Says, model

KEY = "sk-ant-nobody-may-see-this"
REGISTRY: dict[str, Any] = {
    "agents": {
        "Reader": {
            "sandbox": "here",
            "role": "You read.",
            "harness": {"runtime": "anthropic", "model": "claude-sonnet-4-6"},
        }
    },
    "sandboxes": {"here": {"provider": "local", "isolation": "none"}},
    "events": {"Question": {"text": "str"}, "Answer": {"text": "str"}},
}
STEPS = {
    "workflows/research/read.md": """---
on: Question
agent: Reader
output: { words: int }
budget: { spend: { usd: 1 } }
---
Count the words of “{{ event.text }}”.
""",
    "workflows/research/tell.md": """---
after: read
agent: Reader
emits: Answer
---
There are {{ read.words }}. Say so.
""",
}
TURNS = (
    Says(["I shall count.", (BASH, {"command": "echo three short words | wc -w > count; cat count"})]),
    Says([(SUBMIT, {"output": {"words": "three"}})]),
    Says([(SUBMIT, {"output": {"words": 3}})]),
    Says([(SUBMIT, {"emits": {"Answer": [{"text": "3"}]}})]),
)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "research"
    write_files(root, {"registry.yml": json.dumps(REGISTRY), **STEPS})
    return root


def played(project: Path, asked: Model) -> tuple[dict[str, Any], str]:
    """The run as `loopy runs show` has it, and all that was said of it."""
    given = {"ANTHROPIC_API_KEY": KEY, "ANTHROPIC_BASE_URL": asked.url}
    with Run(project, env=given) as run:
        trigger = loopy(
            "trigger", "Question", "--field", "text=three short words", "--wait", "--project", project, env=given
        )
        assert trigger.returncode == 0, trigger.stdout + trigger.stderr
        [listed] = json.loads(loopy("runs", "--json", "--project", project).stdout)
        shown = loopy("runs", "show", listed["run"], "--json", "--project", project)
        said = "".join([trigger.stdout, trigger.stderr, shown.stdout, *run.told, *run.complained])
    return json.loads(shown.stdout), said


async def test_a_models_answers_are_typed_and_what_they_cost_is_counted(project: Path) -> None:
    async with model(*TURNS) as asked:
        shown, said = await asyncio.to_thread(played, project, asked)
    read, tell = shown["attempts"]
    assert (read["output"], tell["emits"]) == ({"words": 3}, [{"event": "Answer", "data": {"text": "3"}}])
    assert read["usage"]["spend_usd"] == pytest.approx(3 * 0.0045)
    assert tell["usage"]["spend_usd"] == pytest.approx(0.0045)
    assert "three short words" in asked.asked[0]["messages"][0]["content"][0]["text"]
    assert "There are 3." in asked.asked[3]["messages"][0]["content"][0]["text"]
    kept = b"".join(path.read_bytes() for path in (project / ".loopy").rglob("*") if path.is_file())
    assert KEY not in said
    assert KEY.encode() not in kept


def test_a_project_whose_key_is_missing_is_refused_with_what_to_do(project: Path) -> None:
    refused = loopy("run", project, "--port", "0", env={"ANTHROPIC_API_KEY": "", "ANTHROPIC_AUTH_TOKEN": ""})
    assert refused.returncode == 2
    assert "runtime `anthropic` needs ANTHROPIC_API_KEY" in refused.stderr
    assert "ANTHROPIC_API_KEY" in loopy("doctor", project, env={"ANTHROPIC_API_KEY": ""}).stdout
