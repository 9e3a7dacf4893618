"""Orders by which the exchange closes positions itself: liquidation and auto-deleveraging."""

from decimal import ROUND_DOWN, Decimal

from qt_protections.rehearsal.engine.account import ZERO
from qt_protections.rehearsal.engine.desk import Desk
from qt_protections.rehearsal.engine.orders import (
    Cause,
    Order,
    OrderRequest,
    OrderType,
    TimeInForce,
)
from qt_protections.rehearsal.market.book import Level, Side

ADL_CLIENT_ID = "adl_autoclose"


class ForcedCloses:
    """Sends the exchange's own orders to a desk, without commission."""

    def __init__(self, desk: Desk) -> None:
        """Close the positions of `desk`'s account."""
        self._desk = desk

    def liquidate(self, symbol: str, limit: Decimal) -> tuple[Order, Decimal]:
        """Close a position that is short of margin.

        Args:
            symbol: Exchange name.
            limit: Worst price in USDT; what the book does not take at that price is closed at it.

        Returns:
            The order, and the base units that the book did not take.
        """
        desk = self._desk
        amount = desk.account.position(symbol).amount
        request = OrderRequest(
            symbol=symbol,
            side=Side.SELL if amount > 0 else Side.BUY,
            type=OrderType.LIMIT,
            quantity=abs(amount),
            client_id=f"autoclose-{desk.journal.now_ms}{desk.orders.added:06d}",
            price=limit,
            tif=TimeInForce.IOC,
            cause=Cause.LIQUIDATION,
        )
        fills = desk.liquidity.fills(request, request.quantity)
        left = request.quantity - sum((level.quantity for level in fills), ZERO)
        return desk.execute(request, [*fills, Level(limit, left)], ZERO), left

    def deleverage(self, symbol: str, share: Decimal) -> Order:
        """Close a part of a position, as auto-deleveraging does.

        Binance documents the client id. Assumed here: the mark price, and no commission.

        Args:
            symbol: Exchange name; it has a position.
            share: Part of the position, above 0 and at most 1; one step at least is closed.
        """
        desk = self._desk
        amount, instrument = desk.account.position(symbol).amount, desk.tape.instrument(symbol)
        whole = abs(amount)
        part = (whole * share / instrument.step).to_integral_value(ROUND_DOWN) * instrument.step
        price = (desk.tape.mark(symbol) / instrument.tick).to_integral_value() * instrument.tick
        request = OrderRequest(
            symbol=symbol,
            side=Side.SELL if amount > 0 else Side.BUY,
            type=OrderType.LIMIT,
            quantity=min(max(part, instrument.step), whole),
            client_id=ADL_CLIENT_ID,
            price=price,
            cause=Cause.ADL,
        )
        return desk.execute(request, [Level(price, request.quantity)], ZERO)
