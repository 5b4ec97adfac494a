"""Values of expected shapes, taken out of a YAML tree. What is wrong becomes one diagnostic at the exact word."""

from collections.abc import Collection

from loopy.diagnostics.diagnostic import Diagnostic, Label
from loopy.diagnostics.span import Span
from loopy.diagnostics.suggest import did_you_mean
from loopy.project.model import Located, Word
from loopy.project.tree import Entry, Items, Lost, Pairs, Text, Tree, described
from loopy.types.duration import seconds_of


class Shapes:
    """Reads one file's values. `shape` and `unknown` are the codes of its wrong values and unknown keys.

    Every method gives None (or nothing) for a value that is wrong, after reporting it; a value that was lost before is
    not reported again. `faults` counts what has been reported.
    """

    def __init__(self, diagnostics: list[Diagnostic], *, shape: str, unknown: str) -> None:
        self._diagnostics = diagnostics
        self._shape = shape
        self._unknown = unknown
        self.faults = 0

    def report(
        self,
        code: str,
        headline: str,
        span: Span,
        label: str = "",
        *,
        hint: str = "",
        also: tuple[Label, ...] = (),
    ) -> None:
        """One diagnostic of this file."""
        self.faults += 1
        self._diagnostics.append(Diagnostic(code, headline, span, label, also, hint))

    def take(self, diagnostics: list[Diagnostic]) -> None:
        """Diagnostics that another reader gave of this file."""
        self.faults += len(diagnostics)
        self._diagnostics += diagnostics

    def wrong(self, entry: Entry, wanted: str, value: Tree | None = None, *, hint: str = "") -> None:
        """`entry` must be something else; `value` is the part of it that is wrong, all of it by default."""
        value = entry.value if value is None else value
        if isinstance(value, Lost):
            return
        if isinstance(value, Text) and value.is_null and not value.text:
            span = entry.key.span if value is entry.value else value.span
            self.report(self._shape, f"`{entry.key.text}` has no value", span, f"expected {wanted}", hint=hint)
        elif isinstance(value, Text) and not value.text.strip():
            self.report(self._shape, f"`{entry.key.text}` is empty", value.span, f"expected {wanted}", hint=hint)
        else:
            found = f"`{entry.key.text}` must be {wanted}, not {described(value)}"
            self.report(self._shape, found, value.span, f"expected {wanted}", hint=hint)

    def pairs(self, entry: Entry, wanted: str = "a map") -> Pairs | None:
        """A map."""
        if isinstance(entry.value, Pairs):
            return entry.value
        self.wrong(entry, wanted)
        return None

    def known(self, pairs: Pairs, keys: Collection[str], where: str) -> dict[str, Entry]:
        """The entries of a map by key; the unknown ones are reported. `where` is what the map belongs to: `a step`."""
        found: dict[str, Entry] = {}
        for entry in pairs.entries:
            if entry.key.text in keys:
                found[entry.key.text] = entry
            else:
                self.unknown(entry.key, keys, where)
        return found

    def unknown(self, key: Text, keys: Collection[str], where: str) -> None:
        """A key that does not exist."""
        name, _, rest = key.text.partition(":")
        if rest and name in keys:
            self.report(self._unknown, f"`{name}:` needs a space after the colon", key.span, "write a space after `:`")
            return
        hint = did_you_mean(key.text, keys) or f"the keys are {', '.join(keys)}"
        self.report(self._unknown, f"{where} has no key `{key.text}`", key.span, "unknown key", hint=hint)

    def table(self, entry: Entry, keys: Collection[str], where: str = "") -> dict[str, Entry]:
        """The entries of a map that is the value of `entry`."""
        pairs = self.pairs(entry, f"a map with {', '.join(keys)}")
        return self.known(pairs, keys, where or f"`{entry.key.text}`") if pairs else {}

    def word(self, entry: Entry, wanted: str = "a name") -> Word | None:
        """Text that is not empty."""
        return self._word(entry, entry.value, wanted)

    def words(self, entry: Entry, wanted: str = "a name or a list of names") -> tuple[Word, ...] | None:
        """One text, or a list of them."""
        if not isinstance(entry.value, Items):
            word = self.word(entry, wanted)
            return None if word is None else (word,)
        found = [self._word(entry, item, "a list of names") for item in entry.value.items]
        return tuple(word for word in found if word is not None)

    def list_of_words(self, entry: Entry) -> tuple[Word, ...] | None:
        """A list of texts."""
        if not isinstance(entry.value, Items):
            self.wrong(entry, "a list", hint=f"write `{entry.key.text}: [{_inline(entry.value)}]`")
            return None
        return self.words(entry)

    def _word(self, entry: Entry, value: Tree, wanted: str) -> Word | None:
        if isinstance(value, Text) and not value.is_null and value.text.strip():
            return Located(value.text, value.span)
        self.wrong(entry, wanted, value)
        return None

    def strings(self, entry: Entry) -> tuple[str, ...]:
        """One text, or a list of them, without their places."""
        return tuple(word.value for word in self.words(entry, "text or a list of texts") or ())

    def choice(self, entry: Entry, choices: Collection[str], code: str | None = None) -> Word | None:
        """One of a few words."""
        word = self.word(entry, f"one of {', '.join(choices)}")
        if word is None or word.value in choices:
            return word
        hint = did_you_mean(word.value, choices) or f"write one of {', '.join(choices)}"
        headline = f"`{entry.key.text}` cannot be `{word.value}`"
        self.report(code or self._shape, headline, word.span, f"expected {', '.join(choices)}", hint=hint)
        return None

    def integer(self, entry: Entry, low: int, high: int | None = None) -> int | None:
        """A whole number from `low` to `high`."""
        wanted = f"a whole number from {low} to {high}" if high is not None else f"a whole number, {low} or more"
        number = entry.value.integer() if isinstance(entry.value, Text) else None
        if number is None:
            self.wrong(entry, wanted)
        elif number < low or (high is not None and number > high):
            self.out_of_range(entry, wanted)
        else:
            return number
        return None

    def amount(self, entry: Entry, *, zero: bool = False) -> Located[float] | None:
        """A number greater than 0, or 0 too."""
        wanted = "a number, 0 or more" if zero else "a number greater than 0"
        number = entry.value.number() if isinstance(entry.value, Text) else None
        if number is None:
            self.wrong(entry, wanted)
        elif number < 0 or (number == 0 and not zero):
            self.out_of_range(entry, wanted)
        else:
            return Located(number, entry.value.span)
        return None

    def out_of_range(self, entry: Entry, wanted: str) -> None:
        """A number that is too small or too large."""
        self.report(self._shape, f"`{entry.key.text}` must be {wanted}", entry.value.span, f"expected {wanted}")

    def usd(self, entry: Entry) -> Located[float] | None:
        """`{ usd: 4 }`."""
        if isinstance(entry.value, Text) and entry.value.number() is not None:
            self.wrong(entry, "a map with usd", hint=f"write `{entry.key.text}: {{ usd: {entry.value.text} }}`")
            return None
        found = self.table(entry, ("usd",))
        if "usd" in found:
            return self.amount(found["usd"])
        if isinstance(entry.value, Pairs) and not entry.value.entries:
            self.report(self._shape, f"`{entry.key.text}` lacks `usd`", entry.place, "expected `usd`")
        return None

    def duration(self, entry: Entry, *, minutes: bool = False) -> Located[float] | None:
        """Seconds of `90s`, `20m`, `2h`; a bare number is minutes where they are allowed."""
        wanted = "minutes, or a duration such as 90s, 20m, 2h" if minutes else "a duration such as 90s, 20m, 2h"
        if not isinstance(entry.value, Text) or entry.value.is_null:
            self.wrong(entry, wanted)
            return None
        number = entry.value.number() if minutes else None
        seconds = seconds_of(entry.value.text.strip()) if number is None else number * 60
        if seconds is None or seconds <= 0:
            headline = f"`{entry.value.text}` is not a duration"
            self.report("LP119", headline, entry.value.span, f"expected {wanted}", hint=_unit_hint(entry.value))
            return None
        return Located(seconds, entry.value.span)


def _inline(value: Tree) -> str:
    return value.text if isinstance(value, Text) else "…"


def _unit_hint(text: Text) -> str:
    number = text.number()
    return f"give it a unit: `{text.text}s` or `{text.text}m`" if number is not None and number > 0 else ""
