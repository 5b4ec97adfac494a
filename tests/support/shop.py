"""A small project whose agents are shell programs: real runs, in milliseconds, without a model.

An Order comes by webhook or by hand; `sell` quotes and confirms it and emits an Invoice, which `bill` sends. A
Complaint fails. A Batch runs through a diamond. Every execution of an agent leaves a line in the file `executions`.
"""

import json
from pathlib import Path
from typing import Any

from tests.support.files import write_files

REPLIES: dict[str, dict[str, Any]] = {
    "Quoter": {"output": {"price": 3}},
    "Confirmer": {"output": {}, "emits": {"Invoice": [{"item": "tea", "total": 3}]}},
    "Biller": {"output": {"sent": True}},
    "Worker": {"output": {"n": 1}},
}
STEPS = {
    "sell/quote": "on: Order\nagent: Quoter\noutput: { price: int }",
    "sell/confirm": "after: quote\nagent: Confirmer\nemits: Invoice",
    "bill/send": "on: Invoice\nagent: Biller\noutput: { sent: bool }",
    "refuse/answer": "on: Complaint\nagent: Refuser\nretry: { attempts: 1 }",
    "batch/split": "on: Batch\nagent: Worker\noutput: { n: int }",
    "batch/left": "after: split\nagent: Worker\noutput: { n: int }",
    "batch/right": "after: split\nagent: Worker\noutput: { n: int }",
    "batch/join": "after: [left, right]\nagent: Worker\noutput: { n: int }",
}
SENSORS = '''"""Orders come by webhook."""

from loopy import sensor
from loopy.events import Order


@sensor(webhook="/hooks/order", emits="Order")
def orders(req):
    """An order; one without an amount is a mistake of the sender's."""
    if req.json == {}:
        return None
    return Order(item=req.json["item"], amount=req.json["amount"])
'''


def write_shop(root: Path) -> Path:
    """Write the project."""
    executions = root / "executions"
    files = {"registry.yml": _registry(executions), "sensors/orders.py": SENSORS}
    files |= {f"workflows/{name}.md": f"---\n{head}\n---\nDo it.\n" for name, head in STEPS.items()}
    files["orders/tea.json"] = '{"item": "tea", "amount": 2}'
    write_files(root, files)
    return root


def executions_of(root: Path) -> int:
    """How often any agent was executed."""
    file = root / "executions"
    return len(file.read_text().splitlines()) if file.exists() else 0


def _registry(executions: Path) -> str:
    noted = f"cat >/dev/null; echo x >>{executions}"
    programs = {name: f"{noted}; echo '{json.dumps(reply)}'" for name, reply in REPLIES.items()}
    programs["Refuser"] = "echo 'nobody is to blame' >&2; exit 3"
    agents = {
        name: {"sandbox": "here", "harness": {"runtime": "command", "run": ["/bin/sh", "-c", program]}}
        for name, program in programs.items()
    }
    registry = {
        "agents": agents,
        "sandboxes": {"here": {"provider": "local", "isolation": "none"}},
        "events": {
            "Order": {"item": "str", "amount": "int"},
            "Invoice": {"item": "str", "total": "int"},
            "Complaint": {"text": "str"},
            "Batch": {"size": "int"},
        },
    }
    return json.dumps(registry, indent=2)
