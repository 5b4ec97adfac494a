"""The console decides: what a query asks for, and which of what is recorded answers it. Pure."""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from loopy.bus.codec import Delivery, FailedDelivery
from loopy.bus.deadletters import place_of_id
from loopy.bus.journal import Recorded
from loopy.runs.selection import STANDINGS, Selection, reached
from loopy.runs.steer import Asked, Cancel, Pause, Resume, Retry, Wish
from loopy.runs.summary import RunSummary

DEFAULT_LIMIT = 50
MAX_LIMIT = 500
MAX_NAME = 100
SCANNED = 2000  # runs that are looked at when only some of them are asked for
MAX_WHY = 1000
SHOWN_BESIDE = ("archived_at", "left_out", "steering", "attempts")
ACTIONS = ("cancel", "pause", "resume", "retry")
_RUN_ID = re.compile(r"[0-9a-f]{24}")


class QueryError(ValueError):
    """A query that cannot be answered; the text says which parameter is wrong, and how."""


class RunQuery(msgspec.Struct, frozen=True):
    """Which runs are asked for, and how many at most."""

    limit: int
    selection: Selection = Selection()

    @property
    def scanned(self) -> int:
        """How many of the newest runs must be looked at."""
        return self.limit if self.selection.is_open else max(self.limit, SCANNED)

    def answer(self, runs: Iterable[RunSummary]) -> list[RunSummary]:
        """Those of these runs that are asked for."""
        return [run for run in runs if self.selection.picks(run)][: self.limit]


def run_query(query: Mapping[str, Any]) -> RunQuery:
    """`limit` and the selection of a query. Raises QueryError."""
    return RunQuery(limit_of(query), selection_of(query))


def selection_of(query: Mapping[str, Any], standings: Sequence[str] = ()) -> Selection:
    """`workflow`, `outcome`, `event`, `since` and `before`; without an outcome, these. Raises QueryError."""
    outcome = text_of(query, "outcome")
    if outcome is not None and outcome not in STANDINGS:
        raise QueryError(f"outcome must be one of {', '.join(STANDINGS)}")
    return Selection(
        text_of(query, "workflow"),
        (outcome,) if outcome is not None else tuple(standings),
        text_of(query, "event"),
        _instant(query, "since"),
        _instant(query, "before"),
    )


def bulk_of(action: str, query: Mapping[str, Any]) -> Selection:
    """Which runs something is to be done to. Raises QueryError when nothing says which."""
    if selection_of(query).is_open and not flag_of(query, "all"):
        raise QueryError(f"{action} which runs? Say workflow, outcome, event, since or before, or all=true")
    return selection_of(query, reached(action, from_step=query.get("from") is not None))


def asked_of(action: str, query: Mapping[str, Any]) -> Asked:
    """What is asked of runs, by whom and why. Raises QueryError."""
    return Asked(_wish(action, query), name_of(query), why_of(query))


def why_of(query: Mapping[str, Any]) -> str:
    """Why somebody asks for something, as it is recorded; perhaps empty. Raises QueryError."""
    why = text_of(query, "why") or ""
    if len(why) > MAX_WHY:
        raise QueryError(f"why must have at most {MAX_WHY} characters")
    return why


def _wish(action: str, query: Mapping[str, Any]) -> Wish:
    match action:
        case "cancel":
            return Cancel()
        case "pause":
            return Pause()
        case "resume":
            return Resume()
        case _:
            return Retry(text_of(query, "from"), _edits(query))


def _edits(query: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    edits = query.get("edits", {})
    if not isinstance(edits, dict) or not all(isinstance(edit, dict) for edit in edits.values()):
        raise QueryError('edits must be an object of objects, such as {"event": {"title": "Disk full"}}')
    return edits


def given_in(query: Mapping[str, str], body: bytes) -> dict[str, Any]:
    """What a request says: its query and the JSON object in its body, if one. Raises QueryError."""
    if not body:
        return dict(query)
    try:
        return {**query, **msgspec.json.decode(body, type=dict[str, Any])}
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise QueryError("the body must be a JSON object, or empty") from None


def text_of(query: Mapping[str, Any], name: str) -> str | None:
    """A parameter that is a text, if it is there. Raises QueryError."""
    text = query.get(name)
    if text is not None and not isinstance(text, str):
        raise QueryError(f"{name} must be a text")
    return text


def _instant(query: Mapping[str, Any], name: str) -> datetime | None:
    text = text_of(query, name)
    try:
        at = datetime.fromisoformat(text) if text is not None else None
    except ValueError:
        at = None
    if text is not None and (at is None or at.tzinfo is None):
        raise QueryError(f"{name} must be a time with its zone, such as 2026-11-22T12:00:00Z")
    return at


def limit_of(query: Mapping[str, Any]) -> int:
    """How many are asked for. Raises QueryError."""
    text = str(query.get("limit", DEFAULT_LIMIT))
    if not re.fullmatch(r"[0-9]{1,4}", text) or not 1 <= int(text) <= MAX_LIMIT:
        raise QueryError(f"limit must be a whole number from 1 to {MAX_LIMIT}")
    return int(text)


def flag_of(query: Mapping[str, Any], name: str) -> bool:
    """A parameter that is `true` or `false` (also when it is left out). Raises QueryError."""
    given = query.get(name, "false")
    if given not in ("true", "false", True, False):
        raise QueryError(f"{name} must be true or false")
    return given in ("true", True)


def dead_place(text: str) -> tuple[str, int]:
    """The stream and sequence of the dead letter that a path names. Raises QueryError."""
    place = place_of_id(text)
    if place is None:
        raise QueryError("the id of a dead letter is a stream and a number, such as EVT-17")
    return place


def name_of(query: Mapping[str, Any]) -> str:
    """Who asks for something, as it is recorded: `by`, or the console. Raises QueryError."""
    given = text_of(query, "by")
    name = "console" if given is None else given
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
    """A run with its facts; `archived_at` is null while its own messages are there. `attempts` are of all epochs."""
    about = msgspec.structs.asdict(found)
    return msgspec.structs.asdict(found.state) | {name: about[name] for name in SHOWN_BESIDE}


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
