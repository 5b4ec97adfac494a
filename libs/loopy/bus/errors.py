"""What can go wrong between a service and the bus. No text here ever holds credentials."""


class BusError(Exception):
    """What could not be done on the bus, and why."""


class MessageTooLarge(BusError):
    """A message beyond what the server takes, or what `whose` says; it was not sent."""

    def __init__(self, subject: str, what: str, size: int, limit: int, whose: str = "the server takes") -> None:
        super().__init__(f"the message for {subject} has {size:,} bytes of {what}, {whose} at most {limit:,}")
        self.size = size
        self.limit = limit


class ApiRefused(BusError):
    """JetStream's answer to a request was an error; `code` is the server's number for it, such as 10058."""

    def __init__(self, what: str, status: int, code: int, description: str) -> None:
        super().__init__(f"{what}: {description} (JetStream error {code})")
        self.status = status
        self.code = code
        self.description = description


class EverythingFails(BusError):
    """None of a consumer's messages can be processed; what is wrong is not with them."""


class Unreachable(BusError):
    """No server of ours is there yet, or none that is ready: worth waiting for."""


class Unavailable(BusError):
    """Nothing answered, or the server says that it cannot now: worth another try."""


class StreamFull(Unavailable):
    """A stream has no room for a message, by its own limit or the server's: worth another try once it has drained."""

    def __init__(self, stream: str, why: str) -> None:
        super().__init__(f"the stream {stream} is full: {why}")
        self.stream = stream
