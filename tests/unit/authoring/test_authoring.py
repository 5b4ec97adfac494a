"""What authors of sensors and tools import."""

import subprocess
import sys
from datetime import UTC, datetime

import pytest

import loopy
from loopy.authoring import Headers, Request, Tick, ToolContext, sensor, tool


def test_a_sensor_stays_an_ordinary_function() -> None:
    @sensor(webhook="/hooks/a", emits="A", verify="sentry")
    def alarm(req: Request) -> str:
        return req.path

    assert alarm(Request(path="/hooks/a")) == "/hooks/a"


def test_a_sensor_has_one_source() -> None:
    with pytest.raises(TypeError, match="exactly one"):
        sensor(emits="A")
    with pytest.raises(TypeError, match="exactly one"):
        sensor(emits="A", webhook="/a", poll="5m")


def test_a_tool_stays_an_ordinary_function_with_or_without_brackets() -> None:
    @tool
    def plain() -> int:
        return 1

    @tool()
    def called() -> int:
        return 2

    assert (plain(), called()) == (1, 2)


def test_a_request_reads_its_body_and_finds_headers_in_any_case() -> None:
    request = Request(b'{"a": 1}', headers={"X-Token": "secret"}, query={"q": "1"}, path="/a")
    assert request.json == {"a": 1}
    assert request.headers["x-token"] == request.headers.get("X-TOKEN") == "secret"
    assert "X-token" in request.headers
    assert request.headers.get("other") is None
    assert request.query == {"q": "1"}


def test_nothing_of_what_was_sent_is_in_a_repr() -> None:
    request = Request(b"secret", headers={"Authorization": "secret"})
    assert "secret" not in repr(request) + repr(request.headers)
    assert isinstance(request.headers, Headers)


def test_a_body_that_is_not_json_says_so() -> None:
    with pytest.raises(ValueError, match="the body of the request to /a is not JSON"):
        _ = Request(b"<xml>", path="/a").json


def test_ticks_and_contexts_are_values() -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    assert Tick(scheduled_at=at).last_run is None
    assert ToolContext(run="r", step="s", attempt=1, idempotency_key="k").idempotency_key == "k"


def test_the_package_gives_the_authors_names_and_no_others() -> None:
    assert loopy.sensor is sensor
    assert loopy.Request is Request
    with pytest.raises(AttributeError, match="no attribute 'sensr'"):
        _ = loopy.sensr


def test_importing_the_package_loads_nothing() -> None:
    program = "import sys; before = set(sys.modules); import loopy; print(sorted(set(sys.modules) - before))"
    done = subprocess.run(
        [sys.executable, "-S", "-c", program], env={"PYTHONPATH": _home()}, capture_output=True, text=True
    )
    assert done.stdout == "['loopy']\n"


def _home() -> str:
    assert loopy.__file__ is not None
    return loopy.__file__.removesuffix("/loopy/__init__.py")
