"""Where the protective stop of an entry stands."""

from qt_protections.rules.verdict import Denial, DenyCode


def stop_price(entry: float, stoploss: float, leverage: float, *, is_short: bool) -> float:
    """Return the stop's trigger price for an entry.

    Args:
        entry: Entry price, > 0.
        stoploss: Freqtrade's `stoploss`, a ratio of margin: -0.15 at leverage 30 is 0.5 % of price.
        leverage: Notional over margin, >= 1.
        is_short: Whether the position gains when the price falls.
    """
    distance = abs(stoploss) / leverage
    return entry * (1 + distance if is_short else 1 - distance)


def stop_distance(entry: float, stop: float, *, is_short: bool) -> float:
    """Return the distance from entry to stop as a ratio of the entry; > 0 on the losing side."""
    return (stop - entry if is_short else entry - stop) / entry


def check_stop(entry: float, stop: float, *, is_short: bool) -> Denial | None:
    """Refuse an entry whose stop is not a price on its losing side."""
    if stop > 0 and stop_distance(entry, stop, is_short=is_short) > 0:
        return None
    side = "above" if is_short else "below"
    return Denial(DenyCode.STOP_INVALID, f"stop {stop:.8g} is not {side} the entry {entry:.8g}")
