"""What the authors of sensors and tools write with: two decorators, and what their functions are given.

The compiler reads the decorators from the syntax tree and never runs them; at run time they give the function back as
it is, so that a sensor or tool stays an ordinary function that a test can call.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, TypeVar, overload

import msgspec

Function = TypeVar("Function", bound=Callable[..., Any])


def sensor(
    *,
    emits: str | list[str] | tuple[str, ...],
    webhook: str | None = None,
    poll: str | None = None,
    verify: str | None = None,
    timeout: str | None = None,
) -> Callable[[Function], Function]:
    """A function that turns what happens outside into events.

    Exactly one of `webhook` (a path, such as "/hooks/sentry": the function is given a `Request`) and `poll` (an
    interval, such as "5m": it is given a `Tick`). It returns, yields or lists zero, one or many events of the types in
    `emits`; None is no event. It may be `async`. `verify` names who signs the webhook, `timeout` bounds one call.
    """
    if (webhook is None) == (poll is None):
        raise TypeError("a sensor needs exactly one of webhook= and poll=")
    return _as_it_is


@overload
def tool(function: Function) -> Function: ...
@overload
def tool() -> Callable[[Function], Function]: ...
def tool(function: Function | None = None) -> Any:
    """A function that an agent may call, outside of its sandbox: `@tool`. Its docstring is what the agent reads.

    Its first argument is a `ToolContext`; the others are the agent's, by the types that are annotated.
    """
    return _as_it_is if function is None else function


def _as_it_is(function: Function) -> Function:
    return function


class Headers(Mapping[str, str]):
    """HTTP headers; their names are asked for in any case."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._headers = {name.lower(): value for name, value in headers.items()}

    def __getitem__(self, name: str) -> str:
        """The value of a header; KeyError when it was not sent."""
        return self._headers[name.lower()]

    def __contains__(self, name: object) -> bool:
        """Whether the header was sent."""
        return isinstance(name, str) and name.lower() in self._headers

    def __iter__(self) -> Iterator[str]:
        """The names, in lower case."""
        return iter(self._headers)

    def __len__(self) -> int:
        """How many there are."""
        return len(self._headers)

    def __repr__(self) -> str:
        """The names alone: values may be secrets."""
        return f"Headers({', '.join(self._headers)})"


class Request:
    """One delivery to a webhook, as it was stored: the body's bytes, headers, query and path."""

    def __init__(
        self,
        body: bytes = b"",
        *,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        path: str = "/",
    ) -> None:
        self.body = body
        self.headers = Headers(headers or {})
        self.query = dict(query or {})
        self.path = path

    @property
    def json(self) -> Any:
        """The body, read as JSON; ValueError when it is not JSON."""
        try:
            return msgspec.json.decode(self.body)
        except msgspec.DecodeError as error:
            raise ValueError(f"the body of the request to {self.path} is not JSON: {error}") from None

    def __repr__(self) -> str:
        """Where it went and how long it is; never what is in it."""
        return f"Request(path={self.path!r}, {len(self.body)} bytes)"


class Tick(msgspec.Struct, frozen=True):
    """One due poll. `last_run` is the previous one whose events are on the bus, None for the first."""

    scheduled_at: datetime
    last_run: datetime | None = None


class ToolContext(msgspec.Struct, frozen=True):
    """Who calls a tool. `idempotency_key` is the same for every retry of the same call: give it to what you call."""

    run: str
    step: str
    attempt: int
    idempotency_key: str
