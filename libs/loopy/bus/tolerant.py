"""nats-py's client, made to endure what a stranger may send, and its errors in plain words."""

import ssl
from urllib.parse import urlsplit

from nats.aio.client import Client
from nats.aio.msg import Msg

FLUSH_TIMEOUT_S = 2
REFUSED = "it refuses the credentials"


class TolerantClient(Client):
    """A client whose reader does not end at a subject or at headers that are not UTF-8, and whose flush flushes."""

    async def flush(self, timeout: int = FLUSH_TIMEOUT_S) -> None:  # noqa: ASYNC109  the signature is nats-py's
        """Return when the server has had all that was sent: nats-py's own ping overtakes what waits to be written."""
        await self._flush_pending(force_flush=True)
        await super().flush(timeout)

    @property
    def has_jetstream(self) -> bool:
        """Whether the server says of itself that it has JetStream, though it may not be ready."""
        return bool(self._server_info.get("jetstream"))

    def _build_message(
        self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: dict[str, str] | None
    ) -> Msg:
        return self.msg_class(
            subject=subject.decode(errors="replace"),
            reply=reply.decode(errors="replace"),
            data=data,
            headers=headers,
            _client=self,
            _sid=sid,
        )

    async def _process_headers(self, headers: bytes | None) -> dict[str, str] | None:
        try:
            return await super()._process_headers(headers)
        except (UnicodeDecodeError, IndexError):
            return None


def in_words(error: Exception | None) -> str:
    """What happened, in a few words."""
    match error:
        case None:
            return "closed by the server"
        case ConnectionRefusedError():
            return "connection refused: is the server running?"
        case ssl.SSLError():
            return f"TLS failed: {error.reason or error}"
        case OSError():
            return error.strerror or str(error)
    text = str(error).removeprefix("nats: ").strip().strip("'")
    if "authorization violation" in text.lower():
        return REFUSED
    return text or type(error).__name__


def server_addresses(url: str) -> list[str]:
    """The addresses in a list separated by commas. ValueError when one of them is none."""
    addresses = [part.strip() for part in url.split(",") if part.strip()]
    for address in addresses:
        parts = urlsplit(address)
        if parts.scheme not in ("nats", "tls") or not parts.hostname or parts.port == 0:
            raise ValueError(f"not a NATS server's address: {without_credentials(address)}")
    if not addresses:
        raise ValueError("no address")
    return addresses


def without_credentials(url: str) -> str:
    """The address of a server, or a list of them, as it may be shown: no user, password or token in it."""
    return ",".join(_without_credentials(part.strip()) for part in url.split(","))


def _without_credentials(address: str) -> str:
    scheme, separator, rest = address.rpartition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2]}"
