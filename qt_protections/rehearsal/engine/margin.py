"""What positions are worth and what they need, at present mark prices. Money in USDT."""

from decimal import Decimal

from qt_protections.rehearsal.engine.account import ZERO, Account, Position
from qt_protections.rehearsal.market.instruments import Instrument
from qt_protections.rehearsal.market.tape import Tape


def maintenance_margin(instrument: Instrument, notional: Decimal) -> Decimal:
    """Return the margin below which a position worth `notional` (>= 0 USDT) is liquidated."""
    bracket = instrument.bracket_at(notional)
    return notional * bracket.maintenance_ratio - bracket.cum


def is_liquidated(
    instrument: Instrument, position: Position, mark: Decimal, backing: Decimal
) -> bool:
    """Say whether `backing` and the loss at `mark` fall short of the maintenance margin.

    Args:
        instrument: The contract.
        position: The position.
        mark: Mark price in USDT.
        backing: USDT behind the position, see `Valuation.backing`.
    """
    equity = backing + position.unrealized(mark)
    return equity <= maintenance_margin(instrument, abs(position.amount) * mark)


def liquidation_price(instrument: Instrument, position: Position, backing: Decimal) -> Decimal:
    """Return the mark price in USDT at which a position is liquidated, zero if at none.

    Equity less maintenance margin is a line in each bracket, and the lines join; the price is
    where it crosses zero.

    Args:
        instrument: The contract.
        position: The position.
        backing: USDT behind the position, see `Valuation.backing`.
    """
    if not position.amount:
        return ZERO
    size, sign = abs(position.amount), 1 if position.amount > 0 else -1
    price = ZERO
    for bracket in instrument.brackets:
        equity_at_zero = backing + bracket.cum - position.entry_value
        price = equity_at_zero / (size * (bracket.maintenance_ratio - sign))
        if price * size < bracket.cap:
            break
    return max(price, ZERO)


def bankruptcy_price(position: Position, backing: Decimal) -> Decimal:
    """Return the price in USDT at which closing a position takes all of its `backing`."""
    return max((position.entry_value - backing) / position.amount, ZERO)


class Valuation:
    """The account at present mark prices."""

    def __init__(self, account: Account, tape: Tape) -> None:
        """Value `account` with the marks of `tape`, whenever asked."""
        self._account = account
        self._tape = tape

    def unrealized(self, symbol: str) -> Decimal:
        """Return the unrealised profit of a position."""
        return self._account.position(symbol).unrealized(self._tape.mark(symbol))

    def notional(self, symbol: str) -> Decimal:
        """Return the value of a position, at least zero."""
        return abs(self._account.position(symbol).amount) * self._tape.mark(symbol)

    def initial(self, symbol: str) -> Decimal:
        """Return the initial margin of a position."""
        return self.notional(symbol) / self._account.leverage_of(symbol)

    def maintenance(self, symbol: str) -> Decimal:
        """Return the maintenance margin of a position."""
        return maintenance_margin(self._tape.instrument(symbol), self.notional(symbol))

    @property
    def cross_unrealized(self) -> Decimal:
        """Unrealised profit of all cross positions."""
        return sum((self.unrealized(name) for name, _ in self._account.crossed()), ZERO)

    @property
    def cross_balance(self) -> Decimal:
        """Margin balance behind the cross positions: cross wallet and unrealised profit."""
        return self._account.cross_wallet + self.cross_unrealized

    @property
    def free(self) -> Decimal:
        """Cross margin balance less the initial margin of cross positions; may be negative.

        Unrealised profit counts as well as loss. Resting orders are not subtracted.
        """
        bound = sum((self.initial(name) for name, _ in self._account.crossed()), ZERO)
        return self.cross_balance - bound

    def backing(self, symbol: str) -> Decimal:
        """Return what stands behind a position before its own profit.

        That is its isolated margin; in cross, the balance that the other cross positions leave
        after their unrealised profit and their maintenance margin.
        """
        if symbol in self._account.isolated:
            return self._account.position(symbol).margin
        others = [name for name, _ in self._account.crossed() if name != symbol]
        left = (self.unrealized(name) - self.maintenance(name) for name in others)
        return self._account.cross_wallet + sum(left, ZERO)

    def liquidation_price(self, symbol: str) -> Decimal:
        """Return the mark price at which a position is liquidated, the others' marks unchanged."""
        position = self._account.position(symbol)
        return liquidation_price(self._tape.instrument(symbol), position, self.backing(symbol))

    def bankruptcy_price(self, symbol: str) -> Decimal:
        """Return the price at which closing a position leaves nothing behind it.

        In cross the others count with their profit, and nothing is held back for them.
        """
        position, backing = self._account.position(symbol), self.backing(symbol)
        if symbol not in self._account.isolated:
            backing = self.cross_balance - self.unrealized(symbol)
        return bankruptcy_price(position, backing)

    def is_short_of_margin(self, symbol: str) -> bool:
        """Say whether a position has to be liquidated: by itself if isolated, else with the rest.

        All cross positions are short of margin, or none.
        """
        instrument, position = self._tape.instrument(symbol), self._account.position(symbol)
        return is_liquidated(instrument, position, self._tape.mark(symbol), self.backing(symbol))
