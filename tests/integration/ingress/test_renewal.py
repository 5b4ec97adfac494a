"""An ingress that takes a new plan: webhooks open and close, sensors are loaded anew, or all stays as it was."""

import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from loopy import events
from loopy.bus.client import Bus
from loopy.bus.cloudevents import read_event
from loopy.bus.streams import EVENTS
from loopy.kit.current_plan import CurrentPlan
from loopy.kit.errors import CannotStart
from loopy.kit.process import compiled_plan
from tests.support.files import write_files
from tests.support.services import Running, services, settings_for
from tests.support.waiting import wait_until

REGISTRY = "events: { Noted: { text: str } }\n"
SENSOR = """
from loopy import sensor
from loopy.events import Noted
from sensors.words import WORD

@sensor(webhook="/hooks/note", emits="Noted")
def note(req):
    return Noted(text=WORD)
"""
MORE = """
@sensor(webhook="/hooks/more", emits="Noted")
def more(req):
    return Noted(text="more")
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    write_files(tmp_path, {"registry.yml": REGISTRY, "sensors/notes.py": SENSOR, "sensors/words.py": "WORD = 'one'\n"})
    return tmp_path


@pytest.fixture
async def ingress(bus: Bus, project: Path, nats_url: str, namespace: str) -> AsyncIterator[Running]:
    for name in [name for name in sys.modules if name.partition(".")[0] == "sensors"]:
        del sys.modules[name]  # of another test's project
    sys.path.insert(0, str(project))
    async with services(["ingress"], project, settings_for(nats_url, namespace)) as running:
        yield running
    sys.path.remove(str(project))


@pytest.fixture
async def web(ingress: Running) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=ingress.url) as client:
        yield client


async def edited(current: CurrentPlan, project: Path, **files: str) -> None:
    """Write these files and serve what they make."""
    write_files(project, {f"sensors/{name}.py": text for name, text in files.items()})
    await current.switch(compiled_plan(project))


async def texts(bus: Bus) -> list[str]:
    found = [message async for message in bus.read(EVENTS, [bus.subjects.under("evt", ">")])]
    return [read_event(bus.subjects, message).data["text"] for message in found]


async def noted(web: httpx.AsyncClient, bus: Bus, path: str, *all_texts: str) -> None:
    """Deliver there, and wait until these are the texts of all events so far."""
    answer = await web.post(path, content=os.urandom(8))
    assert answer.status_code == 202

    async def are_there() -> bool:
        return await texts(bus) == list(all_texts)

    await wait_until(are_there)


async def test_a_webhook_opens_and_closes_with_the_plan_that_has_it(
    ingress: Running, web: httpx.AsyncClient, bus: Bus, project: Path
) -> None:
    assert (await web.post("/hooks/more")).status_code == 404
    await edited(ingress.current, project, notes=SENSOR + MORE)
    await noted(web, bus, "/hooks/more", "more")
    await edited(ingress.current, project, notes=SENSOR)
    assert (await web.post("/hooks/more")).status_code == 404
    await noted(web, bus, "/hooks/note", "more", "one")


async def test_changed_code_is_what_is_called_also_within_the_second_and_in_a_module_that_is_imported(
    ingress: Running, web: httpx.AsyncClient, bus: Bus, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    await noted(web, bus, "/hooks/note", "one")
    told = ["one"]
    for word in ("two", "six", "ten"):  # as long as each other, so that Python's own cache would not notice
        await edited(ingress.current, project, words=f"WORD = '{word}'\n")
        told.append(word)
        await noted(web, bus, "/hooks/note", *told)
        await edited(ingress.current, project, notes=SENSOR.replace("=WORD", f'="{word}!"'))
        told.append(f"{word}!")
        await noted(web, bus, "/hooks/note", *told)
        await edited(ingress.current, project, notes=SENSOR)


async def test_an_event_with_another_shape_is_what_sensors_are_given(
    ingress: Running, web: httpx.AsyncClient, bus: Bus, project: Path
) -> None:
    (project / "registry.yml").write_text("events: { Noted: { text: str, size: int } }\n")
    await edited(ingress.current, project, notes=SENSOR.replace("text=WORD", "text=WORD, size=3"))
    await noted(web, bus, "/hooks/note", "one")


@pytest.mark.parametrize("broken", ["1 / 0\n", "import nothing_like_it\n", "import sys; sys.exit(3)\n", "del note\n"])
async def test_a_module_that_does_not_import_leaves_everything_as_it_was(
    ingress: Running, web: httpx.AsyncClient, bus: Bus, project: Path, broken: str
) -> None:
    before = ingress.current.plan
    (project / "registry.yml").write_text("events: { Noted: { text: str }, Other: {} }\n")
    with pytest.raises(CannotStart, match=r"^sensors/notes\.py "):
        await edited(ingress.current, project, notes=SENSOR + MORE + broken, words="WORD = 'two'\n")
    assert ingress.current.plan is before
    assert (await web.post("/hooks/more")).status_code == 404
    assert list(events._bound) == ["Noted"]
    await noted(web, bus, "/hooks/note", "one")
    assert sys.modules["sensors.words"].WORD == "one"
    await edited(ingress.current, project, notes=SENSOR + MORE)
    await noted(web, bus, "/hooks/more", "one", "more")


async def test_a_module_that_never_ends_is_given_up_and_what_was_goes_on(
    ingress: Running, web: httpx.AsyncClient, bus: Bus, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("loopy_services.ingress.renewal.LOADING_S", 0.2)
    write_files(project, {"sensors/gate.py": "import threading\nopened = threading.Event()\n"})
    import sensors.gate  # type: ignore[import-not-found]  # a module of the test's project

    with pytest.raises(CannotStart, match="longer than"):
        await edited(ingress.current, project, notes=SENSOR + "import sensors.gate\nsensors.gate.opened.wait(20)\n")
    await noted(web, bus, "/hooks/note", "one")
    sensors.gate.opened.set()


async def test_code_that_is_the_same_is_not_imported_again(ingress: Running, project: Path) -> None:
    before = sys.modules["sensors.words"]
    write_files(
        project,
        {"registry.yml": REGISTRY + "agents: { A: {} }\n", "workflows/w/a.md": "---\non: Noted\nagent: A\n---\nDo.\n"},
    )
    await edited(ingress.current, project)
    assert sys.modules["sensors.words"] is before
    await edited(ingress.current, project, words="WORD = 'two'\n")
    assert sys.modules["sensors.words"] is not before


async def test_a_webhook_where_the_consoles_paths_are_is_refused_as_a_whole(
    ingress: Running, web: httpx.AsyncClient, project: Path
) -> None:
    with pytest.raises(CannotStart, match="choose a path outside /api"):
        await edited(ingress.current, project, notes=SENSOR + MORE.replace("/hooks/more", "/api/more"))
    assert (await web.post("/api/more")).status_code == 404
