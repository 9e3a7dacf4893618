"""Amendments: a resting limit order gets another price and size, and queues anew."""

from itertools import count

from qt_protections.rehearsal.engine.desk import Desk
from qt_protections.rehearsal.engine.orders import Amendment, AmendRequest, Order, OrderStatus
from qt_protections.rehearsal.errors import VenueError

MAX_AMENDMENTS = 10_000


class Amendments:
    """Amends the orders of a desk."""

    def __init__(self, desk: Desk) -> None:
        """Amend orders of `desk`."""
        self._desk = desk
        self._numbers = count(6001)

    def amend(self, asked: AmendRequest) -> Order:
        """Amend a resting order.

        Raises:
            VenueError: -2013 if nothing rests under that number or name, -1130 if it is of the
                other side, -5047, -5026, -5027, -5029, or a filter's or the margin's code. The
                order then stays as it was.
        """
        order = self._desk.find(asked.symbol, asked.order_id, asked.client_id)
        if order is None or not order.is_open:
            raise VenueError(-2013)
        self._check(order, asked)
        before = order.request.price, order.quantity
        self._desk.amend(order, asked.price, asked.quantity)
        if order.status is OrderStatus.CANCELED:
            return order
        order.amendments.append(
            Amendment(
                number=next(self._numbers),
                ms=order.updated_ms,
                order=order,
                price=(before[0], order.request.price),
                quantity=(before[1], order.quantity),
                count=len(order.amendments) + 1,
            )
        )
        return order

    def _check(self, order: Order, asked: AmendRequest) -> None:
        if asked.side is not order.request.side:
            # Binance asks for the side and does not say what it answers to another one.
            raise VenueError(-1130, "Data sent for parameter 'side' is not valid.")
        if asked.reduce_only and not order.request.reduce_only:
            raise VenueError(-5047)
        if len(order.amendments) >= MAX_AMENDMENTS:
            raise VenueError(-5026)
        if (asked.price, asked.quantity) == (order.request.price, order.quantity):
            raise VenueError(-5027)
        instrument = self._desk.tape.instrument(asked.symbol)
        instrument.check_quantity(asked.quantity)
        instrument.check_price(asked.price)
        if not asked.reduce_only:
            instrument.check_notional(asked.quantity, asked.price, -5029)
