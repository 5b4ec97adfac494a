"""`@sensor(…)` functions under `sensors/`."""

import ast
import re
from typing import Any

from loopy.diagnostics.suggest import did_you_mean
from loopy.project.model import Located, SensorDecl, Word
from loopy.project.python import Decorated, PythonFile
from loopy.project.signature import takes_one
from loopy.types.duration import seconds_of

_ARGUMENTS = ("webhook", "poll", "emits", "verify", "timeout")
_LATER = ("debounce", "batch", "rate")
VERIFIERS = ("sentry", "github", "linear", "slack", "pagerduty", "datadog", "standard-webhooks")
_PATH = re.compile(r"(?:/[A-Za-z0-9._~-]+)+")
_MIN_POLL_S = 1.0


def read_sensors(file: PythonFile) -> list[SensorDecl]:
    """The sensors of a file under `sensors/`."""
    sensors = []
    for found in file.decorated:
        if found.kind == "sensor":
            sensors.append(_Arguments(file, found).sensor())
        else:
            hint = "move it to a file under `tools/`"
            file.report(
                "LP710", "a `@tool` under `sensors/` is not found", file.span(found.decorator), "here", hint=hint
            )
    return [sensor for sensor in sensors if sensor is not None]


class _Arguments:
    """The arguments of one `@sensor(…)`."""

    def __init__(self, file: PythonFile, found: Decorated) -> None:
        self.file = file
        self.found = found
        self.name = file.name(found.function)
        self.given = self._given(found.call)

    def sensor(self) -> SensorDecl | None:
        """The sensor, or None when it cannot be said what starts it."""
        before = len(self.file.diagnostics)
        webhook, poll = self._webhook(), self._poll()
        if not {"webhook", "poll"} & self.given.keys() and len(self.file.diagnostics) == before and self._complete:
            self._sourceless()
        emits, verify, timeout = self._emits(), self._verify(), self._timeout()
        self._signature()
        if (webhook is None) == (poll is None):
            return None
        return SensorDecl(self.name, self.file.path, emits, webhook, poll, verify, timeout)

    def _signature(self) -> None:
        """A sensor is called with one thing: what came in, or the tick of its poll."""
        given = "tick: Tick" if "poll" in self.given else "request: Request"
        if not takes_one(self.found.function.args):
            headline = f"the sensor `{self.name.value}` cannot be called: it must take one argument"
            hint = f"write `def {self.name.value}({given})`"
            self.file.report("LP714", headline, self.name.span, f"is given a `{given.split()[1]}`", hint=hint)

    def _given(self, call: ast.Call | None) -> dict[str, ast.keyword]:
        """The known arguments by name; the others are reported."""
        given: dict[str, ast.keyword] = {}
        self._complete = True
        for argument in call.args if call else ():
            self._complete = False
            hint = 'write `webhook="/hooks/…"` or `poll="5m"`'
            self.file.report(
                "LP706", "arguments of `@sensor` are named", self.file.span(argument), "no name", hint=hint
            )
        for keyword in call.keywords if call else ():
            if keyword.arg in _ARGUMENTS:
                given[keyword.arg] = keyword
            else:
                self._complete = False
                self._refuse(keyword)
        return given

    def _refuse(self, keyword: ast.keyword) -> None:
        span = self.file.span(keyword)
        if keyword.arg is None:
            hint = "the compiler reads `@sensor` without running it: write the arguments out"
            self.file.report("LP702", "`**` in `@sensor` cannot be read", span, "not a literal", hint=hint)
        elif keyword.arg in _LATER:
            headline = f"`{keyword.arg}=` is not in this version of Loopy"
            self.file.report("LP707", headline, span, "has no effect", hint="remove it")
        else:
            hint = did_you_mean(keyword.arg, _ARGUMENTS) or f"the arguments are {', '.join(_ARGUMENTS)}"
            self.file.report("LP706", f"`@sensor` has no argument `{keyword.arg}`", span, "unknown", hint=hint)

    def _sourceless(self) -> None:
        hint = 'write `webhook="/hooks/…"` or `poll="5m"`'
        span = self.file.span(self.found.decorator)
        headline = f"nothing starts the sensor `{self.name.value}`"
        self.file.report("LP703", headline, span, "neither `webhook=` nor `poll=`", hint=hint)

    def _webhook(self) -> Word | None:
        word = self._text("webhook", '"/hooks/sentry"')
        if word is None:
            return None
        if "poll" in self.given:
            span = self.file.span(self.given["poll"])
            hint = "make two sensors of it"
            self.file.report("LP703", "a sensor has `webhook=` or `poll=`, not both", span, "the second", hint=hint)
        elif not _PATH.fullmatch(word.value) or {".", ".."} & set(word.value.split("/")):
            hint = f'did you mean `"/{word.value}"`?' if _PATH.fullmatch("/" + word.value) else ""
            label = 'expected a path such as "/hooks/sentry"'
            self.file.report("LP704", f"`{word.value}` is not a webhook's path", word.span, label, hint=hint)
        return word

    def _poll(self) -> Located[float] | None:
        if "webhook" in self.given or (word := self._text("poll", '"5m"')) is None:
            return None
        seconds = seconds_of(word.value)
        if seconds is None or seconds < _MIN_POLL_S:
            label = 'expected a duration such as "90s", "5m", "2h"'
            hint = "a poll is due once a second at most" if seconds else ""
            self.file.report("LP705", f"`{word.value}` is not an interval", word.span, label, hint=hint)
            seconds = None
        return None if seconds is None else Located(seconds, word.span)

    def _timeout(self) -> float | None:
        word = self._text("timeout", '"30s"')
        seconds = seconds_of(word.value) if word else None
        if word and not seconds:
            label = 'expected a duration such as "30s"'
            self.file.report("LP119", f"`{word.value}` is not a duration", word.span, label)
        return seconds or None

    def _verify(self) -> str | None:
        word = self._text("verify", '"sentry"')
        if word is None:
            return None
        if "webhook" not in self.given and "poll" in self.given:
            span = self.file.span(self.given["verify"])
            self.file.report("LP708", "a poll has nothing to verify", span, "only with `webhook=`", hint="remove it")
            return None
        if word.value in VERIFIERS:
            return word.value
        hint = did_you_mean(word.value, VERIFIERS) or f"known are {', '.join(VERIFIERS)}"
        self.file.report("LP708", f"no way to verify is called `{word.value}`", word.span, "unknown", hint=hint)
        return None

    def _emits(self) -> tuple[Word, ...]:
        if (keyword := self.given.get("emits")) is None:
            if self._complete and self.found.call is not None:
                span = self.file.span(self.found.decorator)
                hint = 'write `emits="Incident"`, or a list of events'
                headline = f"the sensor `{self.name.value}` does not say what it emits"
                self.file.report("LP709", headline, span, "no `emits=`", hint=hint)
            return ()
        value = keyword.value
        if not isinstance(value, ast.List | ast.Tuple):
            word = self._text("emits", '"Incident"')
            return (word,) if word else ()
        if not value.elts:
            self.file.report("LP709", "`emits=` names no event", self.file.span(value), "empty")
        words = [self._literal(item, "emits", '"Incident"') for item in value.elts]
        return tuple(word for word in words if word is not None)

    def _text(self, argument: str, example: str) -> Word | None:
        keyword = self.given.get(argument)
        return self._literal(keyword.value, argument, example) if keyword else None

    def _literal(self, value: ast.expr, argument: str, example: str) -> Word | None:
        """A string literal that is not empty."""
        span = self.file.span(value)
        if isinstance(value, ast.Constant) and isinstance(value.value, str) and value.value:
            return Located(value.value, span)
        constant: Any = value.value if isinstance(value, ast.Constant) else None
        found = "a literal" if not isinstance(value, ast.Constant) else "text in quotes"
        hint = f"the compiler reads it without running the file: write `{argument}={example}`"
        if isinstance(constant, int | float) and not isinstance(constant, bool) and argument in ("poll", "timeout"):
            hint = f'did you mean `{argument}="{constant}s"`?'
        self.file.report("LP702", f"`{argument}=` must be {found}", span, f"expected {example}", hint=hint)
        return None
