"""Liquidation: closes positions that are short of margin, as far as it takes.

Known from Binance's support pages: resting orders are cancelled first; the order is immediate or
cancel, limited by the bankruptcy price; the insurance fund takes over what it leaves at that price;
a fee is charged on what was liquidated; it ends as soon as the margin suffices again. Assumed here:
a position is closed whole, and of several cross positions the one with the largest loss first.
"""

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from qt_protections.rehearsal.engine.account import ZERO
from qt_protections.rehearsal.engine.desk import Desk
from qt_protections.rehearsal.engine.forced_closes import ForcedCloses
from qt_protections.rehearsal.engine.ledger import MONEY_STEP


class Liquidator:
    """Watches the margin behind every position."""

    def __init__(self, desk: Desk) -> None:
        """Watch the account of `desk`, and close through its book."""
        self._desk = desk
        self._closes = ForcedCloses(desk)
        self._ledger = desk.ledger
        self._account = desk.account
        self._valuation = desk.valuation

    def run(self) -> None:
        """Close what is short of margin at the present mark prices."""
        for symbol, _ in self._account.held():
            if symbol in self._account.isolated and self._valuation.is_short_of_margin(symbol):
                self._desk.cancel_all(symbol)
                before = self._account.cross_wallet
                value = self._close(symbol)
                self._charge(symbol, value, self._account.cross_wallet - before)
        if self._is_cross_short():
            for order in self._desk.open_orders():
                if order.request.symbol not in self._account.isolated:
                    self._desk.cancel_all(order.request.symbol)
        while self._is_cross_short():
            symbol = min(dict(self._account.crossed()), key=self._valuation.unrealized)
            value = self._close(symbol)
            self._charge(symbol, value, self._valuation.cross_balance)

    def _is_cross_short(self) -> bool:
        crossed = self._account.crossed()
        return bool(crossed) and self._valuation.is_short_of_margin(crossed[0][0])

    def _close(self, symbol: str) -> Decimal:
        """Close a position and return its value in USDT at the prices it was closed at."""
        tape, amount = self._desk.tape, self._account.position(symbol).amount
        tick = tape.instrument(symbol).tick
        rounding = ROUND_CEILING if amount > 0 else ROUND_FLOOR
        price = self._valuation.bankruptcy_price(symbol)
        limit = (price / tick).to_integral_value(rounding) * tick
        order, left = self._closes.liquidate(symbol, limit)
        if left:
            won = (tape.last(symbol) - limit) * left.copy_sign(amount)
            self._ledger.take_over(symbol, left, limit, won)
        return order.quote

    def _charge(self, symbol: str, value: Decimal, left: Decimal) -> None:
        ratio = self._desk.tape.instrument(symbol).liquidation_fee_ratio
        fee = min(value * ratio, max(left, ZERO)).quantize(MONEY_STEP, ROUND_FLOOR)
        if fee:
            self._ledger.pay_insurance(symbol, fee)
