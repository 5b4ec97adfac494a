"""`loopy run`: ready, alone on its project, gone without a trace, and clear about why it cannot start."""

import os
import re
import signal
import socket
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from loopy.bus.child import find_binary
from tests.support.command_line import TIMEOUT_S, Run, Started, loopy
from tests.support.shop import write_shop


def test_it_says_what_it_hosts_and_where(running: Run) -> None:
    assert running.headline == "hosting sensor webhooks · waiting for events"
    assert re.search(r"webhook +http://127\.0\.0\.1:\d+/hooks/order +→ orders", running.line("webhook "))
    assert running.there.http_url in running.line("api ")
    assert running.there.pid == running.process.pid


def test_its_whereabouts_are_its_owners_alone(running: Run) -> None:
    file = running.project / ".loopy" / "server.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert not any("nats://" in line for line in (*running.told, *running.complained))


def test_a_second_run_says_who_runs_and_leaves(running: Run) -> None:
    second = loopy("run", running.project)
    assert second.returncode == 2
    assert f"is being run already, by process {running.process.pid} (at {running.there.http_url})" in second.stderr


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_gracefully_and_its_whereabouts_with_it(shop: Path, how: signal.Signals) -> None:
    with Run(shop) as run:
        assert run.stop(how) == 0
        assert not (shop / ".loopy" / "server.json").exists()
    assert [line.split(":")[0] for line in run.complained] == ["warning"]


def test_after_a_kill_it_starts_again_and_knows_what_was(shop: Path) -> None:
    with Run(shop) as run:
        assert loopy("trigger", "Batch", "--field", "size=1", "--wait", "--project", shop).returncode == 0
        run.stop(signal.SIGKILL)
    stale = loopy("runs", "--project", shop)
    assert stale.returncode == 2
    assert f"nothing runs {shop} any more: process {run.process.pid}" in stale.stderr
    with Run(shop):
        assert "✓ succeeded  batch  Batch" in loopy("runs", "--project", shop).stdout


def nats_servers(run: Run) -> list[int]:
    """The children of a run that are its NATS server."""
    children = Path(f"/proc/{run.process.pid}/task/{run.process.pid}/children").read_text().split()
    return [int(child) for child in children if "nats-server" in program_of(int(child))]


def program_of(pid: int) -> str:
    """What a process runs; nothing when it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except FileNotFoundError:
        return ""


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="children are found in /proc")
def test_when_its_nats_server_dies_it_goes_on(shop: Path) -> None:
    with Run(shop) as run:
        (server,) = nats_servers(run)
        os.kill(server, signal.SIGKILL)
        run.complaint("server.restarted")
        assert loopy("trigger", "Batch", "--field", "size=1", "--wait", "--project", shop).returncode == 0
        assert run.stop() == 0


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="children are found in /proc")
def test_when_its_nats_server_cannot_be_started_again_it_says_so_and_ends(shop: Path) -> None:
    binary = shop.parent / "nats-server"
    binary.write_text(f'#!/bin/sh\nexec {find_binary()} "$@"\n')
    binary.chmod(0o755)
    with Run(shop, env={"LOOPY_NATS_SERVER": str(binary)}) as run:
        (server,) = nats_servers(run)
        binary.write_text("#!/bin/sh\nexit 1\n")
        os.kill(server, signal.SIGKILL)
        run.complaint("error: the embedded NATS server keeps dying")
        run.complaint("help: ")
        assert run.process.wait(TIMEOUT_S) == 1


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="children are found in /proc")
def test_a_killed_run_leaves_no_server_behind(shop: Path) -> None:
    with Run(shop) as run:
        (server,) = nats_servers(run)
        run.stop(signal.SIGKILL)
    body = f"/hooks/order={shop}/orders/tea.json"
    assert loopy("run", shop, "--port", "0", "--deliver", body, "--once").returncode == 0
    assert "nats-server" not in program_of(server)


def test_delivering_once_shows_the_cascade_and_ends(shop: Path) -> None:
    done = loopy("run", shop, "--port", "0", "--deliver", f"/hooks/order={shop}/orders/tea.json", "--once")
    assert done.returncode == 0, done.stderr
    wanted = ("delivering", "orders → sell", "sell/quote", "→ Invoice", "bill/send", "✓ done")
    told = [done.stdout.index(what) for what in wanted]
    assert told == sorted(told)
    assert "2 runs · 3 steps · 2 events" in done.stdout


def test_what_it_suggests_can_be_pasted(shop: Path) -> None:
    words = ("run", "shop", "--port", "0", "--deliver", "/hooks/order=shop/orders/tea.json")
    with Started(*words, cwd=shop.parent) as run:
        run.line("Ctrl-C ends it")
        tries = run.told[run.told.index("Try next, from another terminal:") + 1 : -1]
        for told in tries:
            pasted = re.split(r"\s{2,}", told.strip())[0]
            ends = f"{pasted} --count 1" if " tap " in pasted else pasted
            done = subprocess.run(
                ["sh", "-c", ends], cwd=shop.parent, capture_output=True, text=True, timeout=TIMEOUT_S
            )
            assert done.returncode == 0, (pasted, done.stderr)
            assert done.stdout, pasted
    assert len(tries) == 5


def test_delivering_the_same_file_again_is_a_new_delivery(shop: Path) -> None:
    body = f"/hooks/order={shop}/orders/tea.json"
    done = loopy("run", shop, "--port", "0", "--deliver", body, "--deliver", body, "--once")
    assert done.stdout.count("✓ done") == 2


def test_a_delivery_that_cannot_be_mapped_fails_the_run(shop: Path) -> None:
    (shop / "bad.json").write_text('{"item": "tea"}')
    done = loopy("run", shop, "--port", "0", "--deliver", f"/hooks/order={shop}/bad.json", "--once")
    assert done.returncode == 1
    assert "orders could not map" in done.stdout
    assert "amount" in done.stdout


def in_use() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        yield taken.getsockname()[1]


taken_port = pytest.fixture(in_use)


def test_a_port_in_use_is_one_clear_message(shop: Path, taken_port: int) -> None:
    refused = loopy("run", shop, "--port", str(taken_port))
    assert refused.returncode == 2
    assert f"port {taken_port} on 127.0.0.1 is in use" in refused.stderr
    assert not (shop / ".loopy" / "server.json").exists()


def test_a_broken_sensor_module_is_one_clear_message(shop: Path) -> None:
    sensors = shop / "sensors" / "orders.py"
    sensors.write_text(sensors.read_text() + "\n1 / 0\n")
    refused = loopy("run", shop, "--port", "0")
    assert refused.returncode == 2
    assert "sensors/orders.py" in refused.stderr
    assert "ZeroDivisionError" in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.parametrize("url", ["nats://127.0.0.1:1", "nats://no-such-host.invalid:4222"])
def test_a_server_that_is_not_there_is_one_clear_message(shop: Path, url: str) -> None:
    refused = loopy("run", shop, "--port", "0", "--nats", url)
    assert refused.returncode == 2
    assert refused.stdout == ""


@pytest.mark.parametrize("url", ["http://127.0.0.1", "nonsense", "nats://user:hunter2@"])
def test_a_url_that_is_none_is_refused_without_its_credentials(shop: Path, url: str) -> None:
    refused = loopy("run", shop, "--port", "0", "--nats", url)
    assert refused.returncode == 2
    assert "hunter2" not in refused.stderr


def test_a_store_that_cannot_be_used_is_one_clear_message(shop: Path) -> None:
    (shop / ".loopy").mkdir()
    (shop / ".loopy" / "store").write_text("a file")
    refused = loopy("run", shop, "--port", "0")
    assert refused.returncode == 2
    assert "store" in refused.stderr


def test_a_missing_nats_server_is_one_clear_message(shop: Path) -> None:
    refused = loopy("run", shop, "--port", "0", env={"LOOPY_NATS_SERVER": "/nowhere/nats-server"})
    assert refused.returncode == 2
    assert "/nowhere/nats-server" in refused.stderr


def test_settings_that_cannot_be_used_are_told_together(shop: Path) -> None:
    refused = loopy("run", shop, env={"LOOPY_SLOTS": "none", "LOOPY_GRACE_S": "-1"})
    assert refused.returncode == 2
    assert "LOOPY_SLOTS" in refused.stderr
    assert "LOOPY_GRACE_S" in refused.stderr


def test_a_bind_that_others_can_reach_needs_a_token(shop: Path) -> None:
    refused = loopy("run", shop, "--port", "0", "--host", "0.0.0.0")
    assert refused.returncode == 2
    assert "LOOPY_TOKEN" in refused.stderr


def test_a_project_with_errors_is_shown_them_and_not_run(shop: Path) -> None:
    (shop / "workflows" / "bill" / "send.md").write_text("---\non: Nothing\nagent: Biller\n---\nDo it.\n")
    refused = loopy("run", shop)
    assert refused.returncode == 1
    assert "workflows/bill/send.md:2:5" in refused.stderr


def test_agents_that_cannot_be_had_are_listed_with_the_way_out(shop: Path) -> None:
    registry = shop / "registry.yml"
    registry.write_text(registry.read_text().replace('"sandbox": "here"', '"sandbox": "here", "tools": ["open_pr"]', 1))
    refused = loopy("run", shop, "--port", "0")
    assert refused.returncode == 2
    assert "`open_pr`" in refused.stderr
    assert "--rehearse" in refused.stderr
    rehearsed = loopy(
        "run", shop, "--rehearse", "--port", "0", "--deliver", f"/hooks/order={shop}/orders/tea.json", "--once"
    )
    assert rehearsed.returncode == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--once"], "--deliver"),
        (["--deliver", "/hooks/ordr=x"], "did you mean `/hooks/order`?"),
        (["--deliver", "/hooks/order=/nowhere"], "/nowhere cannot be read"),
        (["--namespace", "Not A Name"], "NAMESPACE"),
    ],
)
def test_flags_that_cannot_be_are_refused_before_anything_starts(shop: Path, words: list[str], said: str) -> None:
    refused = loopy("run", shop, *words)
    assert refused.returncode == 2
    assert said in refused.stderr
    assert not (shop / ".loopy" / "store").exists()


def test_no_project_is_one_clear_message(tmp_path: Path) -> None:
    assert "does not exist" in loopy("run", tmp_path / "nowhere").stderr
    empty = loopy("run", tmp_path)
    assert empty.returncode == 2
    assert "loopy init" in empty.stderr


def test_a_named_server_is_used_and_none_of_our_own_started(tmp_path: Path, nats_url: str, namespace: str) -> None:
    shop = write_shop(tmp_path / "shop")
    with Run(shop, "--nats", nats_url, "--namespace", namespace) as run:
        assert (run.there.nats_url, run.there.namespace) == (nats_url, namespace)
        assert loopy("trigger", "Batch", "--field", "size=1", "--wait", "--project", shop).returncode == 0
    assert not (shop / ".loopy" / "store").exists()
