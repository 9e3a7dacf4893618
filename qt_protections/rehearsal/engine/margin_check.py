"""The margin that is free for new positions, and the orders that the free margin refuses.

Money in USDT.
"""

from collections.abc import Sequence
from decimal import Decimal

from qt_protections.rehearsal.engine.account import TAKER_FEE_RATIO, ZERO, Account
from qt_protections.rehearsal.engine.margin import Valuation
from qt_protections.rehearsal.engine.order_store import OrderStore
from qt_protections.rehearsal.engine.orders import Order, OrderRequest
from qt_protections.rehearsal.errors import VenueError
from qt_protections.rehearsal.market.book import Level
from qt_protections.rehearsal.market.tape import Tape


class MarginCheck:
    """Compares what an order needs with what positions and resting orders leave."""

    def __init__(
        self, account: Account, tape: Tape, valuation: Valuation, orders: OrderStore[Order]
    ) -> None:
        """Take the account, present prices and the orders that rest."""
        self._account = account
        self._tape = tape
        self._valuation = valuation
        self._orders = orders

    @property
    def available(self) -> Decimal:
        """Free for new positions: cross balance without the margin of positions and orders."""
        return max(self.unbound, ZERO)

    @property
    def unbound(self) -> Decimal:
        """The same, below zero where positions and orders need more than there is."""
        resting = sum((self.of_order(order) for order in self._orders.open()), ZERO)
        return self._valuation.free - resting

    def of_order(self, order: Order) -> Decimal:
        """Return the margin a resting order binds; none if the order can only reduce."""
        request = order.request
        if request.reduce_only:
            return ZERO
        return order.remaining * request.price / self._account.leverage_of(request.symbol)

    def check(self, request: OrderRequest, quantity: Decimal, fills: Sequence[Level]) -> None:
        """Refuse an order that the free margin or the leverage's limit does not carry.

        Args:
            request: The order; it may open a position.
            quantity: Its size, base units.
            fills: What it finds in the book at once.

        Raises:
            VenueError: -2019 or -2027.
        """
        position = self._account.position(request.symbol)
        sign, leverage = request.side.sign, self._account.leverage_of(request.symbol)
        closing = min(quantity, abs(position.amount)) if position.amount * sign < 0 else ZERO
        price = max([request.price, *(level.price for level in fills)])
        notional = (quantity - closing) * price
        released = self._released(request.symbol) if closing == abs(position.amount) else ZERO
        needed = notional * (1 / Decimal(leverage) + TAKER_FEE_RATIO)
        if notional and needed > self.unbound + released:
            raise VenueError(-2019)
        after = abs(position.amount + sign * quantity) * price
        limit = self._tape.instrument(request.symbol).largest_notional(leverage)
        if notional and after > limit:
            raise VenueError(-2027)

    def check_flip(self, request: OrderRequest, quantity: Decimal) -> None:
        """Refuse a reduction after which resting orders would turn the position, unpaid.

        Args:
            request: A reduce-only order.
            quantity: How much it can reduce, base units.

        Raises:
            VenueError: -4118.
        """
        symbol, side = request.symbol, request.side
        resting = sum(
            (
                order.remaining
                for order in self._orders.open(symbol)
                if order.request.side is side and not order.request.reduce_only
            ),
            ZERO,
        )
        turned = min(resting + quantity - abs(self._account.position(symbol).amount), resting)
        if turned <= 0:
            return
        margin = turned * self._tape.mark(symbol) / self._account.leverage_of(symbol)
        if margin > self.available:
            raise VenueError(-4118)

    def _released(self, symbol: str) -> Decimal:
        """Return the margin that closing a position at its mark price sets free."""
        if symbol in self._account.isolated:
            margin = self._account.position(symbol).margin
            return max(margin + self._valuation.unrealized(symbol), ZERO)
        return self._valuation.initial(symbol)
