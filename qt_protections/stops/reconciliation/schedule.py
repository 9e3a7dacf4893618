"""When the bot's loop asks the exchange for each of its lists again."""

from math import inf
from time import monotonic

from qt_protections.stops.manager import StopManager
from qt_protections.stops.monitor.hearing import Hearing
from qt_protections.stops.monitor.watch import StopWatch
from qt_protections.stops.reconciliation.positions import PositionReconciliation
from qt_protections.stops.venue.protocol import Rank

#: Seconds from one list of the account's positions to the next: while all is heard and agrees,
#: while something does not agree yet or has just filled, and while events are not heard.
POSITIONS_S, UNSETTLED_S, UNHEARD_S = 30.0, 2.0, 5.0
#: Seconds for which such a list may lack what nobody heard, after a start or a gap of the stream:
#: lists have lagged 25.
_LISTS_LAG_S = 25.0
#: Seconds from one list of all live stops of the account to the next; each pair that is held is
#: looked at by itself in between. After a start the pause begins short and grows: the first list
#: may have lacked a stop of an earlier run, which would hit the next position of its pair.
STOPS_S, FIRST_STOPS_S, _GROWTH = 300.0, 15.0, 3
#: Seconds without a price of a pair with a stop after which all best prices are asked for, and for
#: which the last prices are good enough for an entry.
PRICES_S, SPREADS_S = 30.0, 5.0


class Schedule:
    """Knows when each list was asked for last, and how old it may be by what is heard.

    No list is due while what the exchange allows leaves no room for comparing.
    """

    def __init__(
        self, manager: StopManager, positions: PositionReconciliation, hearing: Hearing
    ) -> None:
        """Take who knows what is not settled, and whether events are heard."""
        self._manager = manager
        self._positions = positions
        self._hearing = hearing
        self._positions_asked = self._prices_asked = -inf
        self._stops_s = FIRST_STOPS_S

    def are_positions_due(self, watch: StopWatch) -> bool:
        """Whether to ask for the account's positions."""
        return self._is_due(self._positions_asked, self._positions_s(watch))

    def positions_were_asked(self, moment: float) -> None:
        """Note when the positions were asked for that the exchange has just told, monotonic."""
        self._positions_asked = moment

    def _positions_s(self, watch: StopWatch) -> float:
        """Return how old the list of positions may be, seconds."""
        is_settling = watch.filled > self._positions_asked or self._positions.are_unsettled
        if is_settling or any(held.inherited or held.trade_deleted for held in self._manager.book):
            return UNSETTLED_S
        is_heard = self._hearing.is_whole_since(self._positions_asked - _LISTS_LAG_S)
        return POSITIONS_S if is_heard else UNHEARD_S

    def are_stops_due(self, watch: StopWatch) -> bool:
        """Whether to ask for all live stops; more often if whoever looks at each pair hangs."""
        often_s = min(STOPS_S, self._stops_s)
        return self._is_due(watch.looked, often_s if self._hearing.is_attended else UNHEARD_S)

    def stops_are_asked(self) -> None:
        """Note that all live stops are asked for now; the pause until the next time grows."""
        self._stops_s = _GROWTH * min(STOPS_S, self._stops_s)

    def are_prices_due(self) -> bool:
        """Whether a pair with a stop has had no price for long."""
        stopped = [held for held in self._manager.book if held.active_stop is not None]
        is_unpriced = any(monotonic() - held.trouble.priced >= PRICES_S for held in stopped)
        return is_unpriced and self._is_due(self._prices_asked, PRICES_S)

    def are_spreads_old(self) -> bool:
        """Whether the last prices are too old for an entry."""
        return monotonic() - self._prices_asked >= SPREADS_S

    def prices_are_asked(self) -> None:
        """Note that the best prices are asked for now."""
        self._prices_asked = monotonic()

    def _is_due(self, last: float, every_s: float) -> bool:
        """Whether to ask for a list again, if what the exchange allows leaves room for that."""
        due = monotonic() - last >= every_s
        return due and self._manager.venue.has_room(Rank.COMPARE)


def is_long_since(moment: float) -> bool:
    """Whether it is long since the loop went through all pairs; monotonic seconds."""
    return monotonic() - moment >= POSITIONS_S
