"""Margin arithmetic of isolated positions. Money in USDT, quantities in base units."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from decimal import Decimal

from qt_protections.rehearsal.instruments import Instrument

ZERO = Decimal(0)
TAKER_FEE_RATIO = Decimal("0.0005")
MAKER_FEE_RATIO = Decimal("0.0002")
DEFAULT_LEVERAGE = 20


@dataclass(frozen=True, slots=True)
class Position:
    """A position in one symbol.

    Attributes:
        amount: Base units, negative for a short, zero for flat.
        entry_value: What was paid for `amount`, in USDT, of the same sign.
        margin: Isolated margin behind it, in USDT, without unrealised profit.
        updated_ms: Time of the latest change, epoch milliseconds.
    """

    amount: Decimal = ZERO
    entry_value: Decimal = ZERO
    margin: Decimal = ZERO
    updated_ms: int = 0

    @property
    def entry_price(self) -> Decimal:
        """Mean entry price in USDT, zero when flat."""
        return self.entry_value / self.amount if self.amount else ZERO

    def unrealized(self, price: Decimal) -> Decimal:
        """Return the profit at `price`, in USDT."""
        return self.amount * price - self.entry_value

    def increased(self, amount: Decimal, price: Decimal, leverage: int, ms: int) -> "Position":
        """Return the position after `amount` (signed, same direction) was added at `price`."""
        value = amount * price
        margin = self.margin + abs(value) / leverage
        return Position(self.amount + amount, self.entry_value + value, margin, ms)

    def reduced(self, quantity: Decimal, price: Decimal, ms: int) -> tuple["Position", Decimal]:
        """Return the position after `quantity` (> 0) was closed at `price`, and the profit."""
        if quantity == abs(self.amount):
            return Position(updated_ms=ms), self.unrealized(price)
        share = quantity / abs(self.amount)
        closed_amount = quantity.copy_sign(self.amount)
        closed_value = self.entry_value * share
        rest = Position(
            self.amount - closed_amount,
            self.entry_value - closed_value,
            self.margin * (1 - share),
            ms,
        )
        return rest, closed_amount * price - closed_value


@dataclass(slots=True)
class Account:
    """The wallet and everything held in it.

    Attributes:
        wallet: Balance in USDT, isolated margins included, unrealised profit not.
        positions: By symbol; flat ones may be absent.
        leverage: Chosen leverage by symbol.
        isolated: Symbols switched to isolated margin.
    """

    wallet: Decimal
    positions: dict[str, Position] = field(default_factory=dict)
    leverage: dict[str, int] = field(default_factory=dict)
    isolated: set[str] = field(default_factory=set)

    def position(self, symbol: str) -> Position:
        """Return the position in `symbol`, a flat one if there is none."""
        return self.positions.get(symbol, Position())

    def held(self) -> Iterable[tuple[str, Position]]:
        """Return the symbols with a position, and the positions."""
        return [
            (symbol, position) for symbol, position in self.positions.items() if position.amount
        ]

    def leverage_of(self, symbol: str) -> int:
        """Return the leverage chosen for `symbol`."""
        return self.leverage.get(symbol, DEFAULT_LEVERAGE)

    @property
    def position_margin(self) -> Decimal:
        """Isolated margin of all positions, in USDT."""
        return sum((position.margin for position in self.positions.values()), ZERO)

    @property
    def free(self) -> Decimal:
        """Wallet balance not bound by positions, in USDT (resting orders not yet subtracted)."""
        return self.wallet - self.position_margin

    def trade(self, symbol: str, amount: Decimal, price: Decimal, fee: Decimal, ms: int) -> Decimal:
        """Book a fill that only opens or only closes, and return the realised profit in USDT.

        Args:
            symbol: Exchange name.
            amount: Base units, signed; never crosses zero.
            price: Fill price in USDT.
            fee: USDT taken from the wallet.
            ms: Time of the fill, epoch milliseconds.
        """
        position, realized = self.position(symbol), ZERO
        if position.amount * amount < 0:
            position, realized = position.reduced(abs(amount), price, ms)
        else:
            position = position.increased(amount, price, self.leverage_of(symbol), ms)
        self.positions[symbol] = position
        self.wallet += realized - fee
        return realized

    def charge_funding(self, symbol: str, cost: Decimal) -> None:
        """Take a funding payment (USDT, negative = received) from the wallet and the margin."""
        position = self.position(symbol)
        self.wallet -= cost
        self.positions[symbol] = replace(position, margin=position.margin - cost)


def maintenance_margin(instrument: Instrument, notional: Decimal) -> Decimal:
    """Return the margin below which a position worth `notional` (>= 0 USDT) is liquidated."""
    bracket = instrument.bracket_at(notional)
    return notional * bracket.maintenance_ratio - bracket.cum


def liquidation_price(instrument: Instrument, position: Position, mark: Decimal) -> Decimal:
    """Return the mark price in USDT at which an isolated position is liquidated, at least zero."""
    if not position.amount:
        return ZERO
    size, sign = abs(position.amount), 1 if position.amount > 0 else -1
    bracket = instrument.bracket_at(size * mark)
    equity_at_zero = position.margin + bracket.cum - position.entry_value
    price = equity_at_zero / (size * (bracket.maintenance_ratio - sign))
    return max(price, ZERO)


def is_liquidated(instrument: Instrument, position: Position, mark: Decimal) -> bool:
    """Say whether the margin and the loss at `mark` fall short of the maintenance margin."""
    equity = position.margin + position.unrealized(mark)
    return equity <= maintenance_margin(instrument, abs(position.amount) * mark)


def bankruptcy_price(position: Position) -> Decimal:
    """Return the price in USDT at which the whole isolated margin is lost."""
    return max((position.entry_value - position.margin) / position.amount, ZERO)
