"""What the order book offers to an order that arrives now."""

from decimal import Decimal

from qt_protections.rehearsal.engine.orders import OrderRequest, OrderType
from qt_protections.rehearsal.engine.resting import size_ahead
from qt_protections.rehearsal.market.book import Level, Side, take
from qt_protections.rehearsal.market.tape import Tape


class Liquidity:
    """Reads the book of the latest prices.

    Attributes:
        depth_ratio: Book depth as a ratio of the usual.
    """

    def __init__(self, tape: Tape, depth_ratio: float) -> None:
        """Read the book of `tape`."""
        self._tape = tape
        self.depth_ratio = depth_ratio

    def best(self, symbol: str, side: Side) -> Decimal | None:
        """Return the best price (USDT) that an order of `side` meets; None if nobody offers."""
        level = next(self._tape.book(symbol, side, self.depth_ratio), None)
        return None if level is None else level.price

    def fills(self, request: OrderRequest, quantity: Decimal) -> list[Level]:
        """Return the fills of `quantity` base units that an order finds at once."""
        limit = request.price if request.type is OrderType.LIMIT else None
        levels = self._tape.book(request.symbol, request.side, self.depth_ratio)
        return take(levels, quantity, limit, request.side)

    def ahead(self, request: OrderRequest) -> Decimal:
        """Return the base units that are served before an order which begins to rest."""
        own_side = self._tape.book(request.symbol, request.side.opposite, self.depth_ratio)
        return size_ahead(own_side, request.price, request.side)
