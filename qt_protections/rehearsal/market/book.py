"""The order book: a ladder of resting size around the last price, and what it costs to take it."""

from collections.abc import Iterable, Iterator
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from enum import StrEnum
from typing import NamedTuple

from qt_protections.rehearsal.market.instruments import Instrument

MAX_LEVELS = 1000
HALF_SPREAD_RATIO = Decimal("0.00005")
LEVEL_SPACING_RATIO = Decimal("0.000025")
GROWTH_PER_LEVEL = 0.05


class Side(StrEnum):
    """Direction of an order."""

    BUY = "BUY"
    SELL = "SELL"

    @property
    def sign(self) -> int:
        """1 for BUY, -1 for SELL."""
        return 1 if self is Side.BUY else -1

    @property
    def opposite(self) -> "Side":
        """The other side."""
        return Side.SELL if self is Side.BUY else Side.BUY


class Level(NamedTuple):
    """Size resting at one price.

    Attributes:
        price: Price in USDT, on the tick.
        quantity: Size in base units, on the step.
    """

    price: Decimal
    quantity: Decimal


def ladder(
    instrument: Instrument,
    last: Decimal,
    taker: Side,
    depth_ratio: float = 1.0,
    half_spread_ratio: float = 0.0,
) -> Iterator[Level]:
    """Yield the levels a taker would meet, best price first.

    Args:
        instrument: The contract.
        last: Last price in USDT.
        taker: BUY walks the asks, SELL the bids.
        depth_ratio: Depth as a ratio of the instrument's usual depth.
        half_spread_ratio: Distance of the best price from `last` as a ratio of it; never less
            than the usual distance.
    """
    tick, sign = instrument.tick, taker.sign
    half = max(tick / 2, last * max(HALF_SPREAD_RATIO, Decimal(str(half_spread_ratio))))
    rounding = ROUND_CEILING if taker is Side.BUY else ROUND_FLOOR
    best = _on_step(last + sign * half, tick, rounding)
    spacing = max(tick, _on_step(last * LEVEL_SPACING_RATIO, tick, ROUND_CEILING))
    for i in range(MAX_LEVELS):
        price = best + sign * spacing * i
        if price <= 0:
            return
        value = Decimal(instrument.depth * depth_ratio * (1 + GROWTH_PER_LEVEL * i))
        size = _on_step(value / price, instrument.step, ROUND_CEILING)
        yield Level(price, size)


def take(
    levels: Iterable[Level], quantity: Decimal, limit: Decimal | None, taker: Side
) -> list[Level]:
    """Return the fills of an order that takes `quantity` base units, none worse than `limit`.

    Less than `quantity` comes back if the book (or the part of it within `limit`) is too thin.
    """
    fills = []
    left = quantity
    for level in levels:
        if left <= 0 or (limit is not None and (level.price - limit) * taker.sign > 0):
            break
        part = min(left, level.quantity)
        fills.append(Level(level.price, part))
        left -= part
    return fills


def _on_step(value: Decimal, step: Decimal, rounding: str) -> Decimal:
    return (value / step).to_integral_value(rounding) * step
