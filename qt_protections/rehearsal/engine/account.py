"""Positions and the wallet they are margined from. Money in USDT, quantities in base units.

An isolated position has a pot of its own, filled when it is opened; its losses and its closing fees
come out of that pot, and the wallet outside of it never pays for them. Cross positions have none:
what the wallet holds beyond the pots stands behind all of them together.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from decimal import Decimal

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
        margin: Isolated margin behind it, in USDT, without unrealised profit; zero in cross.
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

    def increased(self, amount: Decimal, price: Decimal, margin: Decimal, ms: int) -> "Position":
        """Return the position after `amount` (signed, same direction) was added at `price`.

        Args:
            amount: Base units.
            price: USDT.
            margin: USDT put into the isolated margin.
            ms: Time, epoch milliseconds.
        """
        value = self.entry_value + amount * price
        return Position(self.amount + amount, value, self.margin + margin, ms)

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

    def held(self) -> list[tuple[str, Position]]:
        """Return the symbols with a position, and the positions."""
        return [
            (symbol, position) for symbol, position in self.positions.items() if position.amount
        ]

    def crossed(self) -> list[tuple[str, Position]]:
        """Return the symbols with a cross position, and the positions."""
        return [(symbol, held) for symbol, held in self.held() if symbol not in self.isolated]

    def leverage_of(self, symbol: str) -> int:
        """Return the leverage chosen for `symbol`."""
        return self.leverage.get(symbol, DEFAULT_LEVERAGE)

    @property
    def cross_wallet(self) -> Decimal:
        """Wallet balance outside of isolated margins, in USDT."""
        return self.wallet - _total(position.margin for position in self.positions.values())

    def entry_margin(self, symbol: str) -> Decimal:
        """Return the USDT put behind a position: its pot, or in cross its share of the entry."""
        position = self.position(symbol)
        if symbol in self.isolated:
            return position.margin
        return abs(position.entry_value) / self.leverage_of(symbol)

    def trade(self, symbol: str, amount: Decimal, price: Decimal, fee: Decimal, ms: int) -> Decimal:
        """Book a fill that only opens or only closes, and return the realised profit in USDT.

        What an isolated position loses beyond the margin of the part closed comes out of the rest
        of its margin; `cover` makes up for what is missing in the end.

        Args:
            symbol: Exchange name.
            amount: Base units, signed; never crosses zero.
            price: Fill price in USDT.
            fee: USDT taken from the wallet.
            ms: Time of the fill, epoch milliseconds.
        """
        position, realized = self.position(symbol), ZERO
        isolated = symbol in self.isolated
        if position.amount * amount < 0:
            after, realized = position.reduced(abs(amount), price, ms)
            if isolated:
                left = position.margin - after.margin + realized - fee
                after = replace(after, margin=after.margin + min(left, ZERO))
        else:
            margin = abs(amount * price) / self.leverage_of(symbol) if isolated else ZERO
            after = position.increased(amount, price, margin, ms)
        self.positions[symbol] = after
        self.wallet += realized - fee
        return realized

    def cover(self, symbol: str) -> Decimal:
        """Fill up what a position lost beyond its margin, now that it is closed.

        That is an isolated margin below zero, or a cross wallet below zero when no cross position
        is left.

        Returns:
            USDT added to the wallet.
        """
        position, missing = self.position(symbol), ZERO
        if symbol in self.isolated and not position.amount:
            missing = -position.margin
            self.positions[symbol] = replace(position, margin=ZERO)
        elif symbol not in self.isolated and not self.crossed():
            missing = max(-self.cross_wallet, ZERO)
        self.wallet += missing
        return missing

    def charge_funding(self, symbol: str, cost: Decimal) -> None:
        """Take a funding payment (USDT, negative = received) from the wallet, and from a pot."""
        self.wallet -= cost
        if symbol in self.isolated:
            self.add_margin(symbol, -cost)

    def add_margin(self, symbol: str, amount: Decimal) -> None:
        """Move USDT from the cross wallet into an isolated margin, or out of it if negative."""
        position = self.position(symbol)
        self.positions[symbol] = replace(position, margin=position.margin + amount)


def _total(amounts: Iterable[Decimal]) -> Decimal:
    return sum(amounts, ZERO)
