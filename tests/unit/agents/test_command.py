"""Runtime `command`, with real programs in a local sandbox."""

import hashlib
import json
import sys
from pathlib import Path

import pytest

from loopy.agents.command import CommandHarness, NoDocument, read_document
from loopy.agents.harness import HarnessError, Reply
from loopy.compiler.plan import Sandbox
from loopy.sandboxes.local import LocalProvider
from loopy.sandboxes.provider import Finished, Placement, SandboxError
from tests.support.assignments import assigned

SECRET = "hunter2-hunter2"


async def answer(project: Path, *run: str, prompt: str = "Fix it.\n") -> Reply:
    (project / "a.env").write_text(f"TOKEN={SECRET}\n")
    sandbox = Sandbox("default", env_file=("a.env",))
    async with LocalProvider(project).open(sandbox, Placement("r1", "fix", 1)) as session:
        return await CommandHarness().run(assigned(program=run, prompt=prompt), session)


async def failure(project: Path, script: str) -> HarnessError:
    with pytest.raises(HarnessError) as caught:
        await answer(project, "sh", "-c", script)
    return caught.value


async def test_the_document_is_the_reply(tmp_path: Path) -> None:
    document = {"output": {"a": [1, None]}, "emits": {"WorkItem": [{}]}}
    assert await answer(tmp_path, "echo", json.dumps(document)) == Reply(document["output"], document["emits"])


async def test_a_long_prompt_arrives_whole(tmp_path: Path) -> None:
    prompt = "ü" * (3 << 19)  # 3 MiB: no command line would hold it
    script = 'import hashlib, sys; print(\'{"output": "%s"}\' % hashlib.sha256(sys.stdin.buffer.read()).hexdigest())'
    reply = await answer(tmp_path, sys.executable, "-c", script, prompt=prompt)
    assert reply.output == hashlib.sha256(prompt.encode()).hexdigest()


async def test_another_exit_code_shows_the_last_lines_of_stderr(tmp_path: Path) -> None:
    error = await failure(tmp_path, "seq 1 20 >&2; echo $TOKEN >&2; exit 7")
    assert error.reason == "exit_code"
    assert error.retryable
    assert error.detail.splitlines() == [
        "`sh` ended with exit code 7; stderr ends with:",
        *map(str, range(12, 21)),
        "[TOKEN]",
    ]


async def test_a_signal_is_told(tmp_path: Path) -> None:
    error = await failure(tmp_path, "kill -9 $$")
    assert (error.reason, error.detail) == ("exit_code", "`sh` was ended by signal 9 and wrote nothing to stderr")


async def test_text_that_is_no_json_is_shown_without_secrets(tmp_path: Path) -> None:
    error = await failure(tmp_path, f"printf 'x%.0s' $(seq 190); echo {SECRET}; seq 100")
    assert error.reason == "bad_output"
    assert error.detail.startswith("stdout is not one JSON document: ")
    assert error.detail.endswith("it begins: " + "x" * 190 + "[TOKEN]\n1\n…")
    assert "hunter2" not in error.detail


async def test_too_much_output_is_told(tmp_path: Path) -> None:
    error = await failure(tmp_path, "yes | head -c 70000000")
    assert error.reason == "bad_output"
    assert "more than 67108864 bytes" in error.detail


async def test_a_missing_program_is_the_sandboxs_error(tmp_path: Path) -> None:
    with pytest.raises(SandboxError, match="no program `nowhere`"):
        await answer(tmp_path, "nowhere")


async def test_an_agent_without_a_program_is_told(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match=r"agent `Fixer` has no `run: \[program, …\]`") as caught:
        await answer(tmp_path)
    assert not caught.value.retryable


@pytest.mark.parametrize("stdout", [b"{}", b" {}\n", b'{"output": null}'])
def test_both_keys_may_be_left_out(stdout: bytes) -> None:
    assert read_document(Finished(0, stdout, b"")) == Reply()


@pytest.mark.parametrize(
    ("stdout", "message"),
    [
        (b"", "wrote nothing to stdout"),
        (b" \n", "wrote nothing to stdout"),
        (b"{}{}", "not one JSON document"),
        (b'{"output": NaN}', "not one JSON document"),
        (b'{"output": "\xff"}', "not one JSON document"),
        (b"[" * 200_000, "not one JSON document"),
        (b"[]", "not an object"),
        (b'{"ouput": {}}', "unknown key `ouput`; did you mean `output`?"),
        (b'{"verdict": "pass"}', "unknown key `verdict`; the document has `output` and `emits`"),
    ],
)
def test_anything_else_is_refused(stdout: bytes, message: str) -> None:
    with pytest.raises(NoDocument, match=message.replace("?", r"\?")):
        read_document(Finished(0, stdout, b""))
