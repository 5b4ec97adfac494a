"""Whether a consumer's messages all come to us, told by the numbers that the server gives to deliveries. Pure.

Every delivery of a consumer has the number after the last one's, whoever it went to. Messages are delivered for the
first time in the order of the stream. So, as long as the numbers that come here have no gap, nobody else was given
anything since the first of them, and we know every message of the consumer from there on.
"""

from loopy.bus.incoming import Place

UNKNOWN = 0


class Unbroken:
    """The deliveries of one consumer that came here."""

    def __init__(self) -> None:
        self._since = UNKNOWN
        self._last = 0
        self._era: object = None

    def note(self, place: Place, era: object) -> int:
        """Note the next delivery: the sequence from which on we were given every message; UNKNOWN when nobody can say.

        `era` changes with the connection and with the consumer's leader: who counts anew may give a number twice.
        """
        if place.consumer_sequence != self._last + 1 or era != self._era:
            self._since = UNKNOWN
        self._last, self._era = place.consumer_sequence, era
        if self._since == UNKNOWN and place.deliveries == 1:
            self._since = place.sequence
        return self._since
