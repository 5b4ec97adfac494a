"""What the benchmarks have to do: chains and diamonds of four steps that read and return 200 bytes, and waits.

Its agents are of a runtime that does nothing. It is installed as anyone's would be, by an entry point, from a directory
on the path of Python, and goes by a name that the compiler knows and nothing else here answers to.
"""

from datetime import UTC, datetime
from pathlib import Path

from loopy.runs.records import Event
from tests.support.files import write_files

STEPS = 4
CHAIN, DIAMOND, WAITING = "Chain", "Diamond", "Waiting"
FIRST, LAST = "a", "d"
TEXT = "x" * 160
_FIELDS = "{ number: int, text: str }"
_FILES = {
    "project/registry.yml": f"""\
defaults:
  agent: {{ harness: {{ runtime: codex, model: none }} }}
agents:
  Nobody: {{}}
events:
  {CHAIN}: {_FIELDS}
  {DIAMOND}: {_FIELDS}
  {WAITING}: {_FIELDS}
""",
    "runtime/nothing.py": '''\
"""A runtime that answers at once: with the number that it was asked, and as much text. Asked to wait, it fails."""

from loopy.agents.harness import HarnessError, Reply


class Nothing:
    needs_sandbox = False

    async def run(self, assignment, sandbox):
        if assignment.attempt.event.type == "Waiting":
            raise HarnessError("not_yet", "it is too early")
        data = assignment.attempt.event.data
        return Reply({"number": data["number"], "text": data["text"]})
''',
    "runtime/nothing-1.dist-info/METADATA": "Metadata-Version: 2.1\nName: nothing\nVersion: 1\n",
    "runtime/nothing-1.dist-info/entry_points.txt": "[loopy.agents]\ncodex = nothing:Nothing\n",
}
_EDGES = {
    "chain": {"a": f"on: {CHAIN}", "b": "after: a", "c": "after: b", "d": "after: c"},
    "waiting": {"a": f"on: {WAITING}\nretry: {{ attempts: 2, backoff: 1h, max_backoff: 1h }}"},
    "diamond": {"a": f"on: {DIAMOND}", "b": "after: a", "c": "after: a", "d": "after: [b, c]"},
}


def write_workload(root: Path) -> None:
    """Write `project`, and beside it `runtime`, which is to be on PYTHONPATH."""
    steps = {
        f"project/workflows/{workflow}/{name}.md": _step(edge)
        for workflow, edges in _EDGES.items()
        for name, edge in edges.items()
    }
    write_files(root, {**_FILES, **steps})


def first_event(kind: str, identity: str) -> Event:
    """The event that starts one run."""
    data = {"number": 1, "text": TEXT}
    return Event(id=identity, type=kind, source="/bench", time=datetime.now(UTC), data=data, cascade=identity)


def _step(edge: str) -> str:
    return f"---\n{edge}\nagent: Nobody\noutput: {_FIELDS}\n---\n{_prose(edge)}\n"


def _prose(edge: str) -> str:
    """What a step is told: it reads what the step before it returned."""
    _, _, before = edge.partition("after: ")
    name = before.strip("[]").partition(",")[0]
    return f"Read {{{{ {name}.text }}}}." if name else "Read {{ event.text }}."
