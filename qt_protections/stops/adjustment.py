"""What the guard does around Freqtrade's own adjustment of a trade's stop."""

from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from freqtrade.persistence import Trade

from qt_protections.stops.simulated.initial_stop import SimulatedStops
from qt_protections.stops.simulated.trailing import PriceBar, SimulatedTrailing
from qt_protections.stops.trade_stop import StopSet

if TYPE_CHECKING:
    from qt_protections.stops.service import StopService


class Before(NamedTuple):
    """What was so before Freqtrade asked the strategy.

    Attributes:
        bar: What Freqtrade sees of the price; None where the stop must not trail that price.
        may_loosen: Whether the strategy may move the stop away from the price.
        stood: Where the stop stood, if it must not be loosened.
    """

    bar: PriceBar | None = None
    may_loosen: bool = False
    stood: StopSet | None = None


_NOTHING = Before()


class StopAdjustment:
    """Takes over the live stop after a fill, and follows the strategy's stop with the live one."""

    def __init__(
        self,
        live: "StopService | None",
        simulated: SimulatedStops | None,
        trailing: SimulatedTrailing | None,
        *,
        counts_on_stops: bool,
    ) -> None:
        """Take the stops of the mode.

        Args:
            live: The stops on the exchange; None in backtests.
            simulated: The stops of backtests; None if live.
            trailing: The simulated trailing stop; None where there is none.
            counts_on_stops: Whether a rule is on that a looser stop would break. Right after a
                fill, Freqtrade lets the strategy loosen the stop.
        """
        self._live = live
        self._simulated = simulated
        self._trailing = trailing
        self._counts_on_stops = counts_on_stops

    def before(
        self,
        trade: Trade,
        now: datetime,
        rate: float,
        low: float | None,
        high: float | None,
        *,
        after_fill: bool,
    ) -> Before | None:
        """Set the stop of a trade that has filled, and note where the stop stands.

        Args:
            trade: The trade itself, not a copy.
            now: When Freqtrade looks (UTC), as in `PriceBar`.
            rate: As in `PriceBar`.
            low: As in `PriceBar`.
            high: As in `PriceBar`.
            after_fill: Whether Freqtrade asks because an order has just filled.

        Returns:
            What `after` has to know; None if nothing is left to do then.
        """
        if after_fill and self._live is not None:
            self._live.filled(trade)
        if self._simulated is not None:
            self._simulated.set(trade)
        if self._trailing is None and not after_fill:
            # Backtests come by in every candle of every trade.
            return None if self._live is None else _NOTHING
        bar = None
        if self._trailing is not None:
            bar = PriceBar(now, rate, low, high)
            bar = bar if self._trailing.may_follow(trade, bar) else None
        may_loosen = after_fill and not self._counts_on_stops
        stood = StopSet.of(trade) if after_fill and not may_loosen else None
        return Before(bar, may_loosen, stood)

    def after(self, trade: Trade, before: Before, rate: float, *, trails_itself: bool) -> None:
        """Take a loosened stop back, trail the price, and move the live stop.

        Args:
            trade: The trade itself, not a copy.
            before: What was so before the strategy was asked.
            rate: The price, quote currency.
            trails_itself: Whether the strategy has `trailing_stop` on.
        """
        if before.stood is not None and before.stood.is_tighter(trade):
            before.stood.put_back(trade)
        if self._trailing is not None and before.bar is not None:
            self._trailing.follow(trade, before.bar, trails_itself=trails_itself)
        if self._live is not None:
            self._live.moved(trade, rate, may_loosen=before.may_loosen)
