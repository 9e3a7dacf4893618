"""Where the protective stop of an entry stands."""

import math
from dataclasses import dataclass

from qt_protections.rules.verdict import Denial, DenyCode, deny


@dataclass(frozen=True, slots=True)
class StopRule:
    """How far from its entry a stop stands; all ratios are of price.

    The distance is the fixed one, else so many ATRs, else that of the strategy's `stoploss`.

    Attributes:
        min_ratio: No stop is closer.
        max_ratio: No stop is farther; infinity where nothing limits it.
        fixed_ratio: The distance, whatever the strategy's; None for another source.
        atr_multiple: The distance in ATRs; None for another source.
        atr_candles: Candles of the ATR.
    """

    min_ratio: float
    max_ratio: float
    fixed_ratio: float | None = None
    atr_multiple: float | None = None
    atr_candles: int = 14

    def distance(self, *, stoploss: float, leverage: float, atr_ratio: float) -> float | Denial:
        """Return the distance from entry to stop as a ratio of the entry.

        Args:
            stoploss: Freqtrade's `stoploss`, a ratio of margin: -0.15 at leverage 30 is 0.5 % of
                price.
            leverage: Notional over margin, >= 1.
            atr_ratio: ATR over close, of closed candles; NaN when unknown.
        """
        wanted = self._wanted(stoploss, leverage, atr_ratio)
        if math.isnan(wanted):
            return deny(DenyCode.STOP_UNKNOWN, candles=self.atr_candles)
        return min(max(wanted, self.min_ratio), self.max_ratio)

    def clamped_by(self, *, stoploss: float, leverage: float, atr_ratio: float) -> str | None:
        """Return the setting that moves a stop from where its source says; None if none does."""
        wanted = self._wanted(stoploss, leverage, atr_ratio)
        if wanted > self.max_ratio:
            return "max_stop"
        return "min_stop" if wanted < self.min_ratio else None

    def _wanted(self, stoploss: float, leverage: float, atr_ratio: float) -> float:
        if self.fixed_ratio is not None:
            return self.fixed_ratio
        if self.atr_multiple is not None:
            return self.atr_multiple * atr_ratio
        return abs(stoploss) / leverage


def stop_at(entry: float, distance: float, *, is_short: bool) -> float:
    """Return the trigger price at a distance, a ratio of the entry, on the entry's losing side."""
    return entry * (1 + distance if is_short else 1 - distance)


def stop_distance(entry: float, stop: float, *, is_short: bool) -> float:
    """Return the distance from entry to stop as a ratio of the entry; > 0 on the losing side."""
    return (stop - entry if is_short else entry - stop) / entry


def check_stop(entry: float, stop: float, *, is_short: bool, fee_ratio: float) -> Denial | None:
    """Refuse an entry whose stop is no price on its losing side, or stands within its fees.

    Args:
        entry: Price of the entry, quote currency.
        stop: Trigger price, quote currency.
        is_short: Whether the position gains when the price falls.
        fee_ratio: Taker fee of one fill, as a ratio of notional. A stop no farther than the fees of
            both loses more to them than to the market.
    """
    distance = stop_distance(entry, stop, is_short=is_short)
    if not (stop > 0 and distance > 0):
        side = "above" if is_short else "below"
        return deny(DenyCode.STOP_INVALID, stop=stop, side=side, entry=entry)
    if distance > 2 * fee_ratio:  # not if it is NaN
        return None
    return deny(
        DenyCode.STOP_TOO_CLOSE, stop=stop, distance=distance, entry=entry, fees=2 * fee_ratio
    )


def check_spread(
    entry: float, stop: float, *, is_short: bool, spread_ratio: float
) -> Denial | None:
    """Refuse an entry whose stop stands within the spread: no move at all would hit such a stop.

    Args:
        entry: Price of the entry, quote currency.
        stop: Trigger price, quote currency.
        is_short: Whether the position gains when the price falls.
        spread_ratio: Best ask over best bid, minus one.
    """
    distance = stop_distance(entry, stop, is_short=is_short)
    if distance > spread_ratio:  # not if it is NaN
        return None
    return deny(
        DenyCode.STOP_TOO_CLOSE, stop=stop, distance=distance, entry=entry, spread=spread_ratio
    )
