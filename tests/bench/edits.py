"""How long it takes under `loopy run` from the moment at which a file is written until new runs go by it."""

import shutil
import tempfile
import time
from pathlib import Path

from tests.bench.rows import Row
from tests.bench.run import EXAMPLE
from tests.support.command_line import Run

EDITS = 25
APART_S = 0.037  # not a divisor of the pause between two looks, so that edits fall anywhere into it


def measure() -> list[Row]:
    """An edit of prose, and one of a sensor, whose module is imported anew."""
    with tempfile.TemporaryDirectory() as directory:
        project = Path(directory, "ai-sre")
        shutil.copytree(EXAMPLE, project, ignore=shutil.ignore_patterns(".loopy", "__pycache__"))
        with Run(project, "--rehearse") as run:
            step = _served(run, project / "workflows" / "triage" / "investigate.md", "And {number}.\n")
            sensor = _served(run, project / "sensors" / "sensors.py", "# {number}\n")
    return [
        Row("an edit of a step of ai-sre serves new runs", step, "ms", target=200),
        Row("an edit of a sensor of ai-sre serves new runs", sensor, "ms", target=200),
    ]


def _served(run: Run, file: Path, more: str) -> tuple[float, ...]:
    """Milliseconds from each write until it is told that its plan serves."""
    text, samples = file.read_text(), []
    for number in range(EDITS):
        time.sleep(APART_S * (number % 5))
        del run.told[:]
        began = time.perf_counter()
        file.write_text(text + more.format(number=number))
        run.line("serves new runs")
        samples.append((time.perf_counter() - began) * 1000)
    return tuple(samples)
