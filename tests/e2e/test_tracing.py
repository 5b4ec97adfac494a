"""One trace from the webhook to every outcome, as a collector receives it of a real `loopy run`."""

import os
import shutil
import subprocess
from pathlib import Path

from tests.support.collector import Collector, Received, collecting

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples/ai-sre"


def test_a_webhook_and_all_that_follows_from_it_are_one_trace(tmp_path: Path) -> None:
    project = shutil.copytree(EXAMPLE, tmp_path / "ai-sre", ignore=shutil.ignore_patterns(".loopy"))
    delivered = f"/hooks/sentry={project / 'deliveries/sentry-issue.json'}"
    command: list[str | Path] = ["run", project, "--rehearse", "--once", "--port", "0", "--deliver", delivered]
    with collecting() as collector:
        environment = {**os.environ, **collector.environment, "OTEL_RESOURCE_ATTRIBUTES": ""}
        done = subprocess.run(
            [ROOT / ".venv/bin/loopy", *command], env=environment, capture_output=True, text=True, timeout=60
        )
    assert done.returncode == 0, done.stderr
    [request] = collector.named("webhook sentry_issues")
    [sensed] = collector.named("sense sentry_issues")
    [triage], [resolve] = collector.named("run triage"), collector.named("run resolve")
    assert {span.trace for span in collector.spans} == {request.trace}
    assert (request.parent, sensed.parent, triage.parent) == ("", request.id, request.id)
    assert resolve.parent == triage.id
    assert attempts_below(collector, triage) == ["attempt triage/investigate"]
    assert attempts_below(collector, resolve) == [
        f"attempt resolve/{s}" for s in ("arbitrate", "fix", "review", "ship")
    ]
    assert {span.service for span in collector.spans} == {"loopy-ingress", "loopy-dispatcher", "loopy-executor"}


def attempts_below(collector: Collector, run: Received) -> list[str]:
    """The names of the attempts of a run, in the order in which they began."""
    below = [span for span in collector.spans if span.parent == run.id and span.name.startswith("attempt ")]
    return [span.name for span in sorted(below, key=lambda span: span.began)]
