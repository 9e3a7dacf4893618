"""Native trailing stops: each open position has its own, beside its stop."""

from freqtrade.persistence import Trade

from qt_protections.rules.amounts import subtract_exact
from qt_protections.rules.trailing import TrailingRule
from qt_protections.stops.manager import StopManager
from qt_protections.stops.mover import StopMover
from qt_protections.stops.state.pair import PairState
from qt_protections.stops.state.records import STOP_RECORD
from qt_protections.stops.state.stop import Stop

#: Sizes closer than this ratio are one and the same.
_SAME = 1e-6


class TrailingStops:
    """Places trailing stops for what is not trailed yet, and takes up those on record."""

    def __init__(
        self,
        manager: StopManager,
        mover: StopMover,
        rule: TrailingRule | None,
        failed: set[str],
    ) -> None:
        """Take who places them.

        Args:
            manager: Its venue tells of the trailing stops on record.
            mover: Places trailing stops.
            rule: How they trail; None without trailing.
            failed: Takes the pairs that the next loop has to see to.
        """
        self._manager = manager
        self._mover = mover
        self._rule = rule
        self._failed = failed
        #: Of which trade's size no trailing stop was to be had.
        self._untrailed: dict[str, tuple[int, float]] = {}

    def recall(self, trade: Trade) -> None:
        """Take up the trailing stops on a trade's record: one may have filled while no bot ran."""
        held = self._manager.book.of(trade.pair)
        record = trade.get_custom_data(STOP_RECORD) or {}
        with held.lock:
            for order_id in record.get("trailing", []):
                if held.stop_of(order_id) is not None or order_id in held.ended_orders:
                    continue
                order = self._manager.venue.find_stop(held.pair, order_id=order_id)
                if order is not None:
                    held.trailing_stops.append(Stop.trailing(held.pair, order))

    def see_to(self, held: PairState, trade: Trade) -> None:
        """See to it that the whole position is trailed, beside its stop."""
        if self._rule is None or held.trailing_unsupported:
            return
        if not trade.has_open_position or not held.base:
            return
        missing = _untrailed(held)
        if missing <= held.base * _SAME or self._untrailed.get(held.pair) == (trade.id, missing):
            return
        rule = self._rule
        activation = rule.activation_price(
            trade.open_rate, trade.initial_stop_loss or trade.stop_loss, is_short=trade.is_short
        )
        wanted = None if rule.trails_from_fill else activation
        placed = activation > 0 and self._mover.trail(held, missing, rule.callback_pct, wanted)
        if not placed:
            self._untrailed[held.pair] = trade.id, missing  # asked again once the size has changed
        elif _untrailed(held) > held.base * _SAME:
            self._failed.add(held.pair)  # the next loop asks again


def _untrailed(held: PairState) -> float:
    """Return how much of a position no trailing stop trails, base currency."""
    return subtract_exact(held.base, *(trail.amount for trail in held.trailing_stops))
