"""The ledger of what attempts spent: one message an attempt, and sums of it that are kept current by following it.

A sum of a day is kept from the start on; that of a cascade is read when it is first asked for, and kept until others
were asked for more lately. `reach` waits until what one has written oneself is in them. A full ledger gives up its
oldest: a cascade that goes on for longer than there is room for counts what is left of it.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime, timedelta

import msgspec

from loopy.bus.client import Bus, BusError
from loopy.bus.messages import Message, Outgoing
from loopy.bus.streams import SPENDING
from loopy.bus.undecodable import Undecodable, decoder
from loopy.runs.records import AttemptFailed, AttemptSucceeded
from loopy.runs.spending import Spent, billionths, day_of

MOST_CASCADES = 10_000
DAYS = 2
STALE_READS = 200
STALE_READ_PAUSE_S = 0.02


class Entry(msgspec.Struct, frozen=True):
    """What an attempt spent, in US dollars."""

    cascade: str
    workflow: str
    run: str
    usd: float
    date: str


class _Sums:
    """What was spent in one cascade, by run. `since` is the sequence up to which it was read; None: not read yet."""

    def __init__(self) -> None:
        self.runs: dict[str, int] = {}
        self.since: int | None = None
        self.early: list[tuple[int, Entry]] = []

    def add(self, sequence: int, entry: Entry) -> None:
        if self.since is None:
            self.early.append((sequence, entry))
        elif sequence > self.since:
            self.runs[entry.run] = self.runs.get(entry.run, 0) + billionths(entry.usd)

    def begin(self, read: list[tuple[int, Entry]]) -> None:
        self.since = 0
        for sequence, entry in sorted(dict([*read, *self.early]).items()):
            self.add(sequence, entry)
        self.since, self.early = max((sequence for sequence, _ in read), default=0), []


def read_entry(bus: Bus, message: Message) -> Entry:
    """The entry of a message. Undecodable."""
    entry = _decode(message.payload)
    if not message.subject.startswith(bus.subjects.spend_of_cascade(entry.cascade).removesuffix(">")):
        raise Undecodable("misplaced", f"an entry of cascade {entry.cascade} does not belong here")
    return entry


def entry_message(bus: Bus, result: AttemptSucceeded | AttemptFailed, cascade: str, at: datetime) -> Outgoing:
    """What an attempt spent, as a message; `at` is when its result was stored, which says on which day."""
    date = day_of(at)
    subject = bus.subjects.spend(cascade, date, result.run, result.step, result.epoch, result.attempt)
    return Outgoing(subject, _encode(Entry(cascade, result.workflow, result.run, result.usage.spend_usd, date)))


class Ledger:
    """What was spent: on the last days, and in the cascades that are asked about.

    Which day it is, the server's clock says: no entry counts toward a day that is yet to come.
    """

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._days: dict[str, int] = {}
        self._today = ""
        self._cascades: OrderedDict[str, _Sums] = OrderedDict()
        self._position = 0
        self._moved = asyncio.Condition()
        self._reading = asyncio.Lock()

    async def load(self) -> None:
        """Learn what was spent today and yesterday, by the server's clock; from then on `follow` keeps it current."""
        self._position = await self._bus.position(SPENDING)
        today = await self._bus.server_time(SPENDING)
        self._today = day_of(today)
        dates = [day_of(today - timedelta(days=days)) for days in range(DAYS)]
        async for message in self._bus.read(SPENDING, [self._bus.subjects.spend_on(date) for date in dates]):
            entry = self._entry(message)
            if entry is not None and message.sequence <= self._position:
                self._add_to_day(entry, day_of(message.time))

    async def follow(self) -> None:
        """Learn what is spent from now on; returns only when cancelled."""
        everything = [self._bus.subjects.under("spend", ">")]
        async for message in self._bus.read(SPENDING, everything, after=self._position, follow=True):
            entry, self._today = self._entry(message), day_of(message.time)
            if entry is not None:
                self._add_to_day(entry, self._today)
                if entry.cascade in self._cascades:
                    self._cascades[entry.cascade].add(message.sequence, entry)
            async with self._moved:
                self._position = message.sequence
                self._moved.notify_all()

    async def reach(self, sequence: int) -> None:
        """Wait until what is stored up to here is in the sums."""
        async with self._moved:
            await self._moved.wait_for(lambda: self._position >= sequence)

    async def spent(self, cascade: str, run: str, at: datetime, own: int) -> Spent:
        """What was spent in a cascade, in a run of it, and on this instant's day (or a later one, if that has begun).

        `own` is the sequence of what is known to be stored of the cascade (0: nothing), so that no read overlooks it,
        unless the ledger was so full since then that it gave it up.
        """
        sums = await self._sums(cascade, own)
        date = max(day_of(at), self._today)
        return Spent(sum(sums.runs.values()), sums.runs.get(run, 0), self._days.get(date, 0), date)

    async def _sums(self, cascade: str, own: int) -> _Sums:
        async with self._reading:
            if cascade not in self._cascades:
                sums = self._cascades[cascade] = _Sums()
                try:
                    sums.begin(await self._read(cascade, own))
                except BaseException:
                    del self._cascades[cascade]
                    raise
            self._cascades.move_to_end(cascade)
            while len(self._cascades) > MOST_CASCADES:
                self._cascades.popitem(last=False)
            return self._cascades[cascade]

    async def _read(self, cascade: str, own: int) -> list[tuple[int, Entry]]:
        for _ in range(STALE_READS):
            found = await self._bus.last_each(SPENDING, [self._bus.subjects.spend_of_cascade(cascade)])
            newest = found[-1].sequence if found else 0
            if newest >= own or await self._bus.oldest(SPENDING) > own:
                return [(message.sequence, entry) for message in found if (entry := self._entry(message)) is not None]
            await asyncio.sleep(STALE_READ_PAUSE_S)
        raise BusError(f"what was spent in cascade {cascade} cannot be read, though it was stored at {own}")

    def _add_to_day(self, entry: Entry, stored_on: str) -> None:
        date = min(entry.date, stored_on)
        self._days[date] = self._days.get(date, 0) + billionths(entry.usd)
        while len(self._days) > DAYS:
            del self._days[min(self._days)]

    def _entry(self, message: Message) -> Entry | None:
        """What a message says was spent; None where it says nothing that can be read."""
        try:
            return read_entry(self._bus, message)
        except Undecodable:
            return None


_encode = msgspec.json.Encoder().encode
_decode: Callable[[bytes], Entry] = decoder(Entry, "bad_entry")
