"""A project with sensors of every kind, and an ingress that hosts them on a real bus."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from loopy.bus.client import Bus
from tests.support.files import write_files
from tests.support.services import Running, services, settings_for

REGISTRY = """
events:
  Incident: { source: "enum[sentry, linear]", title: str, link: url }
  Noted: { text: str }
"""

SENSORS = """
import asyncio, sys, threading
from loopy import sensor
from loopy.events import Incident, Noted

LINK = "https://example.org/1"
release = threading.Event()
tries = []

@sensor(webhook="/hooks/sentry", emits="Incident")
def sentry_issues(req):
    issue = req.json["data"]["issue"]
    return Incident(source="sentry", title=issue["title"], link=issue["permalink"])

@sensor(webhook="/hooks/none", emits="Noted")
def nothing(req):
    return None

@sensor(webhook="/hooks/many", emits=["Noted", "Incident"])
def many(req):
    yield Noted(text="one")
    yield Incident(source="linear", title="two", link=LINK)
    yield Noted(text="three")

@sensor(webhook="/hooks/listed", emits="Noted")
async def listed(req):
    return [Noted(text=req.query.get("text", "?")), Noted(text=req.headers["X-Colour"])]

@sensor(webhook="/hooks/stream", emits="Noted")
async def stream(req):
    for word in req.json:
        await asyncio.sleep(0)
        yield Noted(text=word)

@sensor(webhook="/hooks/raises", emits="Noted")
def raises(req):
    yield Noted(text="never published")
    raise RuntimeError("the tracker is unreachable")

@sensor(webhook="/hooks/exits", emits="Noted")
def exits(req):
    sys.exit(3)

@sensor(webhook="/hooks/async-exits", emits="Noted")
async def async_exits(req):
    sys.exit(3)

@sensor(webhook="/hooks/wrong", emits="Noted")
def wrong(req):
    return {"text": "a dict is no event"}

@sensor(webhook="/hooks/stranger", emits="Noted")
def stranger(req):
    return Incident(source="sentry", title="not mine to emit", link=LINK)

@sensor(webhook="/hooks/endless", emits="Noted")
def endless(req):
    while True:
        yield Noted(text="more")

@sensor(webhook="/hooks/large", emits="Noted")
def large(req):
    yield Noted(text="never published")
    yield Noted(text="x" * (1024 * 1024 - len('{"text":""}') + 1))

@sensor(webhook="/hooks/slow", emits="Noted", timeout="0.2s")
def slow(req):
    release.wait()

@sensor(webhook="/hooks/async-slow", emits="Noted", timeout="0.2s")
async def async_slow(req):
    await asyncio.Event().wait()

@sensor(webhook="/hooks/blocking", emits="Noted", timeout="30s")
async def blocking(req):
    release.wait(30)
    return Noted(text="at last")

@sensor(webhook="/hooks/signed", emits="Noted", verify="github")
def signed(req):
    return Noted(text=",".join(sorted(req.headers)))

@sensor(webhook="/hooks/unset", emits="Noted", verify="sentry")
def unset(req):
    return Noted(text="must not be reached")

@sensor(webhook="/hooks/slack", emits="Noted", verify="slack")
def slack(req):
    return None

@sensor(poll="1h", emits="Noted")
def watch(tick):
    if tick.last_run is None:
        tries.append(tick)
        raise LookupError(f"try {len(tries)}")
    return Noted(text=f"{tick.last_run.isoformat()} to {tick.scheduled_at.isoformat()}")
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The project's directory."""
    write_files(tmp_path, {"registry.yml": REGISTRY, "sensors/sensors.py": SENSORS})
    return tmp_path


@pytest.fixture
async def ingress(
    bus: Bus, project: Path, nats_url: str, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Running]:
    """An ingress on the test's bus; bodies are at most 4096 bytes, events 1 MiB."""
    monkeypatch.setenv("GITHUB_WEBHOOK_SECRET", "old, geheim")
    monkeypatch.setenv("SLACK_WEBHOOK_SECRET", "geheim")
    settings = settings_for(nats_url, namespace, webhook_max_bytes=4096, largest_value_bytes=1 << 20)
    async with services(["ingress"], project, settings) as running:
        yield running


@pytest.fixture
async def web(ingress: Running) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the ingress."""
    async with httpx.AsyncClient(base_url=ingress.url) as client:
        yield client
