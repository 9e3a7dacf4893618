"""Books what closed a position: what stops became, what other hands and the exchange took."""

import logging
from functools import partial
from math import inf
from time import monotonic

from qt_protections.errors import withhold_secrets
from qt_protections.rules.pairs import symbol_of
from qt_protections.stops.order_history import OrderHistory
from qt_protections.stops.state.pair import PairState
from qt_protections.stops.venue.protocol import RequestError, Venue

logger = withhold_secrets(logging.getLogger(__name__))

#: Seconds for which the order history may not tell yet what was heard; other lists have lagged 25.
HISTORY_LAGS_S = 60.0


class CloseBooking:
    """Finds out what reduced a position, and calls its entries off once the position has ended."""

    def __init__(self, venue: Venue, history: OrderHistory) -> None:
        """Take who answers, and who reads the answers."""
        self._venue = venue
        self._history = history

    def call_off(self, held: PairState) -> None:
        """Cancel entries that wait: for want of cover, or because their trade has ended."""
        for pending in held.pending_entries:
            if not pending.order_id or pending.is_final:
                continue
            logger.warning("Entry %s of %s is called off.", pending.order_id, held.pair)
            try:
                self._venue.cancel_order(held.pair, pending.order_id)
            except RequestError as error:
                logger.warning("Could not cancel it: %s. Trying again.", error)

    def book(
        self,
        held: PairState,
        at_most: float = inf,
        *,
        shown: float | None = None,
        with_exits: bool = False,
    ) -> bool:
        """Book what reduced the position unheard, if the exchange tells; the lock is held.

        See `OrderHistory.book_closes`. Nothing is booked while the exchange does not answer.
        """
        try:
            found = self._history.book_closes(held, at_most, shown=shown, with_exits=with_exits)
        except RequestError as error:
            logger.warning("Could not ask what closed %s: %s", symbol_of(held.pair), error)
            return False
        if found and held.own_required_stop is None:
            self.call_off(held)  # the trade ends with its position
        return found

    def heard(self, held: PairState, order_id: str, filled: float) -> None:
        """Book what another hand closed, as far as that was the trade's; the lock is held.

        Args:
            held: The pair.
            order_id: That hand's order.
            filled: How much it filled, base currency.
        """
        if monotonic() > held.ledger.heard_until:
            held.ledger.heard.clear()
        held.ledger.heard[order_id] = filled
        held.ledger.heard_until = monotonic() + HISTORY_LAGS_S
        self._history.heard(held)
        self.book_heard(held)

    def book_heard(self, held: PairState) -> None:
        """Book what others were heard to take, once it is certain whose that was; lock is held.

        What stays uncertain is found by the bot's loop, which waits longer before it believes a
        list of positions. What a stop became is booked first, as the stop's.
        """
        if not held.ledger.heard or held.has_fired or not self._history.is_due(held):
            return
        own, is_over = held.own, monotonic() > held.ledger.heard_until
        if (
            any(not (each.order_id or each.is_final) for each in held.pending_entries)
            and not is_over
        ):
            return  # what that entry has filled is in the position, and hides what was closed
        is_certain = False
        try:
            is_certain = self._history.book_heard(held, partial(self._shown, held))
        except RequestError as error:
            logger.warning("Could not ask what closed %s: %s", symbol_of(held.pair), error)
        if is_certain or is_over:
            held.ledger.heard.clear()
        if held.own < own and held.own_required_stop is None:
            self.call_off(held)  # the trade ends with its position

    def book_written_off(self, held: PairState) -> None:
        """Book what a stop became that was dropped without that; the lock is held.

        Beside somebody else's part of the position, nothing else may tell that something is gone.
        """
        if held.own and any(until > monotonic() for until in held.ledger.written_off.values()):
            self.book(held, 0.0)

    def _shown(self, held: PairState) -> float | None:
        """Return the position as it is listed, negative on the other side; None if nobody tells.

        Raises:
            RequestError: If nobody tells though somebody else holds a part.
        """
        try:
            position = self._venue.positions().get(held.pair)
        except RequestError as error:
            if held.external.position is not None:
                raise
            logger.warning("Could not ask for the position of %s: %s", held.pair, error)
            return None
        if position is None:
            return 0.0
        return position.amount if position.is_short == held.is_short else -position.amount
