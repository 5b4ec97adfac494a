"""A value that is used, compared and never shown."""

import hmac
from collections.abc import Iterator


class Secret:
    """A secret text. Its repr and str hide it, so that it reaches no log and no error by accident."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The secret itself, for the one place that needs it."""
        return self._value

    def matches(self, candidate: str | bytes) -> bool:
        """Whether `candidate` is this secret; the time taken does not tell how much of it is right."""
        given = candidate if isinstance(candidate, bytes) else candidate.encode()
        return hmac.compare_digest(self._value.encode(), given)

    def __repr__(self) -> str:
        return "Secret(…)"

    def __str__(self) -> str:
        return "…"

    def __rich_repr__(self) -> Iterator[str]:
        yield "…"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self.matches(other._value)

    def __hash__(self) -> int:
        return hash((Secret, self._value))
