"""docs/reference/subjects.md is true: its programs run, its tables are the code's."""

import asyncio
import json
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from loopy.bus import subjects as grammar
from loopy.bus.client import Bus
from loopy.bus.cloudevents import event_message, read_event
from loopy.bus.messages import Outgoing
from loopy.bus.streams import DAY_S, EVENTS, FOR_EVER, STREAMS, UNLIMITED
from loopy.bus.subjects import Subjects
from loopy.compiler.compile import compile_project
from loopy.project.files import load_files
from loopy.runs.records import Cause, Event
from loopy.types.check import checker_of
from tests.support.nats_server import NatsServer
from tests.support.waiting import wait_until

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/reference/subjects.md").read_text(encoding="utf-8")
START, TAP, WHOLE = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Path]:
    """A directory in which a running Loopy has left where it can be reached."""
    server = NatsServer(tmp_path, token="s3cret-token")
    server.start()
    (tmp_path / ".loopy").mkdir()
    (tmp_path / ".loopy/server.json").write_text(json.dumps({"nats_url": server.url}))
    yield tmp_path
    server.kill()


async def connected(project: Path) -> Bus:
    bus = await Bus.connect(json.loads((project / ".loopy/server.json").read_text())["nats_url"], name="test")
    await bus.provision()
    return bus


async def start(project: Path, program: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, cwd=project, stdout=asyncio.subprocess.PIPE
    )


async def test_the_program_that_starts_a_workflow_publishes_an_event(project: Path) -> None:
    bus = await connected(project)
    said, _ = await (await start(project, START)).communicate()
    assert json.loads(said) == {"stream": "LOOPY_EVT", "seq": 1}
    message = await bus.last(EVENTS, "loopy.evt.Incident.>")
    assert message is not None
    event = read_event(bus.subjects, message)
    assert (event.type, event.id, event.cascade, event.hops) == ("Incident", "disk-full-1", "disk-full-1", 0)
    plan = compile_project(load_files(ROOT / "examples/ai-sre")).plan
    assert plan is not None
    assert plan.started_by(event.type) == ("triage",)
    assert checker_of(plan.events[event.type]).check(event.data) == event.data

    again, _ = await (await start(project, START)).communicate()
    assert json.loads(again)["error"]["err_code"] == 10071
    assert await bus.position(EVENTS) == 1
    await bus.close()


async def test_the_program_that_taps_prints_events(project: Path) -> None:
    bus = await connected(project)
    tap = await start(project, TAP)
    assert tap.stdout is not None
    first = asyncio.create_task(tap.stdout.readline())
    numbers = iter(range(10_000))

    async def printed() -> bool:
        await bus.publish_once(Outgoing(f"loopy.evt.Incident.{next(numbers)}", b'{"a":1}'))
        return first.done()

    await wait_until(printed)
    assert re.fullmatch(r'loopy\.evt\.Incident\.\d+ {"a":1}\n', (await first).decode())
    tap.kill()
    await tap.communicate()
    await bus.close()


async def test_the_program_that_fetches_large_values_has_all_their_bytes(project: Path) -> None:
    bus = await connected(project)
    tap = await start(project, WHOLE)
    assert tap.stdout is not None
    first = asyncio.create_task(tap.stdout.readline())
    numbers = iter(range(10_000))

    async def printed() -> bool:
        await bus.publish_once(Outgoing(f"loopy.evt.Incident.{next(numbers)}", b"x" * 1_500_000))
        return first.done()

    await wait_until(printed)
    assert re.fullmatch(r"loopy\.evt\.Incident\.\d+ 1500000\n", (await first).decode())
    tap.kill()
    await tap.communicate()
    await bus.close()


def test_every_subject_of_the_grammar_is_on_the_page_and_no_other() -> None:
    table = PAGE.partition("## Every subject")[2].partition("## Streams")[0]
    told = {_shape(subject) for subject in re.findall(r"^\| `loopy\.([^`]+)`", table, re.MULTILINE)}
    listed = {_shape(subject) for subject in re.findall(r"^    <ns>\.(\S+)", grammar.__doc__ or "", re.MULTILINE)}
    facts = {f"run.{kind}" for kind in ("start", "admit", "pause", "resume", "cancel", "failed", "end")}
    assert told - facts == listed - {"run.<>"} | {"fire"}
    assert facts <= told


def _shape(subject: str) -> str:
    """The literal beginning of a subject, which tells it from the others."""
    literal = re.split(r"\.<", subject)[0]
    return "run.<>" if literal == "run" else literal


def test_every_stream_is_on_the_page_as_it_is() -> None:
    for stream in STREAMS:
        subjects = " ".join(f"`loopy.{prefix}.>`" for prefix in stream.prefixes)
        size = "–" if stream.max_bytes == UNLIMITED else f"{stream.max_bytes >> 20:,} MiB"
        kept = "for ever" if stream.keep_s == FOR_EVER else f"{stream.keep_s // DAY_S} days"
        assert f"| `LOOPY_{stream.name}` | {subjects} | {kept} | {size} |" in PAGE


def test_every_header_of_an_event_is_on_the_page() -> None:
    event = Event(
        "1", "A", "s", EPOCH, {}, "0", 1, Cause("r", "s"), "00-" + "0" * 32 + "-" + "0" * 16 + "-00", "2", "a", "y"
    )
    table = PAGE.partition("## Headers of an event")[2].partition("## Dead letters")[0]
    told = {
        name for row in re.findall(r"^\| (`.+?`) \|", table, re.MULTILINE) for name in re.findall(r"`([^`]+)`", row)
    }
    assert told == set(event_message(Subjects(), event).headers)
