"""What is set aside is listed, shown, replayed once the cause is mended, and dropped, all by the command line."""

import base64
import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nats
import pytest

from loopy.bus.client import Bus
from loopy.bus.collapse import IN_A_ROW
from loopy.bus.deadletters import list_dead
from loopy.bus.messages import Outgoing
from loopy.bus.streams import RUNS
from loopy.runs.ids import sensor_source
from tests.support.command_line import LOOPY, TIMEOUT_S, Run, Started, environment, loopy
from tests.support.shop import executions_of
from tests.support.waiting import wait_until

BYTES = b'{"item": "tea", \xff'
Ask = Callable[..., Any]


@pytest.fixture
def ask(shop: Path) -> Ask:
    """Runs `loopy dead …` on the shop and gives what it prints as JSON."""

    def run(*words: str, code: int = 0) -> Any:
        done = loopy("dead", *words, "--json", cwd=shop)
        assert done.returncode == code, done.stderr
        return json.loads(done.stdout)

    return run


@pytest.fixture
def live(shop: Path) -> Iterator[Run]:
    """A shop of the test's own, that runs."""
    with Run(shop) as run:
        yield run


def raw(shop: Path, identity: str) -> bytes:
    """What `loopy dead show --raw` prints."""
    return subprocess.run(
        [LOOPY, "dead", "show", identity, "--raw"],
        cwd=shop,
        env=environment(),
        capture_output=True,
        timeout=TIMEOUT_S,
        check=True,
    ).stdout


def at_a_terminal(shop: Path, answer: bytes, *words: str) -> "subprocess.CompletedProcess[bytes]":
    """Runs `loopy dead …` for a person who answers what is asked."""
    ours, theirs = os.openpty()
    os.write(ours, answer)
    try:
        return subprocess.run(
            [LOOPY, "dead", *words],
            cwd=shop,
            env=environment(),
            stdin=theirs,
            capture_output=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    finally:
        os.close(ours)
        os.close(theirs)


async def publish(run: Run, **events: bytes) -> None:
    """Events of a stranger's, by `Type_id`, without a header."""
    client = await nats.connect(run.there.nats_url)
    for name, payload in events.items():
        await client.request(f"loopy.evt.{name.replace('_', '.')}", payload, timeout=5)
    await client.close()


async def open_ids(ask: Ask, count: int) -> list[str]:
    found: list[str] = []

    def are_there() -> bool:
        found[:] = [each["id"] for each in ask("list")]
        return len(found) == count

    await wait_until(are_there, TIMEOUT_S)
    return found


async def test_a_message_is_shown_with_its_bytes_and_dropped_on_record(live: Run, ask: Ask, shop: Path) -> None:
    await publish(live, Order_1=BYTES)
    [identity] = await open_ids(ask, 1)
    assert identity == "EVT-1"
    shown = ask("show", "evt-1")
    assert base64.b64decode(shown["payload"]) == BYTES
    assert (shown["reason"], shown["subject"], shown["text"]) == ("bad_payload", "loopy.evt.Order.1", None)
    assert raw(shop, "1") == BYTES
    told = loopy("dead", "show", identity, cwd=shop).stdout
    assert "7b 22 69 74" in told
    assert "bad_payload" in told

    refrained = at_a_terminal(shop, b"n\n", "drop", "--all")
    assert (refrained.returncode, ask("list") == []) == (1, False)
    assert b"drop 1 message? [y/N]" in refrained.stderr
    assert at_a_terminal(shop, b"y\n", "drop", "--all").returncode == 0
    assert (ask("list"), ask("drop", "--all")) == ([], [])
    [settled] = ask("list", "--settled")
    assert (settled["id"], settled["settled"]["fate"]) == (identity, "dropped")
    assert "@" in settled["settled"]["by"]
    [refused] = ask("replay", identity, code=1)
    assert "was dropped by" in refused["error"]
    assert loopy("dead", "replay", identity, cwd=shop).stderr.count(identity) == 1


async def test_what_is_mended_is_replayed_in_bulk_and_runs_once(shop: Path, ask: Ask) -> None:
    with Run(shop) as run:
        await publish(run, Refund_1=b'{"item": "tea"}', Refund_2=b'{"item": "milk"}', Order_3=BYTES)
        assert sorted(await open_ids(ask, 3)) == ["EVT-1", "EVT-2", "EVT-3"]
        assert run.stop() == 0
    registry = json.loads((shop / "registry.yml").read_text())
    registry["events"]["Refund"] = {"item": "str"}
    (shop / "registry.yml").write_text(json.dumps(registry))
    (shop / "workflows/refund").mkdir()
    (shop / "workflows/refund/pay.md").write_text(
        "---\non: Refund\nagent: Biller\noutput: { sent: bool }\n---\nPay it back.\n"
    )
    with Run(shop) as run:
        done = loopy("dead", "replay", "--reason", "unknown_event", cwd=shop)
        assert done.returncode == 0, done.stderr
        assert done.stderr.count("replayed") == 2
        await wait_until(lambda: executions_of(shop) == 2, TIMEOUT_S)
        ids = {each["settled"]["fate"] for each in ask("replay", "EVT-1", "EVT-2", "EVT-1")}
        assert ids == {"replayed"}
        assert loopy("trigger", "Refund", "--field", "item=x", "--wait", cwd=shop).returncode == 0
        assert executions_of(shop) == 3
        assert [each["id"] for each in ask("list")] == ["EVT-3"]
        runs = json.loads(loopy("runs", "--json", cwd=shop).stdout)
        assert [each["workflow"] for each in runs] == ["refund"] * 3
        assert run.process.poll() is None


def test_an_event_is_replayed_as_a_new_one_whose_workflows_run_again(live: Run, shop: Path) -> None:
    def run_again(*words: str) -> "subprocess.CompletedProcess[str]":
        return loopy("runs", "replay", *words, cwd=shop)

    trigger = ("trigger", "Order", "--field", "item=tea", "--field", "amount=2", "--wait", "--id", "order.1")
    assert loopy(*trigger, cwd=shop).returncode == 0
    before = executions_of(shop)
    again = run_again("order.1", "--wait")
    assert again.returncode == 0, again.stderr
    new = again.stdout.splitlines()[0]
    assert new != "order.1"
    assert "✓ done" in again.stdout
    assert executions_of(shop) == 2 * before
    tapped = loopy("tap", "Order", "--since", "1h", "--count", "2", "--json", cwd=shop).stdout.splitlines()
    _, event = map(json.loads, tapped)
    assert event["headers"]["ce-replayof"] == "order.1"
    assert (event["headers"]["ce-id"], event["headers"]["ce-cascade"]) == (new, new)
    assert event["data"] == {"item": "tea", "amount": 2}

    assert "there is no event nothing" in run_again("nothing").stderr
    registry = json.loads((shop / "registry.yml").read_text())
    registry["events"]["Order"]["amount"] = "str"
    (shop / "registry.yml").write_text(json.dumps(registry))
    refused = run_again("order.1")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "amount: expected str, got int" in refused.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["dead", "show", "EVT-99999"], "no message EVT-99999 is set aside"),
        (["dead", "replay", "99999"], "no message 99999 is set aside"),
        (["runs", "show", "zzzz"], "there is no run zzzz"),
        (["runs", "show", "0" * 24], "there is no run 000"),
        (["runs", "cancel", "zzzz"], "there is no run zzzz"),
        (["runs", "cancel", "0" * 24], "there is no such run"),
        (["runs", "replay", "nothing"], "there is no event nothing"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_is_missing_is_exit_code_1(running: Run, words: list[str], said: str) -> None:
    refused = loopy(*words, "--project", running.project)
    assert refused.returncode == 1
    assert said in refused.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["dead", "shwo"], "did you mean `show`?"),
        (["dead", "list", "EVT-1"], "unexpected argument `EVT-1`"),
        (["dead", "show"], "which message?"),
        (["dead", "show", "EVT-1", "EVT-2"], "Give one id"),
        (["dead", "replay"], "--all"),
        (["dead", "drop", "EVT-1", "--all"], "which messages?"),
        (["dead", "list", "--raw"], "--raw is for"),
        (["dead", "list", "--stream", ">"], "is no stream's name"),
        (["dead", "show", "nonsense"], "an id is like EVT-17"),
        (["runs", "replay"], "which event?"),
        (["runs", "list", "--wait"], "--wait is for `cancel`, `resume`, `retry`, `replay`"),
        (["runs", "replay", "x", "--timeout", "3"], "--wait"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_words_that_do_not_go_together_are_refused(running: Run, words: list[str], said: str) -> None:
    refused = loopy(*words, "--project", running.project)
    assert refused.returncode == 2
    assert said in refused.stderr
    assert refused.stdout == ""


async def test_a_service_for_which_everything_fails_stops_and_says_so(
    bus: Bus, nats_url: str, namespace: str, shop: Path
) -> None:
    for number in range(20 * IN_A_ROW):
        headers = {"ce-source": sensor_source("orders")}
        await bus.publish_once(Outgoing(bus.subjects.event("Nobodys", str(number)), b"{}", headers))
    words = ("serve", "dispatcher", shop, "--nats", nats_url, "--namespace", namespace)
    with Started(*words) as dispatcher:
        said = dispatcher.complaint("error: ")
        assert dispatcher.process.wait(TIMEOUT_S) == 1
    assert "dispatcher failed: EverythingFails: consumer dispatcher-events stops" in said
    assert "unknown_event" in said
    assert IN_A_ROW <= len(await list_dead(bus)) < 10 * IN_A_ROW
    assert await bus.position(RUNS) == 0
