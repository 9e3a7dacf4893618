"""The contracts on offer: price and size steps, leverage brackets, and how they tend to move."""

from dataclasses import dataclass
from decimal import Decimal

from qt_protections.rehearsal.errors import VenueError
from qt_protections.rehearsal.market.brackets import BRACKETS, Bracket


@dataclass(frozen=True, slots=True)
class Instrument:
    """One USDT-margined perpetual.

    Attributes:
        symbol: Exchange name, such as BTCUSDT.
        base: Base asset.
        tick: Price step in USDT, a power of ten.
        step: Quantity step in base units, a power of ten.
        min_notional: Least order value in USDT.
        max_qty: Most base units of one limit order.
        market_max_qty: Most base units of one market order.
        min_price: Lowest price of an order in USDT.
        max_price: Highest price of an order in USDT.
        reference_price: Where the price stands when the live market starts, in USDT.
        daily_volatility: Standard deviation of a day's return in history, as a ratio.
        depth: Value resting on one level of the order book, in USDT.
        minute_volume: Typical value traded a minute, in USDT.
        brackets: Leverage table, smallest notional first.
        liquidation_fee_ratio: Fee of a liquidation as a ratio of the value liquidated.
        multiplier_up: Highest limit price of a buyer as a ratio of the mark price.
        multiplier_down: Lowest limit price of a seller as a ratio of the mark price.
        trigger_protect_ratio: Distance of last and mark price, as a ratio of the mark, beyond
            which a protected trigger waits.
        max_orders: Most plain orders open at once.
    """

    symbol: str
    base: str
    tick: Decimal
    step: Decimal
    min_notional: Decimal
    max_qty: Decimal
    market_max_qty: Decimal
    min_price: Decimal
    max_price: Decimal
    reference_price: float
    daily_volatility: float
    depth: float
    minute_volume: float
    brackets: tuple[Bracket, ...]
    liquidation_fee_ratio: Decimal
    multiplier_up: Decimal = Decimal("1.05")
    multiplier_down: Decimal = Decimal("0.95")
    trigger_protect_ratio: Decimal = Decimal("0.05")
    max_orders: int = 200

    @property
    def min_qty(self) -> Decimal:
        """Least base units of an order."""
        return self.step

    @property
    def price_decimals(self) -> int:
        """Digits after the point of a price."""
        return max(0, -int(self.tick.normalize().as_tuple().exponent))

    @property
    def qty_decimals(self) -> int:
        """Digits after the point of a quantity."""
        return max(0, -int(self.step.normalize().as_tuple().exponent))

    def bracket_at(self, notional: Decimal) -> Bracket:
        """Return the leverage bracket a position of `notional` USDT falls into."""
        for bracket in self.brackets:
            if notional < bracket.cap:
                return bracket
        return self.brackets[-1]

    def largest_notional(self, leverage: int) -> Decimal:
        """Return the most USDT a position may be worth at `leverage`."""
        return max((b.cap for b in self.brackets if b.leverage >= leverage), default=Decimal(0))

    def price_bound(self, sign: int, reference: Decimal) -> Decimal:
        """Return the worst price of an order in USDT: a buyer's (sign 1) highest, else the lowest.

        Args:
            sign: 1 for a buyer, -1 for a seller.
            reference: The price it is measured by, in USDT.
        """
        return reference * (self.multiplier_up if sign > 0 else self.multiplier_down)

    def check_price(self, price: Decimal) -> None:
        """Refuse a limit price out of bounds (-4001, -4013, -4002) or off the tick (-4014)."""
        self._check_price(price, -4001, -4002)

    def check_trigger_price(self, price: Decimal) -> None:
        """Refuse a trigger price out of bounds (-4006, -4013, -4007) or off the tick (-4014)."""
        self._check_price(price, -4006, -4007)

    def check_quantity(self, quantity: Decimal, *, market: bool = False) -> None:
        """Refuse a size out of bounds (-4003, -4004, -4005) or off the step (-1111).

        Args:
            quantity: Base units.
            market: Whether the bounds of market orders apply.
        """
        if quantity <= 0:
            raise VenueError(-4003)
        if quantity % self.step:
            raise VenueError(-1111)
        if quantity < self.min_qty:
            raise VenueError(-4004)
        if quantity > (self.market_max_qty if market else self.max_qty):
            raise VenueError(-4005)

    def check_notional(self, quantity: Decimal, price: Decimal, code: int = -4164) -> None:
        """Refuse an order worth less than the minimum (-4164, or the given code)."""
        if quantity * price < self.min_notional:
            text = f"{self.min_notional.normalize():f}"
            raise VenueError(
                code,
                f"Order's notional must be no smaller than {text} (unless you choose reduce only).",
            )

    def _check_price(self, price: Decimal, not_positive: int, too_high: int) -> None:
        if price <= 0:
            raise VenueError(not_positive)
        if price < self.min_price:
            raise VenueError(-4013)
        if price > self.max_price:
            raise VenueError(too_high)
        if price % self.tick:
            raise VenueError(-4014)


# Of Binance's exchangeInfo; those of ETH, ZEN and TON are assumed.
_LIQUIDATION_FEES = {"BTC": "0.0125", "ETH": "0.0125", "XRP": "0.0125"} | dict.fromkeys(
    ("DOGE", "TRX", "ADA"), "0.01"
)
_USUAL_LIQUIDATION_FEE = "0.015"


def _perpetual(
    base: str,
    steps: tuple[str, str],
    minimum: int,
    price: float,
    market: tuple[float, float],
    brackets_of: str | None = None,
) -> Instrument:
    volatility, depth = market
    tick = Decimal(steps[0])
    return Instrument(
        symbol=f"{base}USDT",
        base=base,
        tick=tick,
        step=Decimal(steps[1]),
        min_notional=Decimal(minimum),
        max_qty=Decimal(int(2e7 / price)),
        market_max_qty=Decimal(int(5e6 / price)),
        min_price=max(tick, Decimal(price / 200).quantize(tick)),
        max_price=Decimal(price * 50).quantize(tick),
        reference_price=price,
        daily_volatility=volatility,
        depth=depth,
        minute_volume=depth * 200,
        brackets=BRACKETS[brackets_of or base],
        liquidation_fee_ratio=Decimal(_LIQUIDATION_FEES.get(base, _USUAL_LIQUIDATION_FEE)),
    )


INSTRUMENTS: tuple[Instrument, ...] = (
    _perpetual("BTC", ("0.1", "0.001"), 100, 95_000.0, (0.030, 20_000)),
    _perpetual("ETH", ("0.01", "0.001"), 20, 3_300.0, (0.038, 14_000)),
    _perpetual("SOL", ("0.01", "0.01"), 5, 190.0, (0.050, 8_000)),
    _perpetual("XRP", ("0.0001", "0.1"), 5, 2.2, (0.048, 8_000)),
    _perpetual("ZEN", ("0.001", "0.1"), 5, 14.0, (0.060, 3_000)),
    _perpetual("DOGE", ("0.00001", "1"), 5, 0.32, (0.055, 6_000)),
    _perpetual("BNB", ("0.01", "0.01"), 5, 650.0, (0.035, 8_000)),
)
# The seeded markets do without these; a replay trades them where it finds their candles.
REPLAYABLE: tuple[Instrument, ...] = (
    *INSTRUMENTS,
    _perpetual("TON", ("0.0001", "0.1"), 5, 4.0, (0.050, 3_000)),
    _perpetual("TRX", ("0.00001", "1"), 5, 0.25, (0.035, 4_000)),
    _perpetual("ADA", ("0.0001", "1"), 5, 0.75, (0.055, 6_000)),
    _perpetual("AVAX", ("0.001", "1"), 5, 25.0, (0.055, 5_000)),
    _perpetual("LTC", ("0.01", "0.001"), 20, 110.0, (0.050, 5_000)),
    _perpetual("LINK", ("0.001", "0.01"), 20, 18.0, (0.055, 5_000)),
)


def offered(count: int) -> tuple[Instrument, ...]:
    """Return `count` contracts of a seeded market: those of `INSTRUMENTS`, then made-up ones."""
    more = range(1, count - len(INSTRUMENTS) + 1)
    return INSTRUMENTS[:count] + tuple(map(_made_up, more))


def _made_up(number: int) -> Instrument:
    price = 1 + number * 37 % 100 / 10  # between 1 and 11 USDT, so that lots stay small
    return _perpetual(
        f"MADE{number:03d}", ("0.0001", "0.1"), 5, price, (0.050, 8_000), brackets_of="SOL"
    )
