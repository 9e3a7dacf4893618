"""What somebody else holds of a pair, and the stops that somebody else placed."""

from dataclasses import dataclass, field

from qt_protections.stops.state.stop import Stop
from qt_protections.stops.venue.protocol import Position

#: Sums of lots may differ in their last binary digits.
_SAME = 1e-9


@dataclass(slots=True)
class External:
    """What no trade accounts for.

    Attributes:
        position: The position as listed, this bot's part with it; None while trades account for
            all that is shown.
        since_ms: When that was first seen, epoch milliseconds, early rather than late.
        stops: Live stops of others that could cover one.
    """

    position: Position | None = None
    since_ms: int = 0
    stops: list[Stop] = field(default_factory=list)

    @property
    def cover(self) -> list[Stop]:
        """Somebody else's live stops, if they cover the whole of the position."""
        position = self.position
        if position is None:
            return []
        found = [stop for stop in self.stops if stop.is_short == position.is_short]
        covered = sum(stop.amount for stop in found) >= position.amount * (1 - _SAME)
        return found if covered else []
