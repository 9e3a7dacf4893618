"""What became of a stop: it fired, it is gone, nobody knows it, or it was cancelled.

What a stop closed waits in the book for its trade. What the stop leaves uncovered is covered anew
at once.
"""

import logging
import re
from collections.abc import Callable
from time import monotonic

from qt_protections.errors import withhold_secrets
from qt_protections.rules.pairs import symbol_of
from qt_protections.stops.close_booking import HISTORY_LAGS_S, CloseBooking
from qt_protections.stops.order_history import OrderHistory
from qt_protections.stops.state.acts import may_cancel
from qt_protections.stops.state.booking import book_fill, own_part
from qt_protections.stops.state.pair import PairState
from qt_protections.stops.state.phases import StopEvent
from qt_protections.stops.state.stop import Stop, StopKind, StopStatus, child_id, stop_status
from qt_protections.stops.venue.protocol import CcxtOrder, RequestError, Venue

logger = withhold_secrets(logging.getLogger(__name__))

#: Seconds a triggered stop counts as cover while the order that it became is not known to be over.
_TRIGGERED_S = 2.0
#: Binance's reason for a stop that found no position when it triggered.
_NO_POSITION = re.compile(r"reduce.?only", re.IGNORECASE)


class StopOutcomes:
    """Finds out what became of stops, and acts on it."""

    def __init__(
        self,
        venue: Venue,
        history: OrderHistory,
        closes: CloseBooking,
        reconcile: Callable[[PairState], object],
    ) -> None:
        """Take the tools.

        Args:
            venue: Who answers.
            history: Which orders reduced a position.
            closes: Books what such an order closed.
            reconcile: Covers what a stop that is over leaves uncovered.
        """
        self._venue = venue
        self._history = history
        self._closes = closes
        self._reconcile = reconcile

    def ask_after(self, held: PairState, stop: Stop) -> bool:
        """Ask what became of a stop and act on it; return False if the exchange cannot tell.

        Raises:
            RequestError: If the exchange does not answer.
        """
        order = self._venue.find_stop(held.pair, order_id=stop.order_id)
        if order is None:
            return False
        match stop_status(order):
            case StopStatus.LIVE:
                stop.track.hear(StopEvent.TOLD_LIVE)
            case StopStatus.TRIGGERED:
                self.fired(held, stop.order_id, child_id(order))
            case StopStatus.GONE:
                self.lost(held, stop.order_id, str(order["status"]))
        return True

    def try_to_ask_after(self, held: PairState, stop: Stop) -> bool | None:
        """Ask what became of a stop; return whether the exchange can tell, None without an answer.

        What is asked or done next goes on without the answer: that may take another road.
        """
        try:
            return self.ask_after(held, stop)
        except RequestError as error:
            logger.warning("Could not ask after stop %s of %s: %s", stop.order_id, held.pair, error)
            return None

    def make_sure(self, held: PairState) -> None:
        """Ask whether the stop in front of a fill still stands: a trigger may have consumed it."""
        stop = held.active_stop
        if stop is not None and not self.ask_after(held, stop):
            stop.track.hear(StopEvent.UNKNOWN)

    def lost(self, held: PairState, order_id: str, how: str) -> None:
        """Replace a stop that is gone without having done its work."""
        with held.lock:
            if (stop := held.stop_of(order_id)) is None:
                return
            logger.warning(
                "[SHIELD] %s %s of %s is gone: %s",
                "Trailing stop" if stop.kind is StopKind.TRAILING else "Stop",
                order_id,
                symbol_of(held.pair),
                how,
            )
            held.drop(order_id)
            if _NO_POSITION.search(how):
                held.trouble.denied += 1
                if not held.pending_entries:
                    self._closes.book(held)  # the engine saw no position: ask before placing again
            self._reconcile(held)

    def give_up(self, held: PairState, order_id: str) -> None:
        """Replace a stop the exchange knows nothing of; should it stand all the same, it goes."""
        with held.lock:
            # What an earlier run's stop protects is not known: that one goes on proof alone.
            is_inherited = any(stop.order_id == order_id for stop in held.inherited)
            held.ledger.written_off[order_id] = monotonic() + HISTORY_LAGS_S
            self.lost(held, order_id, "the exchange knows nothing of it")
            if not is_inherited and may_cancel(held, order_id):
                self.cancel(held, order_id)

    def fired(self, held: PairState, order_id: str, child: str) -> None:
        """Take in that a stop triggered: what its child filled, and what is left to cover."""
        with held.lock:
            stop = held.stop_of(order_id)
            if stop is None:
                return
            stop.track.hear(StopEvent.TRIGGERED)  # the watch asks again until its order has ended
            order = self._find_child(held, child)
            if order is None or order["status"] == "open":
                if self._is_overdue(held, stop):
                    held.write_off(order_id, monotonic() + HISTORY_LAGS_S)
                    self._closes.book(held)
                    self._reconcile(held)
                return
            if str(order["id"]) in held.ledger.booked:
                held.write_off(order_id)  # the history told of it
                self._reconcile(held)
                return
            amount = float(order.get("filled") or 0.0)
            # A stop that closed more than is known closed entries as well. Heard of later, such a
            # fill would count as a position that is not there.
            is_told = amount > held.own and self._history.try_to_refresh_entries(held)
            order = own_part(held, order, is_told=is_told)
            closed = float(order.get("filled") or 0.0)
            if closed < amount:
                held.ledger.parts[str(order["id"])] = closed  # the rest was another's
            if amount and not closed:
                held.write_off(order_id)  # there is nothing to book
                if is_told and stop.is_short == held.is_short:
                    held.ledger.became(order_id, str(order["id"]))
                    self._closes.call_off(held)  # the price is beyond the stop of what waits
                self._reconcile(held)
                return
            held.drop(order_id, order)
            filled = book_fill(held, stop, order)
            if filled and (held.own_required_stop is None or stop.kind is StopKind.FIXED):
                self._closes.call_off(held)  # what waits would enter what is being left
            self._reconcile(held)

    def _find_child(self, held: PairState, child: str) -> CcxtOrder | None:
        """Return the order a stop became; None while that is not known, or nobody answers."""
        try:
            return self._venue.find_order(held.pair, order_id=child) if child else None
        except RequestError as error:
            logger.warning("Could not ask for order %s of %s: %s", child, held.pair, error)
            return None

    def _is_overdue(self, held: PairState, stop: Stop) -> bool:
        """Whether a triggered stop protects no more, though nobody knows what its order did.

        That order is at market and fills within milliseconds. What closed the position after all is
        found in the order history, and a new stop takes no more than there is.
        """
        fired_at = stop.track.fired_at
        waited_s = 0.0 if fired_at is None else monotonic() - fired_at
        if waited_s < _TRIGGERED_S:
            return False
        logger.error(
            "[ALERT] Stop %s of %s triggered %.0f s ago, and the exchange does not tell what its "
            "order did: it counts as cover no more.",
            stop.order_id,
            symbol_of(held.pair),
            waited_s,
        )
        return True

    def cancel(self, held: PairState, order_id: str) -> bool:
        """Cancel a stop that protects nothing any more; return whether it is gone."""
        with held.lock:
            try:
                if not self._venue.cancel(held.pair, order_id) and self._is_told_of(held, order_id):
                    return held.stop_of(order_id) is None
            except RequestError as error:
                logger.warning("Could not cancel stop %s of %s: %s", order_id, held.pair, error)
                return False
            held.drop(order_id)
            return True

    def _is_told_of(self, held: PairState, order_id: str) -> bool:
        """Whether the exchange tells what became of a stop it did not cancel: it may have fired."""
        if (stop := held.stop_of(order_id)) is not None:
            return self.ask_after(held, stop)
        # One of an earlier run that fired while no bot ran: its trade has it on record, and books
        # what it filled once the exchange names its order.
        order = self._venue.find_stop(held.pair, order_id=order_id)
        return order is not None and stop_status(order) is StopStatus.TRIGGERED
