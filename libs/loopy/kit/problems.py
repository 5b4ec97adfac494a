"""Errors that a client sees: RFC 9457 problem documents, with nothing in them of how we are made."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from http import HTTPStatus
from typing import Any, TypeAlias

import msgspec

MEDIA_TYPE = "application/problem+json"

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]
ASGIApp: TypeAlias = Callable[[Any, Any, Any], Awaitable[None]]  # libraries type the three ever more narrowly


class Problem(Exception):
    """A request that is answered with an error: the status, and one sentence for whoever sent it."""

    def __init__(self, status: int, detail: str, *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = dict(headers or {})

    @property
    def document(self) -> dict[str, Any]:
        """The document, as JSON-native data."""
        return {"type": "about:blank", "title": _title(self.status), "status": self.status, "detail": self.detail}

    async def send(self, send: Send) -> None:
        """Answer an ASGI request with this problem."""
        body = msgspec.json.encode(self.document)
        given = ((name.lower(), value) for name, value in self.headers.items())
        headers = [("content-type", MEDIA_TYPE), ("content-length", str(len(body))), *given]
        await send({"type": "http.response.start", "status": self.status, "headers": _encoded(headers)})
        await send({"type": "http.response.body", "body": body})


def _title(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"


def _encoded(headers: Iterable[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
