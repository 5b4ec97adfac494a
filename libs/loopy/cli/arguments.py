"""The arguments of every command, and the small languages that their values are written in. Imports nothing heavy."""

import argparse
import math
import re
from pathlib import Path

SERVICES = ("ingress", "scheduler", "dispatcher", "executor", "console")
OUTCOMES = ("succeeded", "failed", "skipped", "cancelled", "running", "paused")
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(s|m|h|d)?")
_UNIT_S = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, None: 1.0}


def seconds(text: str) -> float:
    """The seconds in `90`, `90s`, `20m`, `2h` or `1d`."""
    match = _DURATION.fullmatch(text)
    if match is None or not math.isfinite(float(match[1])):
        raise argparse.ArgumentTypeError(f"expected a duration such as 90s, 20m or 2h, got {text!r}")
    return float(match[1]) * _UNIT_S[match[2]]


def port(text: str) -> int:
    """A TCP port; 0 lets the system choose."""
    if not text.isascii() or not text.isdigit() or int(text[:6]) > 65_535:
        raise argparse.ArgumentTypeError(f"expected a port from 0 to 65535, got {text!r}")
    return int(text)


def count(text: str) -> int:
    """A whole number from 1."""
    if not text.isascii() or not text.isdigit() or len(text) > 9 or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1, got {text!r}")
    return int(text)


def filled(text: str) -> str:
    """The text as it is; an empty one, such as an unset variable leaves, is none."""
    if not text:
        raise argparse.ArgumentTypeError("expected a value, got an empty text")
    return text


def pair(text: str) -> tuple[str, str]:
    """The two sides of `name=value`."""
    return _sides(text, "NAME=VALUE")


def edit(text: str) -> tuple[str, str]:
    """The two sides of `place.field=value`."""
    where, value = _sides(text, "PLACE.FIELD=VALUE")
    place, dot, name = where.partition(".")
    if not place or not dot or not name:
        raise argparse.ArgumentTypeError(f"expected PLACE.FIELD=VALUE, such as event.title=Hello, got {text!r}")
    return where, value


def parcel(text: str) -> tuple[str, str]:
    """The two sides of `path=file`."""
    return _sides(text, "PATH=FILE")


def _sides(text: str, form: str) -> tuple[str, str]:
    left, equals, right = text.partition("=")
    if not equals or not left:
        raise argparse.ArgumentTypeError(f"expected {form}, got {text!r}")
    return left, right


def _directory(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "directory", nargs="?", type=filled, default=".", metavar="DIR", help="the project (default: here)"
    )


def _json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON for programs instead")


def _server(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--project",
        type=filled,
        metavar="DIR",
        help="the project whose `loopy run` to talk to (default: here or above)",
    )
    _bus(parser)


def _bus(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--nats", type=filled, metavar="URL", help="the NATS server to use (or LOOPY_NATS_URL)")
    parser.add_argument(
        "--namespace", type=filled, metavar="NS", help="the namespace on it (or LOOPY_NAMESPACE; default: loopy)"
    )


def _listener(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--host", type=filled, metavar="H", help="the address to listen on (or LOOPY_HOST; default: 127.0.0.1)"
    )
    parser.add_argument("--port", metavar="P", type=port, help="the port; 0 picks one (or LOOPY_PORT; default: 8700)")


def compile_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `loopy compile`."""
    _directory(parser)
    target = parser.add_mutually_exclusive_group()
    target.add_argument("--check", action="store_true", help="only check; write no plan and no type stubs")
    target.add_argument(
        "--out", metavar="FILE", type=Path, help="write the plan here, - is standard output (default: in .loopy/plans/)"
    )
    formats = ("full", "concise", "json", "github")
    parser.add_argument(
        "--format", choices=formats, default="full", metavar="F", help="full (the default), concise, json or github"
    )
    parser.add_argument("--json", dest="format", action="store_const", const="json", help="the same as --format json")
    parser.add_argument("--strict", action="store_true", help="let warnings fail the compile")


def explain_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `loopy explain`."""
    parser.add_argument(
        "code", nargs="?", metavar="CODE", help="a diagnostic's code, such as LP302 (default: list all)"
    )
    _json(parser)


def init_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `loopy init`."""
    parser.add_argument("directory", type=filled, metavar="DIR", help="where to write it; must not hold a project yet")


def run_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `loopy run`."""
    _directory(parser)
    parser.add_argument(
        "--rehearse", action="store_true", help="answer for every agent with made-up values; spends nothing"
    )
    _bus(parser)
    _listener(parser)
    parser.add_argument(
        "--deliver", metavar="PATH=FILE", type=parcel, action="append", default=[],
        help="when ready, post FILE to the webhook at PATH; may be repeated",
    )  # fmt: skip
    parser.add_argument("--once", action="store_true", help="end when the cascades of --deliver are done")
    parser.add_argument(
        "--durability", choices=("process", "power-loss"),
        help="what an acknowledged message survives on the server that is started (or LOOPY_DURABILITY)",
    )  # fmt: skip


def serve_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `loopy serve`."""
    parser.add_argument("service", choices=SERVICES, metavar="SERVICE", help=", ".join(SERVICES))
    parser.add_argument(
        "directory", nargs="?", type=filled, metavar="DIR", help="the project (or LOOPY_PROJECT; default: here)"
    )
    parser.add_argument("--rehearse", action="store_true", help="executor: answer for every agent with made-up values")
    parser.add_argument("--pool", metavar="NAME", help="executor: the pool to take attempts from (or LOOPY_POOL)")
    _bus(parser)
    _listener(parser)


def trigger_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `loopy trigger`."""
    parser.add_argument("event", metavar="EVENT", help="a type of event that the registry declares")
    parser.add_argument(
        "--field", metavar="NAME=VALUE", type=pair, action="append", default=[],
        help="a field's value: text as it is, anything but text as JSON; may be repeated",
    )  # fmt: skip
    parser.add_argument(
        "--json", metavar="FILE", dest="file", help="take the fields from a JSON file; - is standard input"
    )
    parser.add_argument("--id", help="the event's id; the same id twice is one event (default: a new one)")
    parser.add_argument("--wait", action="store_true", help="show what follows as it happens, until it is done")
    parser.add_argument(
        "--timeout", type=seconds, metavar="T", help="with --wait: give up after this long, such as 20m"
    )
    _server(parser)


def runs_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `loopy runs`."""
    parser.add_argument(
        "action", nargs="?", default="list", metavar="ACTION",
        help="list (the default), show, cancel, pause, resume, retry or replay",
    )  # fmt: skip
    parser.add_argument(
        "ids", nargs="*", metavar="ID", help="a run's id, or enough of its beginning; replay: an event's"
    )
    parser.add_argument("--limit", type=count, metavar="N", help="list: the newest N (default: 20)")
    _run_selection(parser)
    parser.add_argument(
        "--why", type=filled, metavar="TEXT", help="recorded with what a run is to do, or an event's replay"
    )
    parser.add_argument(
        "--from", dest="from_step", type=filled, metavar="STEP",
        help="retry: run this step and all after it (default: what failed, and all after that)",
    )  # fmt: skip
    parser.add_argument(
        "--set", metavar="PLACE.FIELD=VALUE", type=edit, action="append", default=[],
        help="retry: amend a field of the event (event.title=…) or of a step's output; may be repeated",
    )  # fmt: skip
    parser.add_argument(
        "--wait", action="store_true", help="cancel, resume, retry, replay: show what follows to its end"
    )
    parser.add_argument(
        "--timeout", type=seconds, metavar="T", help="with --wait: give up after this long, such as 20m"
    )
    parser.add_argument("--yes", action="store_true", help="do not ask before many runs are steered or replayed")
    _json(parser)
    _server(parser)


def _run_selection(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--workflow", type=filled, metavar="NAME", help="only runs of this workflow")
    parser.add_argument("--outcome", choices=OUTCOMES, metavar="O", help=f"only those: {', '.join(OUTCOMES)}")
    parser.add_argument("--event", type=filled, metavar="TYPE", help="only those that an event of this type started")
    parser.add_argument("--since", type=seconds, metavar="T", help="only those that began in the last T, such as 1h")
    parser.add_argument("--before", type=seconds, metavar="T", help="only those that began longer ago than T")
    parser.add_argument(
        "--all", action="store_true", help="cancel, pause, resume, retry, replay: all that it can reach"
    )


def control_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `loopy control`."""
    parser.add_argument(
        "action", nargs="?", default="show", metavar="ACTION", help="show (the default), halt, resume, close or open"
    )
    parser.add_argument("--workflow", type=filled, metavar="NAME", help="halt, resume: of this workflow only")
    parser.add_argument("--why", type=filled, metavar="TEXT", help="recorded with it")
    _json(parser)
    _server(parser)


def dead_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `loopy dead`."""
    parser.add_argument(
        "action", nargs="?", default="list", metavar="ACTION", help="list (the default), show, replay or drop"
    )
    parser.add_argument("ids", nargs="*", metavar="ID", help="show, replay, drop: such as EVT-17")
    parser.add_argument("--reason", type=filled, metavar="R", help="only those that were set aside for this reason")
    parser.add_argument("--stream", type=filled, metavar="S", help="only those of this stream, such as EVT")
    parser.add_argument("--all", action="store_true", help="replay, drop: all that are open")
    parser.add_argument("--yes", action="store_true", help="replay, drop: do not ask before many are settled")
    parser.add_argument("--settled", action="store_true", help="list: those that were replayed or dropped, instead")
    parser.add_argument("--raw", action="store_true", help="show: the payload alone, byte for byte")
    _json(parser)
    _server(parser)


def deliveries_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `loopy deliveries`."""
    parser.add_argument("--failed", action="store_true", help="only those that their sensor could not map")
    parser.add_argument("--limit", type=count, default=50, metavar="N", help="the newest N (default: 50)")
    _json(parser)
    _server(parser)


def tap_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `loopy tap`."""
    parser.add_argument(
        "pattern", nargs="?", metavar="PATTERN",
        help="an event type (WorkItem, 'Github.*') or a subject below the namespace ('run.end.>')",
    )  # fmt: skip
    parser.add_argument("--since", type=seconds, metavar="T", help="begin with what passed in the last T, such as 10m")
    parser.add_argument("--count", type=count, metavar="N", help="end after N messages")
    _json(parser)
    _server(parser)


def doctor_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `loopy doctor`."""
    _directory(parser)
    _json(parser)
