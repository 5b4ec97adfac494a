"""`loopy dead`: the messages that were set aside; each can be looked at, replayed or dropped."""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from loopy.cli.dead_messages import print_letter, row
from loopy.cli.exits import FAILED, OK, CommandError
from loopy.cli.parser import did_you_mean
from loopy.cli.person import is_confirmed, me
from loopy.cli.reach import Address, connected, find_bus
from loopy.cli.screen import BROKEN, DONE, Piece, counted, line, print_json, stderr_screen, stdout_screen, table

if TYPE_CHECKING:
    from loopy.bus.client import Bus
    from loopy.bus.deadletters import SetAside

ACTIONS = ("list", "show", "replay", "drop")
LIST_HINT = "`loopy dead` lists them"


def run(args: argparse.Namespace) -> int:
    """Do what `args.action` says."""
    _check(args)
    address = find_bus(args)
    match args.action:
        case "list":
            return asyncio.run(_list(args, address))
        case "show":
            return asyncio.run(_show(args, address))
        case _:
            return asyncio.run(_settle(args, address))


def _check(args: argparse.Namespace) -> None:
    """CommandError when the words and options do not go together."""
    filtered = bool(args.reason or args.stream or args.all)
    if args.action not in ACTIONS:
        hint = did_you_mean(args.action, ACTIONS, f"`loopy dead show {args.action}` shows a message")
        raise CommandError(f"loopy dead: unknown action `{args.action}`", hint)
    if args.action == "list" and args.ids:
        raise CommandError(
            f"loopy dead list: unexpected argument `{args.ids[0]}`", f"`loopy dead show {args.ids[0]}` shows a message"
        )
    if args.action == "show" and len(args.ids) != 1:
        raise CommandError("loopy dead show: which message? Give one id", LIST_HINT)
    if args.action in ("replay", "drop") and bool(args.ids) == filtered:
        raise CommandError(
            f"loopy dead {args.action}: which messages?",
            "give their ids, or choose by --reason and --stream, or all that are open with --all",
        )
    if args.stream is not None and not (args.stream.isascii() and args.stream.isalpha()):
        raise CommandError(f"--stream: `{args.stream}` is no stream's name", "name one as ids do, such as EVT")
    if args.raw and args.action != "show":
        raise CommandError("--raw is for `loopy dead show`")


async def _list(args: argparse.Namespace, address: Address) -> int:
    from loopy.bus.deadletters import described

    async with connected(address, "dead") as bus:
        found = await _selected(bus, args, settled=args.settled)
    if args.json:
        print_json([described(each) for each in found])
    elif not found:
        stderr_screen().line("nothing of the kind was settled" if args.settled else "no message is set aside")
    else:
        stdout_screen().lines(table([row(each) for each in found]))
    return OK


async def _show(args: argparse.Namespace, address: Address) -> int:
    from loopy.bus.deadletters import Unsettled, described, with_original

    async with connected(address, "dead") as bus:
        [found] = await _named(bus, args.ids)
        try:
            letter = await with_original(bus, found.letter)
        except Unsettled as gone:
            if args.raw:
                raise CommandError(str(gone), code=FAILED) from None
            letter = found.letter
    if args.raw:
        sys.stdout.buffer.write(letter.payload)
    elif args.json:
        print_json(described(found, letter))
    else:
        print_letter(stdout_screen(), found, letter)
    return OK


async def _settle(args: argparse.Namespace, address: Address) -> int:
    async with connected(address, "dead") as bus:
        found = await (_named(bus, args.ids) if args.ids else _selected(bus, args, settled=False))
        if not found:
            stderr_screen().line("no message of the kind is set aside")
        elif not args.ids and not is_confirmed(args, f"{args.action} {counted(len(found), 'message')}"):
            raise CommandError("nothing was done", code=FAILED)
        results = [await _given(bus, args.action, each) for each in found]
    if args.json:
        print_json([record for record, _ in results])
    return OK if all(well for _, well in results) else FAILED


async def _given(bus: "Bus", action: str, found: "SetAside") -> tuple[dict[str, object], bool]:
    """Settle one message and tell of it; the record of it, and whether it went well."""
    from loopy.bus.deadletters import Unsettled, drop_dead, find_dead, replay_dead

    whole = await find_dead(bus, found.letter.stream, found.letter.sequence) or found
    settle = replay_dead if action == "replay" else drop_dead
    screen = stderr_screen()
    try:
        settled = await settle(bus, whole, me(), datetime.now(UTC))
    except Unsettled as why:
        screen.line(line(Piece(f"{BROKEN} ", "bad"), str(why)))
        return {"id": found.id, "error": str(why)}, False
    before = " before" if whole.settled is not None else ""
    screen.line(line(Piece(f"{DONE} ", "ok"), f"{found.id} {settled.fate}{before}"))
    return {"id": found.id, "settled": settled}, True


async def _selected(bus: "Bus", args: argparse.Namespace, *, settled: bool) -> "list[SetAside]":
    """The messages that the options select, settled ones or open ones."""
    from loopy.bus.deadletters import list_dead

    stream = args.stream.upper() if args.stream else None
    found = await list_dead(bus, reason=args.reason, stream=stream)
    return [each for each in found if (each.settled is not None) == settled]


async def _named(bus: "Bus", given: Sequence[str]) -> "list[SetAside]":
    """The messages of these ids, whole, each once. CommandError for an id that nothing or more than one thing has."""
    found = [await _one(bus, each) for each in given]
    return list({each.id: each for each in found}.values())


async def _one(bus: "Bus", given: str) -> "SetAside":
    """The message of one id: `EVT-17`, in any case, or its number alone where that is enough."""
    from loopy.bus.deadletters import find_dead, list_dead, place_of_id

    if given.isascii() and given.isdecimal():
        ids = [each.id for each in await list_dead(bus) if each.id.endswith(f"-{given}")]
    else:
        ids = [given]
    if len(ids) > 1:
        raise CommandError(f"{given} is {' and '.join(ids)}", "say which")
    place = place_of_id(ids[0]) if ids else None
    if ids and place is None:
        raise CommandError(f"`{given}` is no id of a message that was set aside", f"an id is like EVT-17; {LIST_HINT}")
    found = await find_dead(bus, *place) if place is not None else None
    if found is None:
        raise CommandError(f"no message {given} is set aside", LIST_HINT, code=FAILED)
    return found
