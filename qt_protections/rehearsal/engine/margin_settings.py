"""What a client chooses for a symbol: leverage, margin type, and its isolated margin."""

from decimal import Decimal

from qt_protections.rehearsal.engine.account import ZERO
from qt_protections.rehearsal.engine.desk import Desk
from qt_protections.rehearsal.errors import VenueError
from qt_protections.rehearsal.journal import EventKind


class MarginSettings:
    """Changes the margin of a desk's account, as far as positions and orders allow."""

    def __init__(self, desk: Desk) -> None:
        """Change the account of `desk`."""
        self._desk = desk
        self._tape = desk.tape
        self._account = desk.account
        self._journal = desk.journal

    def set_leverage(self, symbol: str, leverage: int) -> Decimal:
        """Choose the leverage of `symbol` and return the largest notional it allows, in USDT.

        Raises:
            VenueError: -4028; -2027 if the position is too large for it; with a position, -4161 if
                it falls in isolated margin, and -2028 if it falls further than the margin allows.
        """
        limit = self._tape.instrument(symbol).largest_notional(leverage)
        if leverage < 1 or not limit:
            raise VenueError(-4028, f"Leverage {leverage} is not valid")
        before, isolated = self._account.leverage_of(symbol), symbol in self._account.isolated
        if self._account.position(symbol).amount and leverage < before and isolated:
            raise VenueError(-4161)
        if self._desk.valuation.notional(symbol) > limit:
            raise VenueError(-2027)
        unbound = self._desk.margin.unbound
        self._account.leverage[symbol] = leverage
        if self._desk.margin.unbound < min(unbound, ZERO):
            self._account.leverage[symbol] = before
            raise VenueError(-2028)
        if leverage != before:
            self._journal.add(EventKind.LEVERAGE_CHANGED, symbol)
        return limit

    def move_margin(self, symbol: str, amount: Decimal) -> None:
        """Add USDT to an isolated margin, or take it out if `amount` is negative.

        Only what the position does not need at its initial margin can be taken out; unrealised
        profit cannot.

        Raises:
            VenueError: -4049, -4050, -4051 or -4054.
        """
        if symbol not in self._account.isolated:
            raise VenueError(-4049)
        position, valuation = self._account.position(symbol), self._desk.valuation
        if not position.amount:
            raise VenueError(-4054)
        if amount > self._desk.margin.available:
            raise VenueError(-4050)
        loss = min(valuation.unrealized(symbol), ZERO)
        if -amount > max(position.margin + loss - valuation.initial(symbol), ZERO):
            raise VenueError(-4051)
        self._desk.ledger.move_margin(symbol, amount)

    def set_isolated(self, symbol: str, isolated: bool) -> None:
        """Switch the margin type of `symbol`; refuse if nothing changes or something is open.

        Raises:
            VenueError: -4046, -4047 or -4048.
        """
        self._tape.instrument(symbol)
        if isolated is (symbol in self._account.isolated):
            raise VenueError(-4046)
        if self._desk.open_orders(symbol):
            raise VenueError(-4047)
        if self._account.position(symbol).amount:
            raise VenueError(-4048)
        (self._account.isolated.add if isolated else self._account.isolated.discard)(symbol)
        self._journal.add(EventKind.MARGIN_TYPE_CHANGED, symbol)
