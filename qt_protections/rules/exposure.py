"""What a position loses when its stop is hit: the one measure size and limits are taken in."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

from qt_protections.rules.pairs import base_of


@dataclass(frozen=True, slots=True)
class Costs:
    """What a stopped position pays beyond the way to its stop.

    Attributes:
        fee_ratio: Taker fee of one fill, as a ratio of its notional, >= 0.
        slippage_ratio: How far beyond its trigger a stop is expected to fill, as a ratio of the
            trigger, >= 0.
    """

    fee_ratio: float
    slippage_ratio: float

    def loss_per_unit(self, entry: float, stop: float, *, is_short: bool) -> float:
        """Return what one base unit loses, in quote currency; negative if the stop locks a gain in.

        Args:
            entry: Price of the entry, > 0.
            stop: Trigger price, > 0. It fills at stop x (1 - slippage), for a short x (1 + ...).
            is_short: Whether the position gains when the price falls.
        """
        fill = stop * (1 + self.slippage_ratio if is_short else 1 - self.slippage_ratio)
        way = fill - entry if is_short else entry - fill
        return way + self.fee_ratio * (entry + fill)


class Exposure(NamedTuple):
    """A position, or an entry under way, and where its stop stands.

    Attributes:
        pair: Freqtrade's pair.
        is_short: Whether it gains when the price falls.
        amount: Base currency, >= 0.
        entry: Average price of the entry, quote currency.
        stop: Trigger price of its stop, quote currency.
        entries: How many entries it is made of, filled and waiting.
        is_foreign: Whether no trade of the bot's accounts for it.
    """

    pair: str
    is_short: bool
    amount: float
    entry: float
    stop: float
    entries: int = 1
    is_foreign: bool = False

    @property
    def symbol(self) -> str:
        """Its base currency."""
        return base_of(self.pair)

    def risk(self, costs: Costs) -> float:
        """Return what it loses at its stop, quote currency; 0 if that locks a gain in.

        NaN if anything of it is: what is not known is not nothing.
        """
        per_unit = costs.loss_per_unit(self.entry, self.stop, is_short=self.is_short)
        return max(self.amount * per_unit, 0.0)  # in this order: max(0.0, NaN) is 0


def risk_of(exposures: Iterable[Exposure], costs_of: Callable[[str], Costs]) -> float:
    """Return what all of them lose together if every stop is hit; quote currency.

    A gain that one stop locks in pays for no other's loss: they are not hit at the same moment.
    """
    return sum(exposure.risk(costs_of(exposure.pair)) for exposure in exposures)
