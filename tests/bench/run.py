"""How long `loopy run` takes from its start until it serves, and until a rehearsed cascade has passed."""

import shutil
import tempfile
import time
from pathlib import Path

from tests.bench.rows import Row
from tests.support.command_line import Run, loopy

EXAMPLE = Path(__file__).parents[2] / "examples" / "ai-sre"
RUNS = 7


def measure() -> list[Row]:
    """A start on a fresh store, a start on one that is there, and a whole rehearsal with `--once`."""
    fresh, again, once = [], [], []
    for _ in range(RUNS):
        with tempfile.TemporaryDirectory() as directory:
            project = Path(directory, "ai-sre")
            shutil.copytree(EXAMPLE, project, ignore=shutil.ignore_patterns(".loopy", "__pycache__"))
            fresh.append(_until_ready(project))
            again.append(_until_ready(project))
            once.append(_whole_rehearsal(project))
    return [
        Row("loopy run ready, its NATS server on a new store", tuple(fresh), target=1.5),
        Row("loopy run ready, its NATS server on an old store", tuple(again), target=1.5),
        Row("loopy run --rehearse --deliver --once, whole process", tuple(once)),
    ]


def _until_ready(project: Path) -> float:
    began = time.perf_counter()
    with Run(project, "--rehearse") as run:
        seconds = time.perf_counter() - began
        run.stop()
    return seconds


def _whole_rehearsal(project: Path) -> float:
    body = f"/hooks/sentry={project}/deliveries/sentry-issue.json"
    began = time.perf_counter()
    done = loopy("run", project, "--rehearse", "--port", "0", "--deliver", body, "--once")
    assert done.returncode == 0, done.stderr
    return time.perf_counter() - began
