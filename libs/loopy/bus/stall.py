"""When a connection that seems well is none: pings are answered, requests are not.

A server that is cut off from its cluster answers pings, and knows of no leader for any stream. Nothing but another
server helps, so a connection is given up when nothing was answered for a while.
"""

STALLED_S = 5.0
LEAST_FAILURES = 3
MEMORY_S = 10.0  # failures that lie further apart have nothing to do with each other


class Stall:
    """Counts what was not answered since the last answer. Times are the event loop's, in seconds."""

    def __init__(self) -> None:
        self._failures = 0
        self._since = 0.0
        self._latest = 0.0

    def answered(self) -> None:
        """An answer came: all is well."""
        self._failures = 0

    def unanswered(self, since: float, now: float) -> bool:
        """Whether the connection is to be given up, now that what was asked at `since` has had no answer.

        After a yes the count begins anew.
        """
        if not self._failures or now - self._latest > MEMORY_S:
            self._failures, self._since = 0, since
        self._failures += 1
        self._latest = now
        stalled = self._failures >= LEAST_FAILURES and now - self._since >= STALLED_S
        if stalled:
            self._failures = 0
        return stalled
