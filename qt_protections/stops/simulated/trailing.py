"""The trailing stop where no exchange trails: in backtests, hyperopt and dry runs.

It moves the trade's own stop price, after the strategy has moved it, and only ever closer: the
strategy's `custom_stoploss` and `trailing_stop` are heard as ever, and the tightest stop counts.

Candles do not tell whether their high or their low came first. As Freqtrade's own trailing does,
this takes the gaining side first: a candle raises the stop, and its other end may hit it.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from freqtrade.persistence import LocalTrade

from qt_protections.rules.stop_plan import tightest
from qt_protections.rules.trailing import TrailingRule


@dataclass(frozen=True, slots=True)
class PriceBar:
    """What Freqtrade sees of the price when it looks at a stop.

    Attributes:
        time: When it looks (UTC); in backtests the open time of the candle.
        rate: The price; in backtests the candle's open.
        low: The candle's low; None outside of backtests, and right after a fill.
        high: The same, the candle's high.
    """

    time: datetime
    rate: float
    low: float | None
    high: float | None

    def worst(self, *, is_short: bool) -> float:
        """Return the price that hurts a position most."""
        return (self.high if is_short else self.low) or self.rate

    def best(self, *, is_short: bool) -> float:
        """Return the price that a position gains most from."""
        return (self.low if is_short else self.high) or self.rate


class SimulatedTrailing:
    """Lets the stops of trades follow the best price since their fill."""

    def __init__(self, rule: TrailingRule) -> None:
        self._rule = rule

    @staticmethod
    def may_follow(trade: LocalTrade, glance: PriceBar) -> bool:
        """Whether the stop that stands is not hit yet; ask before the strategy moves it.

        A stop that is hit stays where it is: moved first, it would be hit at a better price.
        """
        stop = trade.stop_loss or 0.0
        worst = glance.worst(is_short=trade.is_short)
        return stop > worst if trade.is_short else stop < worst

    def follow(self, trade: LocalTrade, glance: PriceBar, *, trails_itself: bool) -> None:
        """Move the stop behind the best price, if that is closer than where it stands.

        Args:
            trade: The trade itself, not a copy; its stop price, ratio and trailing flag change.
            glance: What Freqtrade sees of the price.
            trails_itself: Whether the strategy has `trailing_stop` on.
        """
        best = self._best(trade, glance)
        entry, initial_stop = trade.open_rate, trade.initial_stop_loss or 0.0
        if not self._rule.is_active(best, entry, initial_stop, is_short=trade.is_short):
            return
        stop = trade.stop_loss or 0.0
        wanted = self._rule.trail_stop(best, is_short=trade.is_short)
        if tightest(trade.is_short, stop, wanted) == stop:
            return
        if trails_itself and _opened_in(trade, glance):
            # Freqtrade would close it in this candle at its own trailing's first stop, reached or
            # not (`Backtesting._get_close_rate_for_stoploss`); the next candle follows the same.
            return
        trade.adjust_stop_loss(best, self._rule.callback_ratio * (trade.leverage or 1.0))

    @staticmethod
    def _best(trade: LocalTrade, glance: PriceBar) -> float:
        now = glance.best(is_short=trade.is_short)
        if trade.is_short:
            return min(now, trade.min_rate or trade.open_rate)
        return max(now, trade.max_rate or trade.open_rate)


def _opened_in(trade: LocalTrade, glance: PriceBar) -> bool:
    """Whether this is the candle of the fill, by Freqtrade's own reckoning in whole minutes."""
    is_candle = glance.high is not None
    return is_candle and glance.time - trade.open_date_utc < timedelta(minutes=1)
