"""A project of one workflow, `w`: its first step waits for a file `open`, its second adds its prompt to `prompts`."""

import json
from pathlib import Path

from tests.support.files import write_files

FIRST = "---\non: Ping\nagent: Waiter\n---\nWait.\n"


def write_scribe(root: Path) -> Path:
    """Write the project; its second step is to write `old`."""
    programs = {
        "Waiter": f"cat >/dev/null; echo x >>{root}/begun; until [ -e {root}/open ]; do sleep 0.01; done; echo '{{}}'",
        "Writer": f"cat >>{root}/prompts; echo '{{}}'",
    }
    agents = {
        name: {"sandbox": "here", "harness": {"runtime": "command", "run": ["/bin/sh", "-c", program]}}
        for name, program in programs.items()
    }
    sandboxes = {"here": {"provider": "local", "isolation": "none"}}
    registry = json.dumps({"agents": agents, "sandboxes": sandboxes, "events": {"Ping": {}}})
    steps = {"workflows/w/first.md": FIRST, "workflows/w/second.md": said("old")}
    write_files(root, {"registry.yml": registry, **steps})
    return root


def said(word: str) -> str:
    """The second step, which is to write this word."""
    return f"---\nafter: first\nagent: Writer\n---\nWrite {word}.\n"


def begun(root: Path) -> int:
    """How often the first step was begun."""
    file = root / "begun"
    return len(file.read_text().splitlines()) if file.exists() else 0


def written(root: Path) -> str:
    """All prompts of the second step so far."""
    file = root / "prompts"
    return file.read_text() if file.exists() else ""
