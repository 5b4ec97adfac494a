"""How long `loopy compile --check` takes as a whole process, on the example and on a large project."""

import tempfile
from pathlib import Path
from statistics import median

from tests.bench.rows import Row
from tests.bench.startup import processes

SEED = Path(__file__).parents[1] / "fixtures" / "ai-sre"


def measure() -> list[Row]:
    """The example, and 1,000 workflows of four steps, whose floor is twice the time of 500: linear is 1."""
    with tempfile.TemporaryDirectory() as directory:
        half, whole = Path(directory, "half"), Path(directory, "whole")
        write_project(half, workflows=500)
        write_project(whole, workflows=1000)
        seed = processes("compile", str(SEED), "--check")
        small, large = (processes("compile", str(project), "--check", runs=5) for project in (half, whole))
    return [
        Row("loopy compile --check of ai-sre", seed, target=0.25),
        Row("loopy compile --check, 1,000 × 4 steps", large, target=1.5, floor=2 * median(small)),
    ]


def write_project(root: Path, *, workflows: int) -> None:
    """A project of this many workflows of four steps: a fan-out and a join, prose with references, a condition."""
    root.mkdir(parents=True)
    (root / "registry.yml").write_text(_REGISTRY, encoding="utf-8")
    (root / "sensors").mkdir()
    (root / "sensors" / "incidents.py").write_text(_SENSOR, encoding="utf-8")
    for number in range(workflows):
        directory = root / "workflows" / f"flow-{number:04}"
        directory.mkdir(parents=True)
        for name, text in _STEPS.items():
            (directory / f"{name}.md").write_text(text, encoding="utf-8")


_REGISTRY = """\
defaults:
  agent: { harness: { runtime: claude-code, model: claude-sonnet-4-6 } }
agents:
  Worker: {}
events:
  Incident: { fields: { source: enum[sentry, linear], title: str, link: url } }
  Shipped: { goal: id }
"""

_SENSOR = """\
from loopy import sensor


@sensor(webhook="/hooks/incidents", emits="Incident")
def incidents(req): ...
"""

_PROSE = "Read the code, the tests and the log before you begin, and say what you found.\n" * 8

_STEPS = {
    "plan": f"""\
---
on: Incident
agent: Worker
output: {{ goal: str, risk: enum[low, high], links: list[url] }}
budget: {{ wall_clock: 20, spend: {{ usd: 4 }} }}
---
Plan a fix for {{{{ event.title }}}} at {{{{ event.link }}}}.
{_PROSE}""",
    "code-fix": f"""\
---
after: plan
agent: Worker
output:
  pr_url: url
  summary: str
---
Implement {{{{ plan.goal }}}}.
{_PROSE}""",
    "write-docs": f"""\
---
after: plan
agent: Worker
when: plan.risk == "high"
output:
  page: url
---
Document {{{{ plan.goal }}}}, for {{{{ event.title }}}}.
{_PROSE}""",
    "ship": f"""\
---
after: [code-fix, write-docs]
agent: Worker
emits: Shipped
---
Ship {{{{ code-fix.pr_url }}}}: {{{{ code-fix.summary }}}}, which is {{{{ plan.goal }}}}.
{_PROSE}""",
}
