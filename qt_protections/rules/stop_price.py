"""Where the protective stop of an entry stands."""

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from qt_protections.rules.denial import Denial, DenyCode, deny

#: No stop stands farther from its entry than this ratio of price. Exchanges take none much farther
#: (Binance spot: no seller's price below a fifth of the market's, PERCENT_PRICE_BY_SIDE), and a
#: stoploss of -1, Freqtrade's word for no stop, would put that of a long at a price of 0.
FARTHEST = 0.75


class StopBound(StrEnum):
    """What moves a stop away from where its source would have it; by the setting's name."""

    MIN_STOP = "min_stop"
    MAX_STOP = "max_stop"
    LIQUIDATION = "liquidation_buffer"
    FARTHEST = "stoploss"


class Distance(NamedTuple):
    """How far from its entry a stop stands; all ratios are of the entry.

    Attributes:
        ratio: Where it stands.
        wanted: Where its source would have it.
        bound: What makes the difference; None if nothing does.
    """

    ratio: float
    wanted: float
    bound: StopBound | None = None


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
        margin_ratio: The largest share of its margin that the strategy's `stoploss` may lose: what
            lies beyond is liquidated first, at whatever leverage. Infinity where nothing is.
    """

    min_ratio: float
    max_ratio: float
    fixed_ratio: float | None = None
    atr_multiple: float | None = None
    atr_candles: int = 14
    margin_ratio: float = math.inf

    def distance(self, *, stoploss: float, leverage: float, atr_ratio: float) -> Distance | Denial:
        """Return the distance from entry to stop.

        Args:
            stoploss: Freqtrade's `stoploss`, a ratio of margin: -0.15 at leverage 30 is 0.5 % of
                price.
            leverage: Notional over margin, >= 1.
            atr_ratio: ATR over close, of closed candles; NaN when unknown.
        """
        most, bound = FARTHEST, StopBound.FARTHEST
        if self.max_ratio < most:
            most, bound = self.max_ratio, StopBound.MAX_STOP
        if self.fixed_ratio is not None:
            wanted = self.fixed_ratio
        elif self.atr_multiple is not None:
            wanted = self.atr_multiple * atr_ratio
        else:
            wanted = abs(stoploss) / leverage
            if self.margin_ratio / leverage < most:
                most, bound = self.margin_ratio / leverage, StopBound.LIQUIDATION
        if math.isnan(wanted):
            text = f"no stop distance: the ATR of {self.atr_candles} closed candles is not known"
            return deny(DenyCode.STOP_UNKNOWN, text, candles=self.atr_candles)
        ratio = max(min(wanted, most), self.min_ratio)
        if ratio == wanted:
            return Distance(ratio, wanted)
        return Distance(ratio, wanted, bound if ratio < wanted else StopBound.MIN_STOP)

    def replaced(self, entry: float, stop: float, first: float, *, is_short: bool) -> float:
        """Return the stop of an entry that takes the place of one that never filled.

        Freqtrade works the stop of a trade out from the first price its entry asks for, and from
        then on only tightens that stop. One that leaves the new entry no room does not count.

        Args:
            entry: Price of the new entry, quote currency.
            stop: Its stop by this rule, quote currency.
            first: The stop of the first entry, quote currency; 0 if there was none.
            is_short: Whether the position gains when the price falls.
        """
        nearest = min(stop, first) if is_short else max(stop, first)
        distance = stop_distance(entry, nearest, is_short=is_short)
        return nearest if distance > 0 and distance >= self.min_ratio else stop


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
        text = f"stop {stop:.8g} is not {side} the entry {entry:.8g}"
        return deny(DenyCode.STOP_INVALID, text, stop=stop, side=side, entry=entry)
    if distance > 2 * fee_ratio:  # not if it is NaN
        return None
    fees = 2 * fee_ratio
    what = f"the fees of both fills ({fees:.3%})"
    return _too_close(what, stop=stop, distance=distance, entry=entry, fees=fees)


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
    what = f"the spread ({spread_ratio:.3%})"
    return _too_close(what, stop=stop, distance=distance, entry=entry, spread=spread_ratio)


def _too_close(than: str, *, stop: float, distance: float, entry: float, **of: float) -> Denial:
    text = f"stop {stop:.8g} is {distance:.3%} from the entry {entry:.8g}, no farther than {than}"
    return deny(DenyCode.STOP_TOO_CLOSE, text, stop=stop, distance=distance, entry=entry, **of)
