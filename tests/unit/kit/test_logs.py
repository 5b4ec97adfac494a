"""Log lines: JSON for machines, no secret in any of them, a traceback only for those who debug."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from loopy.kit.logs import configure_logs
from loopy.kit.settings import read_settings


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """Leave logging as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def logged(write: Any, **fields: Any) -> list[str]:
    """The lines that `write` leads to."""
    stream = io.StringIO()
    settings = read_settings({"LOOPY_NATS_URL": "nats://joe:s3cr3t@h:1", "LOOPY_TOKEN": 't0"ken'}, **fields)
    configure_logs(
        settings,
        environment={"SENTRY_WEBHOOK_SECRET": "older-one, hook-s3cret", "LANG": "C", "SHORT_TOKEN": "a"},
        stream=stream,
    )
    write(structlog.get_logger())
    return stream.getvalue().splitlines()


def test_a_line_is_one_json_object_with_what_is_bound() -> None:
    def write(log: Any) -> None:
        with structlog.contextvars.bound_contextvars(service="ingress", run="r1"):
            log.info("attempt.started", attempt=2)

    [line] = logged(write, log_format="json")
    said = json.loads(line)
    assert said["event"] == "attempt.started"
    assert (said["service"], said["run"], said["attempt"], said["level"]) == ("ingress", "r1", 2, "info")
    assert said["timestamp"].endswith("Z")


@pytest.mark.parametrize("log_format", ["json", "human"])
def test_no_secret_is_in_any_line(log_format: str) -> None:
    def write(log: Any) -> None:
        log.info("x", url="nats://joe:s3cr3t@h:1", nested={"a": ['t0"ken', ("hook-s3cret",)]}, odd=Exception("s3cr3t"))
        logging.getLogger("library").warning("connecting with %s", "s3cr3t", extra={"token": 't0"ken'})
        try:
            int('t0"ken')
        except ValueError:
            log.exception("failed")
            logging.getLogger("library").exception("failed too")

    for level in ("debug", "info"):
        text = "\n".join(logged(write, log_format=log_format, log_level=level))
        assert "failed too" in text
        assert not any(secret in text for secret in ("s3cr3t", "hook-s3cret", 't0"ken', 't0\\"ken'))


def test_a_traceback_is_shown_at_debug_alone() -> None:
    def write(log: Any) -> None:
        try:
            dict[str, str]()["pr_url"]
        except KeyError:
            log.exception("service.failed")

    [line] = logged(write, log_format="json", log_level="info")
    assert json.loads(line)["error"] == "KeyError: 'pr_url'"
    assert "Traceback" not in line
    [line] = logged(write, log_format="json", log_level="debug")
    assert "Traceback" in json.loads(line)["exception"]


def test_what_is_below_the_level_is_left_out() -> None:
    def write(log: Any) -> None:
        log.info("quiet")
        logging.getLogger("library").info("quiet too")
        log.error("loud")

    assert [json.loads(line)["event"] for line in logged(write, log_format="json", log_level="warning")] == ["loud"]


def test_a_pipe_gets_json_unless_told_otherwise() -> None:
    [line] = logged(lambda log: log.info("x"))
    assert json.loads(line)["event"] == "x"
    [line] = logged(lambda log: log.info("x"), log_format="human")
    assert not line.startswith("{")
