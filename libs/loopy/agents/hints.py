"""Hints for rehearsals: what an author wants a rehearsed step to answer, in `rehearsal/<workflow>/<step>.json`.

    {"output": {"verdict": "fail"}, "emits": {"WorkItem": [{"title": "…"}, {}], "Escalation": []}}

Every part may be left out, and every field of a payload: what is not said is made up. An event that is named with an
empty list is not emitted.
"""

from pathlib import Path
from typing import Any

import msgspec

from loopy.agents.harness import HarnessError


def hint_path(workflow: str, step: str) -> str:
    """Where a step's hint is, relative to the project."""
    return f"rehearsal/{workflow}/{step}.json"


def read_hint(project: Path, workflow: str, step: str) -> Any:
    """The JSON value of a step's hint, or None when the project has none. HarnessError when it is not JSON."""
    path = hint_path(workflow, step)
    try:
        return msgspec.json.decode((project / path).read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise HarnessError("bad_hint", f"{path} cannot be read: {error.strerror}", retryable=False) from error
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise HarnessError("bad_hint", f"{path} is not JSON: {error}", retryable=False) from error
