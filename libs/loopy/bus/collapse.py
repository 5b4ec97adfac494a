"""When everything fails: the rule by which a consumer stops instead of setting a whole stream aside. Pure.

One message that cannot be processed is that message's fault. When none can be, it is ours: a wrong plan was deployed, a
disk is full. Then messages are better left where they are, and a person told.

What a stranger wrote counts neither way, nonsense or not: nobody who may publish is to stop a service by it.
"""

from collections import Counter
from collections.abc import Mapping

IN_A_ROW = 20
WITHIN_S = 60.0


class Losses:
    """The messages that a consumer set aside since one last succeeded; times are in seconds of any steady clock."""

    def __init__(self) -> None:
        self._lost: dict[int, tuple[float, str]] = {}

    def succeeded(self) -> None:
        """A message was processed: not everything fails."""
        self._lost.clear()

    def lost(self, sequence: int, reason: str, at: float) -> None:
        """A message was set aside; the same one again is no other."""
        self._lost.pop(sequence, None)
        self._lost[sequence] = (at, reason)
        self._lost = {s: (then, why) for s, (then, why) in self._lost.items() if at - then <= WITHIN_S}

    @property
    def are_all(self) -> bool:
        """Whether everything fails."""
        return len(self._lost) >= IN_A_ROW

    @property
    def reasons(self) -> Mapping[str, int]:
        """How many were set aside for each reason, the most frequent first."""
        return dict(Counter(reason for _, reason in self._lost.values()).most_common())


def told(losses: Losses) -> str:
    """What happened, as a person is told: `20 × handler_failed`."""
    return ", ".join(f"{count} × {reason}" for reason, count in losses.reasons.items())
