"""Where Freqtrade's questions after orders of the book meet the guard's.

Freqtrade asks what became of its entries and exits, cancels them, and searches the orders of a pair
for the one that closed a position. On an exchange the guard watches, the book hears the answers
first, and a close counts as far as it closed the trade.
"""

from datetime import datetime, timedelta
from typing import Any

from freqtrade.exceptions import TemporaryError
from freqtrade.exchange import Exchange
from freqtrade.persistence import Order

from qt_protections.stops.entry_cover import EntryCover
from qt_protections.stops.intercept.fired_stops import FiredStops
from qt_protections.stops.reconciliation.order_sequence import note_fill_on_record
from qt_protections.stops.state.pair import PairState
from qt_protections.stops.state.records import stops_since
from qt_protections.stops.state.stop import child_id, part_of
from qt_protections.stops.state.unbooked_fill import OF_ENTRIES
from qt_protections.stops.venue.protocol import CcxtOrder, RequestError

#: Freqtrade asks for orders from somewhat before what it names.
_EARLIER = timedelta(minutes=1)


class OrderInterceptor:
    """Stands in for `fetch_order`, `cancel_order` and `fetch_orders`."""

    def __init__(self, exchange: Exchange, cover: EntryCover) -> None:
        """Take the places of the exchange's functions.

        Args:
            exchange: The bot's exchange.
            cover: Keeps entries covered; its manager keeps the book.
        """
        self._cover = cover
        self._manager = cover.manager
        self._fired = FiredStops(cover.manager)
        self._fetch_orders = exchange.fetch_orders
        self._fetch_order = exchange.fetch_order
        self._cancel_order = exchange.cancel_order
        exchange.cancel_order = self.cancel_order  # type: ignore[method-assign]
        exchange.fetch_order = self.order  # type: ignore[method-assign]
        exchange.fetch_orders = self.orders  # type: ignore[method-assign]

    def order(self, order_id: str, pair: str, params: dict[str, Any] | None = None) -> CcxtOrder:
        """Return an order; a close that took more than the trade, as far as it closed the trade.

        Raises:
            ExchangeError: As Freqtrade's own function.
        """
        order = self._fetch_order(order_id.removesuffix(OF_ENTRIES), pair, params)
        self._cover.told(pair, order)
        row = Order.order_by_id(order_id, pair)
        if row is None or row.ft_order_side != row.trade.exit_side:
            return order
        return {**part_of(order, row.ft_amount), "id": order_id}

    def cancel_order(
        self, order_id: str, pair: str, params: dict[str, Any] | None = None
    ) -> CcxtOrder:
        """Cancel an order, and have the book know what became of an entry.

        Raises:
            ExchangeError: As Freqtrade's own function.
        """
        order: CcxtOrder = self._cancel_order(order_id.removesuffix(OF_ENTRIES), pair, params)
        self._cover.told(pair, order)
        return order

    def orders(
        self, pair: str, since: datetime, params: dict[str, Any] | None = None
    ) -> list[CcxtOrder]:
        """Return a pair's orders; what a stop on record became is told under the stop's id.

        Freqtrade looks here for the order that closed a position. Freqtrade knows its stops by
        their own ids only, and would take such an order for an order that no trade has.

        Raises:
            TemporaryError: If the exchange does not answer.
        """
        held = self._manager.book.of(pair)
        try:
            stops = self._stops_by_child(held, since)
        except RequestError as error:
            raise TemporaryError(f"orders of {pair}: {error}") from error
        told = [
            self._fired.booked(held, stops[order["id"]], order) if order["id"] in stops else order
            for order in self._fetch_orders(pair, since, params)
        ]
        for order in told:
            note_fill_on_record(pair, order)
        return told

    def _stops_by_child(self, held: PairState, since: datetime) -> dict[str, CcxtOrder]:
        """Return the stops on record that fired, by the order each became; the book has them."""
        stops = {}
        for order_id in stops_since(held.pair, since - _EARLIER):
            stop = self._manager.venue.find_stop(held.pair, order_id=order_id)
            if stop is None or not (child := child_id(stop)):
                continue
            if not self._fired.is_booked_by_child(held, stop):
                self._fired.take_in(held, stop)
                stops[child] = stop
        return stops
