"""The console decides: what a query asks for, and which of what is recorded answers it. Pure."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, get_args

import msgspec

from loopy.bus.codec import Delivery, FailedDelivery
from loopy.bus.deadletters import place_of_id
from loopy.bus.journal import Recorded
from loopy.runs.records import Outcome
from loopy.runs.summary import RunSummary

DEFAULT_LIMIT = 50
MAX_LIMIT = 500
MAX_NAME = 100
SCANNED = 2000  # runs that are looked at when only some of them are asked for
OUTCOMES = (*get_args(Outcome), "running")
_RUN_ID = re.compile(r"[0-9a-f]{24}")


class QueryError(ValueError):
    """A query that cannot be answered; the text says which parameter is wrong, and how."""


class RunQuery(msgspec.Struct, frozen=True):
    """Which runs are asked for; None: of any workflow, with any outcome. `running` is a run without an outcome yet."""

    limit: int
    workflow: str | None = None
    outcome: str | None = None

    @property
    def scanned(self) -> int:
        """How many of the newest runs must be looked at."""
        return self.limit if self.workflow is None and self.outcome is None else max(self.limit, SCANNED)

    def answer(self, runs: Iterable[RunSummary]) -> list[RunSummary]:
        """Those of these runs that are asked for."""
        return [run for run in runs if self._asks_for(run)][: self.limit]

    def _asks_for(self, run: RunSummary) -> bool:
        return self.workflow in (None, run.workflow) and self.outcome in (None, run.outcome or "running")


def run_query(query: Mapping[str, str]) -> RunQuery:
    """`limit`, `workflow` and `outcome` of a query. Raises QueryError."""
    outcome = query.get("outcome")
    if outcome is not None and outcome not in OUTCOMES:
        raise QueryError(f"outcome must be one of {', '.join(OUTCOMES)}")
    return RunQuery(limit_of(query), query.get("workflow"), outcome)


def limit_of(query: Mapping[str, str]) -> int:
    """How many are asked for. Raises QueryError."""
    text = query.get("limit", str(DEFAULT_LIMIT))
    if not re.fullmatch(r"[0-9]{1,4}", text) or not 1 <= int(text) <= MAX_LIMIT:
        raise QueryError(f"limit must be a whole number from 1 to {MAX_LIMIT}")
    return int(text)


def flag_of(query: Mapping[str, str], name: str) -> bool:
    """A parameter that is `true` or `false` (also when it is left out). Raises QueryError."""
    text = query.get(name, "false")
    if text not in ("true", "false"):
        raise QueryError(f"{name} must be true or false")
    return text == "true"


def dead_place(text: str) -> tuple[str, int]:
    """The stream and sequence of the dead letter that a path names. Raises QueryError."""
    place = place_of_id(text)
    if place is None:
        raise QueryError("the id of a dead letter is a stream and a number, such as EVT-17")
    return place


def name_of(query: Mapping[str, str]) -> str:
    """Who asks for something, as it is recorded: `by`, or the console. Raises QueryError."""
    name = query.get("by", "console")
    if not 1 <= len(name) <= MAX_NAME or not name.isprintable():
        raise QueryError(f"by must be 1 to {MAX_NAME} printable characters")
    return name


def stream_of(query: Mapping[str, str]) -> str | None:
    """The stream that is asked for, if one. Raises QueryError."""
    name = query.get("stream")
    if name is not None and not (name.isascii() and name.isalpha()):
        raise QueryError("stream must be a stream's name, such as EVT")
    return name.upper() if name is not None else None


def is_run_id(text: str) -> bool:
    """Whether this can be the id of a run; anything else could select several on the bus."""
    return _RUN_ID.fullmatch(text) is not None


def shown_run(found: Recorded) -> dict[str, Any]:
    """A run with its facts; `archived_at` is null while its own messages are there."""
    return msgspec.structs.asdict(found.state) | {"archived_at": found.archived_at, "left_out": found.left_out}


def shown_delivery(delivery: Delivery) -> dict[str, Any]:
    """What a list shows of a delivery: not its body."""
    return {
        "sensor": delivery.sensor,
        "id": delivery.id,
        "path": delivery.path,
        "at": delivery.at,
        "bytes": len(delivery.body),
    }


def shown_failure(failed: FailedDelivery) -> dict[str, Any]:
    """What a list shows of a delivery that its sensor could not map."""
    return {
        "sensor": failed.sensor,
        "id": failed.id,
        "at": failed.at,
        "error": failed.error,
        "trace": failed.trace,
    }
