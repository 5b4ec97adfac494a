"""A model that says what a test has written for it: Anthropic's Messages API, streamed, on a free port of loopback."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

import msgspec
import uvicorn


class Says(msgspec.Struct, frozen=True):
    """One message of the model: texts (str) and calls of tools (name, arguments), and what it counts for."""

    blocks: Sequence[str | tuple[str, Any]]
    stop: str = ""
    input_tokens: int = 1_000
    output_tokens: int = 100


class Refuses(msgspec.Struct, frozen=True):
    """An error instead of a message; with `in_stream`, after the answer has begun."""

    status: int
    kind: str
    retry_after: str = ""
    in_stream: bool = False


class Hangs(msgspec.Struct, frozen=True):
    """No answer at all."""


Turn: TypeAlias = Says | Refuses | Hangs
Script: TypeAlias = Callable[[dict[str, Any]], Turn]


class Model:
    """The server's side: what it was asked, with which headers, and where it is."""

    def __init__(self, turns: Iterable[Turn]) -> None:
        self._turns = iter(turns)
        self.asked: list[dict[str, Any]] = []
        self.keys: list[str] = []
        self.url = ""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """The ASGI application."""
        if scope["type"] != "http":
            return
        body = b""
        while True:
            part = await receive()
            body += part.get("body", b"")
            if not part.get("more_body"):
                break
        assert scope["path"] == "/v1/messages"
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        self.keys.append(headers.get("x-api-key") or headers["authorization"].removeprefix("Bearer "))
        self.asked.append(json.loads(body))
        match next(self._turns):
            case Says() as says:
                await _stream(send, _events(self.asked[-1]["model"], says))
            case Refuses(in_stream=True) as refusal:
                await _stream(send, [("error", _error(refusal))])
            case Refuses() as refusal:
                await _answer(send, refusal)
            case Hangs():
                await asyncio.Event().wait()


@asynccontextmanager
async def model(*turns: Turn) -> AsyncIterator[Model]:
    """A model that takes these turns, one a request."""
    served = Model(turns)
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    served.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    config = uvicorn.Config(served, log_level="critical", lifespan="off", timeout_graceful_shutdown=0)
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        yield served
    finally:
        server.should_exit = True
        await serving
        listening.close()


def _error(refusal: Refuses) -> dict[str, Any]:
    return {"type": "error", "error": {"type": refusal.kind, "message": f"the model says {refusal.kind}"}}


async def _answer(send: Any, refusal: Refuses) -> None:
    headers = [(b"content-type", b"application/json")]
    if refusal.retry_after:
        headers.append((b"retry-after", refusal.retry_after.encode()))
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(_error(refusal)).encode()})


async def _stream(send: Any, events: Iterable[tuple[str, dict[str, Any]]]) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
    for name, event in events:
        data = f"event: {name}\ndata: {json.dumps(event)}\n\n".encode()
        await send({"type": "http.response.body", "body": data, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


def _events(model_name: str, says: Says) -> Iterable[tuple[str, dict[str, Any]]]:
    calls = any(not isinstance(block, str) for block in says.blocks)
    stop = says.stop or ("tool_use" if calls else "end_turn")
    usage = {"input_tokens": says.input_tokens, "output_tokens": 1}
    message: dict[str, Any] = {"id": "msg_1", "type": "message", "role": "assistant", "model": model_name}
    message |= {"content": [], "stop_reason": None, "stop_sequence": None, "usage": usage}
    yield "message_start", {"type": "message_start", "message": message}
    for index, block in enumerate(says.blocks):
        if isinstance(block, str):
            start: dict[str, Any] = {"type": "text", "text": ""}
            delta = {"type": "text_delta", "text": block}
        else:
            name, arguments = block
            start = {"type": "tool_use", "id": f"call_{index}", "name": name, "input": {}}
            delta = {"type": "input_json_delta", "partial_json": json.dumps(arguments)}
        yield "content_block_start", {"type": "content_block_start", "index": index, "content_block": start}
        yield "content_block_delta", {"type": "content_block_delta", "index": index, "delta": delta}
        yield "content_block_stop", {"type": "content_block_stop", "index": index}
    ended = {"stop_reason": stop, "stop_sequence": None}
    yield "message_delta", {"type": "message_delta", "delta": ended, "usage": {"output_tokens": says.output_tokens}}
    yield "message_stop", {"type": "message_stop"}
