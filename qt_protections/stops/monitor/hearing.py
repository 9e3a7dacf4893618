"""Whether what happens on the exchange is heard at once, or has to be asked for."""

from collections.abc import Callable
from enum import StrEnum
from math import inf
from time import monotonic

from qt_protections.stops.monitor.stream_proof import StreamProof

#: Seconds an event may wait to be acted on. A poll each second finds out sooner then.
LATE_S = 2.0
#: Seconds from one review to the next after which nobody is at it: there is one each second.
ATTENDED_S = 5.0


class Stream(StrEnum):
    """How the user data stream does; only UP can be relied on."""

    UP = "up"
    DOWN = "down"
    MUTE = "mute"
    LATE = "late"


class Hearing:
    """What is known of the user data stream.

    Attributes:
        state: How the stream does, as of the last review.
        changed: When that became so, monotonic seconds.
        whole_since: What happened before this moment may not have been heard.
    """

    def __init__(self, proof: StreamProof, clock: Callable[[], float] = monotonic) -> None:
        """Begin with a stream that is down.

        Args:
            proof: Says whether an event is missing.
            clock: Monotonic, seconds.
        """
        self._proof = proof
        self._clock = clock
        self.state = Stream.DOWN
        self._reviewed = -inf
        self.whole_since = self.changed = clock()

    @property
    def state_s(self) -> float:
        """Seconds the stream has been as it is."""
        return max(0.0, self._clock() - self.changed)

    @property
    def is_attended(self) -> bool:
        """Whether somebody reviews the stream, and looks at each pair in between."""
        return self._clock() - self._reviewed < ATTENDED_S

    def is_whole_since(self, moment: float) -> bool:
        """Whether everything since a moment was heard at once; monotonic seconds."""
        return self.state is Stream.UP and self.is_attended and self.whole_since <= moment

    def opened(self) -> None:
        """A connection has opened; what happened before was not heard."""
        self._proof.opened()
        self.missed()
        self._turn(Stream.UP)

    def lost(self) -> None:
        """The connection is lost."""
        self._proof.lost()
        self._turn(Stream.DOWN)

    def ended(self) -> None:
        """Nobody reviews the stream any more."""
        self._reviewed = -inf
        self.lost()

    def missed(self) -> None:
        """An event was heard and could not be taken."""
        self.whole_since = self._clock()

    def review(self, *, is_open: bool, lag_s: float) -> None:
        """Judge anew.

        Args:
            is_open: Whether a connection is open, and its thread moves.
            lag_s: Seconds since the oldest event was heard that has not been acted on.
        """
        self._reviewed = self._clock()
        if not is_open:
            self._turn(Stream.DOWN)
        elif self._proof.is_mute:
            self._turn(Stream.MUTE)
        else:
            self._turn(Stream.LATE if lag_s > LATE_S else Stream.UP)

    def _turn(self, state: Stream) -> None:
        if state is not self.state:
            self.state, self.changed = state, self._clock()
