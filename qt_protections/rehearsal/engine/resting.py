"""The queue a resting order waits in, and what a trade leaves for it.

Size that stood at a price before an order is served before it. A tick tells its volume, but not
who the aggressors were: half of it is taken to be theirs who trade against a resting order. Size
ahead never goes away by cancellation.
"""

from collections.abc import Iterable
from decimal import Decimal

from qt_protections.rehearsal.engine.account import ZERO
from qt_protections.rehearsal.engine.orders import Order
from qt_protections.rehearsal.market.book import Level, Side
from qt_protections.rehearsal.market.tape import Tape

AGAINST_US_RATIO = Decimal("0.5")


def size_ahead(levels: Iterable[Level], price: Decimal, side: Side) -> Decimal:
    """Return the base units that are served before an order which joins the book at `price`.

    Nothing stands before a price better than the best. Between two levels the size of the worse
    one counts, and behind the last level the last one's.

    Args:
        levels: The order's own side of the book, best price first.
        price: The order's price in USDT.
        side: The order's side.
    """
    size, is_best = ZERO, True
    for level in levels:
        distance = (price - level.price) * side.sign
        if distance > 0 and is_best:
            return ZERO
        size, is_best = level.quantity, False
        if distance >= 0:
            break
    return size


def queued_volume(volume: Decimal, step: Decimal) -> Decimal:
    """Return what a tick's `volume` (base units) serves of the queue at its price, on the step."""
    return volume * AGAINST_US_RATIO // step * step


def take_turn(order: Order, served: Decimal) -> Decimal:
    """Let trades of `served` base units at the order's price pass, and return what it gets."""
    share = min(max(served - order.ahead, ZERO), order.remaining)
    order.ahead = max(order.ahead - served, ZERO)
    return share


class Turns:
    """The orders that rest at the price of the latest tick, served one after the other."""

    def __init__(self, tape: Tape) -> None:
        """Serve from the volume of the latest tick of `tape`."""
        self._tape = tape
        self._left: dict[tuple[str, Side], Decimal] = {}

    def take(self, order: Order) -> Decimal:
        """Return what the tick serves of an order, base units; the next order gets the rest."""
        symbol, side = order.request.symbol, order.request.side
        left = self._left.get((symbol, side))
        if left is None:
            step = self._tape.instrument(symbol).step
            left = queued_volume(self._tape.volume(symbol), step)
        share = take_turn(order, left)
        self._left[symbol, side] = left - share
        return share
