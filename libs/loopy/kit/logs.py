"""Log lines: JSON for machines, coloured words for people, and no secret in either.

Event names are constant (`attempt.started`); what varies is a field. Bind `service run step attempt event_id` with
`structlog.contextvars`. Lines of libraries (and whoever uses `logging`) pass the same processors.
"""

import logging
import os
import re
import sys
from collections.abc import Iterable, Mapping, MutableMapping
from typing import TYPE_CHECKING, Any, TextIO

import msgspec

from loopy.kit.settings import Settings

if TYPE_CHECKING:
    from structlog.typing import Processor

HIDDEN = "[secret]"
SHORTEST_SECRET = 6  # a shorter value of the environment is no secret, and hiding it would hide ordinary words
_SECRET_NAME = re.compile(r"(SECRET|TOKEN|PASSWORD|API_?KEY)$")


def configure_logs(
    settings: Settings,
    *,
    environment: Mapping[str, str] = os.environ,
    stream: TextIO | None = None,
    for_good: bool = False,
) -> None:
    """Send this process's log lines to `stream` (stderr by default) as the settings say.

    `for_good` when the process never does so again: each logger then remembers it, instead of asking at each line.
    The settings' secrets never show, nor what the environment holds under a name that ends like one of a secret.
    """
    import structlog

    stream = stream or sys.stderr
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    human = settings.log_format == "human" or (settings.log_format == "auto" and stream.isatty())
    shared = _shared(settings, Redaction([*settings.secrets, *secrets_of(environment)]))
    renderer: Processor = (
        structlog.dev.ConsoleRenderer(colors=stream.isatty(), exception_formatter=structlog.dev.plain_traceback)
        if human
        else structlog.processors.JSONRenderer(_json)
    )
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(stream),
        cache_logger_on_first_use=for_good,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.ExtraAdder(), *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    logging.basicConfig(handlers=[handler], level=max(level, logging.INFO), force=True)


def _json(line: Mapping[str, Any], **_: Any) -> str:
    """A line as JSON; `Redaction` has left nothing in it but plain data. The signature is structlog's."""
    return msgspec.json.encode(line).decode()


def secrets_of(environment: Mapping[str, str]) -> set[str]:
    """The values of `SENTRY_WEBHOOK_SECRET`, `LINEAR_TOKEN` and their like; of several with commas, each."""
    found: set[str] = set()
    for name, value in environment.items():
        if _SECRET_NAME.search(name):
            found.update(part.strip() for part in value.split(",") if len(part.strip()) >= SHORTEST_SECRET)
    return found


class Redaction:
    """A processor that replaces known secrets wherever they stand in a line's values."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._secrets = sorted({secret for secret in secrets if secret}, key=len, reverse=True)

    def __call__(self, logger: Any, method: str, line: MutableMapping[str, Any]) -> Mapping[str, Any]:
        """The line without secrets; the signature is structlog's."""
        return {key: self.clean(value) for key, value in line.items()}

    def clean(self, value: Any) -> Any:
        """`value` without secrets; what is not plain data becomes its repr first."""
        match value:
            case None | bool() | int() | float():
                return value
            case str():
                return self._hide(value)
            case Mapping():
                return {str(key): self.clean(inner) for key, inner in value.items()}
            case list() | tuple() | set() | frozenset():
                return [self.clean(inner) for inner in value]
            case _:
                return self._hide(repr(value))

    def _hide(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, HIDDEN)
        return text


def _shared(settings: Settings, redaction: Redaction) -> "list[Processor]":
    """What every line passes before it is rendered. A traceback shows at level debug only."""
    import structlog

    exceptions: Processor = structlog.processors.format_exc_info
    return [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        exceptions if settings.log_level == "debug" else _without_traceback,
        redaction,
    ]


def _without_traceback(logger: Any, method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """An exception as one line, `error=`; the signature is structlog's."""
    given = line.pop("exc_info", None)
    error = given if isinstance(given, BaseException) else given[1] if isinstance(given, tuple) else sys.exception()
    if given and error is not None:
        line["error"] = f"{type(error).__name__}: {error}"
    return line
