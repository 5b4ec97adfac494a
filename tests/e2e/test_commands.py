"""The commands that talk to a running project."""

import http.client
import json
import signal
import subprocess
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from loopy.runs.ids import emitted_id, run_id
from tests.support.command_line import LOOPY, TIMEOUT_S, Run, Started, environment, loopy


def ask(running: Run, *words: str | Path, stdin: str = "") -> str:
    """What a command that must succeed prints."""
    done = loopy(*words, "--project", running.project, stdin=stdin)
    assert done.returncode == 0, done.stderr
    return done.stdout


def answer(running: Run, *words: str | Path) -> Any:
    return json.loads(ask(running, *words, "--json"))


def post(running: Run, path: str, body: bytes, **headers: str) -> tuple[int, Any]:
    request = urllib.request.Request(f"{running.there.http_url}{path}", body, headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def test_a_webhook_leads_to_runs_that_are_shown_as_they_happen(running: Run) -> None:
    status, told = post(running, "/hooks/order", b'{"item": "milk", "amount": 1}', **{"Request-ID": "milk-1"})
    assert (status, told["delivery"]) == (202, "milk-1")
    running.line("sell/quote")
    running.line("→ Invoice  item=tea, total=3")
    running.line("bill/send")


def test_trigger_prints_the_events_id(running: Run) -> None:
    assert ask(running, "trigger", "Batch", "--field", "size=1", "--id", "batch-1") == "batch-1\n"
    assert len(ask(running, "trigger", "Batch", "--field", "size=1").strip()) == 24


def test_trigger_waits_until_the_cascade_is_done(running: Run) -> None:
    told = ask(running, "trigger", "Order", "--field", "item=42", "--field", "amount=2", "--wait")
    assert [told.index(what) for what in ("Order", "sell/confirm", "Invoice", "bill/send", "✓ done")]
    assert "2 runs · 3 steps · 2 events" in told


def test_trigger_fails_when_what_follows_fails(running: Run) -> None:
    done = loopy("trigger", "Complaint", "--field", "text=cold", "--wait", "--project", running.project)
    assert done.returncode == 1
    assert "refuse/answer" in done.stdout
    assert "nobody is to blame" in done.stdout


def test_the_same_id_again_is_the_same_event(running: Run) -> None:
    words = ("trigger", "Batch", "--field", "size=1", "--id", "twice", "--wait")
    ask(running, *words)
    again = loopy(*words, "--project", running.project)
    assert again.returncode == 0
    assert "was there already" in again.stderr
    assert "✓ done" in again.stdout


def test_fields_come_from_a_file_or_standard_input(running: Run, tmp_path: Path) -> None:
    (tmp_path / "order.json").write_text('{"item": "tea", "amount": 1}')
    ask(running, "trigger", "Order", "--json", tmp_path / "order.json", "--field", "amount=2")
    ask(running, "trigger", "Order", "--json", "-", stdin='{"item": "tea", "amount": 1}')


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["Order", "--field", "item=tea", "--field", "amount=many"], "amount: expected int"),
        (["Order", "--field", "item=tea"], "amount: "),
        (["Ordr"], "did you mean `Order`?"),
        (["Order", "--field", "itm=tea"], "did you mean `item`?"),
        (["Order", "--json", "/nowhere"], "/nowhere cannot be read"),
        (["Order", "--json", "-"], "standard input does not hold a JSON object"),
        (["Order", "--id", "a b"], "--id"),
        (["Order", "--id", ""], "--id"),
        (["Order", "--timeout", "3"], "--wait"),
    ],
)
def test_an_event_that_is_none_is_refused_with_the_field_named(running: Run, words: list[str], said: str) -> None:
    refused = loopy("trigger", *words, "--project", running.project)
    assert refused.returncode == 2
    assert said in refused.stderr
    assert refused.stdout == ""


def test_a_wait_can_be_bounded(running: Run) -> None:
    done = loopy(
        "trigger", "Batch", "--field", "size=1", "--wait", "--timeout", "0.0001s", "--project", running.project
    )
    assert done.returncode == 1
    assert "it goes on by itself" in done.stderr


def test_runs_are_listed_the_newest_first(running: Run) -> None:
    ask(running, "trigger", "Batch", "--field", "size=1", "--id", "listed-1", "--wait")
    ask(running, "trigger", "Batch", "--field", "size=1", "--id", "listed-2", "--wait")
    listed = answer(running, "runs", "list", "--workflow", "batch", "--limit", "2")
    assert [each["event"] for each in listed] == ["listed-2", "listed-1"]
    assert {each["outcome"] for each in listed} == {"succeeded"}
    plain = ask(running, "runs", "--workflow", "batch", "--limit", "1").splitlines()
    assert plain == [line for line in plain if line.startswith(listed[0]["run"][:8]) and "✓ succeeded" in line]


def test_runs_can_be_picked_by_outcome(running: Run) -> None:
    loopy("trigger", "Complaint", "--field", "text=cold", "--wait", "--project", running.project)
    assert {each["workflow"] for each in answer(running, "runs", "--outcome", "failed")} == {"refuse"}
    assert answer(running, "runs", "--workflow", "nothing") == []


def test_a_run_is_shown_with_its_steps_and_what_followed(running: Run) -> None:
    ask(running, "trigger", "Order", "--field", "item=shown", "--field", "amount=2", "--id", "shown", "--wait")
    run = run_id("sell", "shown")
    shown = ask(running, "runs", "show", run[:10]).splitlines()
    assert shown[0].startswith("Order  shown  from trigger  at ")
    assert "item=shown, amount=2" in shown[1]
    assert shown[2].startswith("sell  ✓ succeeded")
    assert [line.strip("│├└─ ").split("  ")[0] for line in shown[3:]] == [
        "✓ quote",
        "✓ confirm",
        "→ Invoice",
        "bill",
        "✓ send",
    ]
    data = answer(running, "runs", "show", run)
    assert [step["name"] for step in data["run"]["steps"]] == ["quote", "confirm"]
    assert [attempt["attempt"] for attempt in data["attempts"]] == [1, 1]


def test_a_failed_run_is_shown_with_its_reasons(running: Run) -> None:
    loopy("trigger", "Complaint", "--field", "text=x", "--id", "reasons", "--wait", "--project", running.project)
    shown = ask(running, "runs", "show", run_id("refuse", "reasons"))
    assert "✗ answer, attempt 1: exit_code: " in shown


@pytest.mark.parametrize("unknown", ["ffffffff", "f" * 24, "no such run", "*", ">", "a.b", ""])
def test_an_unknown_run_is_said_to_be_none(running: Run, unknown: str) -> None:
    refused = loopy("runs", "show", unknown, "--project", running.project)
    assert refused.returncode == 1
    assert "there is no run" in refused.stderr


def test_a_delivery_that_cannot_be_mapped_is_listed_with_its_error(running: Run) -> None:
    assert post(running, "/hooks/order", b'{"item": "tea"}', **{"Request-ID": "bad-1"})[0] == 202
    with Started("tap", "failed", "--since", "1h", "--count", "1", "--project", running.project) as tap:
        tap.line("bad-1")
    failed = answer(running, "deliveries", "--failed")
    assert [(each["sensor"], each["id"], each["state"]) for each in failed] == [("orders", "bad-1", "failed")]
    assert "amount" in failed[0]["error"]
    assert "bad-1" in ask(running, "deliveries", "--failed")


def test_deliveries_are_listed(running: Run) -> None:
    post(running, "/hooks/order", b'{"item": "jam", "amount": 1}', **{"Request-ID": "jam-1"})
    states = {each["id"]: each["state"] for each in answer(running, "deliveries")}
    assert states["jam-1"] == "accepted"


def test_an_unknown_path_is_a_problem_document(running: Run) -> None:
    status, problem = post(running, "/hooks/nothing", b"{}")
    assert (status, problem["status"]) == (404, 404)


def test_a_large_body_is_refused_before_it_is_sent(running: Run) -> None:
    connection = http.client.HTTPConnection(urlsplit(running.there.http_url).netloc, timeout=10)
    connection.putrequest("POST", "/hooks/order")
    connection.putheader("Content-Length", str(2 << 20))
    connection.endheaders()
    response = connection.getresponse()
    assert (response.status, json.load(response)["status"]) == (413, 413)
    connection.close()


def test_tap_shows_events_and_facts_as_they_pass(running: Run) -> None:
    with Started("tap", "--project", running.project, "--since", "1m") as tap:
        ask(running, "trigger", "Order", "--field", "item=tapped", "--field", "amount=2", "--id", "tapped")
        run = run_id("bill", emitted_id(run_id("sell", "tapped"), "confirm", 0, "Invoice", 0))[:8]
        assert "bill  outcome=succeeded" in tap.line(f"RunEnded            {run}")
        assert tap.stop(signal.SIGINT) == 130
    assert tap.complained == []


def test_tap_shows_the_streams_in_the_order_of_time(running: Run) -> None:
    words = ("trigger", "Order", "--field", "item=sorted", "--field", "amount=2", "--wait")
    ask(running, *words)
    with Started("tap", "--json", "--project", running.project, "--since", "1m") as live:
        live.line("RunEnded")
        last = [ask(running, *words).split()[0] for _ in range(3)][-1]
        live.line(run_id("sell", last))
        live.stop(signal.SIGINT)
    stored = ask(running, "tap", "--json", "--since", "1m", "--count", "20").splitlines()
    for told in (live.told, stored):
        passed = [json.loads(line) for line in told]
        assert {message["stream"] for message in passed} == {"EVT", "RUN"}
        assert [message["time"] for message in passed] == sorted(message["time"] for message in passed)


def test_tap_gives_json_of_one_type(running: Run) -> None:
    ask(running, "trigger", "Order", "--field", "item=j", "--field", "amount=2", "--id", "as-json", "--wait")
    lines = ask(running, "tap", "Order", "--json", "--since", "1h", "--count", "1").splitlines()
    assert [json.loads(line)["subject"].split(".")[1:3] for line in lines] == [["evt", "Order"]]


def test_a_reader_that_has_read_enough_is_no_error(running: Run) -> None:
    tap = subprocess.Popen(
        [LOOPY, "tap", ">", "--since", "1h", "--project", running.project],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(),
    )  # fmt: skip
    assert tap.stdout is not None
    assert tap.stdout.readline()
    tap.stdout.close()
    ask(running, "trigger", "Batch", "--field", "size=1")
    assert tap.wait(TIMEOUT_S) == 0
    assert tap.stderr is not None
    assert tap.stderr.read() == ""
    tap.stderr.close()


def test_commands_find_the_project_from_below_it(running: Run) -> None:
    assert loopy("runs", cwd=running.project / "workflows").returncode == 0


def test_without_a_project_or_a_server_commands_say_what_to_do(tmp_path: Path) -> None:
    refused = loopy("runs", cwd=tmp_path)
    assert refused.returncode == 2
    assert "--nats URL" in refused.stderr
    (tmp_path / "registry.yml").touch()
    assert "start it with `loopy run`" in loopy("runs", cwd=tmp_path).stderr


def test_a_project_can_be_triggered_without_its_files(running: Run, tmp_path: Path) -> None:
    there = running.there
    words = (
        "trigger",
        "Batch",
        "--field",
        "size=1",
        "--wait",
        "--nats",
        there.nats_url,
        "--namespace",
        there.namespace,
    )
    assert "✓ done" in loopy(*words, cwd=tmp_path).stdout
    assert "did you mean `Batch`?" in loopy("trigger", "Bach", *words[4:], cwd=tmp_path).stderr


def test_a_namespace_that_nobody_uses_is_said_to_be_empty(running: Run, tmp_path: Path) -> None:
    refused = loopy("runs", "--nats", running.there.nats_url, "--namespace", "nobody", cwd=tmp_path)
    assert refused.returncode == 2
    assert "nothing was ever run in namespace `nobody`" in refused.stderr
    assert running.there.nats_url not in refused.stderr


def test_doctor_knows_that_it_runs(running: Run) -> None:
    done = loopy("doctor", running.project)
    assert done.returncode == 0, done.stdout
    assert f"process {running.process.pid} runs this project" in done.stdout
    states = {finding["state"] for finding in json.loads(loopy("doctor", running.project, "--json").stdout)}
    assert states == {"ok", "attention"}
