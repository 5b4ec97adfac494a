"""docs/reference/metrics.md, made of `METRICS`: `python -m tests.support.metrics_page` writes it."""

from pathlib import Path

from loopy.kit.metrics import METRICS, Metric

PAGE = Path(__file__).parents[2] / "docs/reference/metrics.md"
HEAD = """\
# Health and metrics

Every process serves three paths, for `GET`:

| path | answers |
|---|---|
| `/livez` | 200 as long as the process's event loop turns |
| `/readyz` | 200 when every service of the process is ready, else 503; the JSON tells of each |
| `/metrics` | the table below, in Prometheus' text format |

What `/readyz` tells of a service: `ready`; `starting`; `disconnected` from NATS; `unbound` (the server refuses its
consumer: was it, or its stream, deleted?); `draining`. A process that is told to stop is draining first of all; it goes
on as before for `LOOPY_DRAIN_DELAY_S`, then takes nothing more, and lets work end within `LOOPY_GRACE_S`.

**Where.** Ingress and console serve the paths beside what they serve anyhow (`LOOPY_HOST`, `LOOPY_PORT`); the others
listen for them on any free port of 127.0.0.1. With `LOOPY_OPS_PORT` (and `LOOPY_OPS_HOST`) every process has a listener
for them alone, which answers before NATS is there and until the very end: what probes and scrapers need, and what keeps
metrics off the address that webhooks come to. The log line `operations.listening` has the address.

No token is asked for, on any address: neither health nor metrics hold a secret, a payload or an id. They do tell the
names of workflows, sensors and events.

**Labels.** All have `service`, besides their own. Counters begin at 0 with the process. What one replica is the first
to do, it alone counts, so sums over replicas are right, but for what a killed process had not yet been asked for.
The process itself is told of by `process_cpu_seconds_total`, `process_resident_memory_bytes` and their like.

| metric | kind | unit | labels | meaning |
|---|---|---|---|---|
"""


def page() -> str:
    """The page as it must be."""
    return HEAD + "".join(map(_row, METRICS))


def _row(metric: Metric) -> str:
    labels = " ".join(f"`{label}`" for label in metric.labels) or "–"
    return f"| `{metric.name}` | {metric.kind} | {metric.unit} | {labels} | {metric.help} |\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
