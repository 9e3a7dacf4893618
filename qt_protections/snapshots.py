"""What the rules need to know of Freqtrade's trades and frames, as plain numbers."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import pandas as pd
from freqtrade.exchange import timeframe_to_seconds
from freqtrade.persistence import LocalTrade, Trade

from qt_protections.confidence.column import confidences
from qt_protections.market import LOCAL_DISTANCE, REGIME
from qt_protections.rules.regime import Regime


@dataclass(frozen=True, slots=True)
class Signal:
    """What the last closed candle of a pair says to the short gate; NaN is unknown."""

    regime: Regime
    local_distance: float
    confidence: float

    @classmethod
    def unknown(cls) -> "Signal":
        """Return the signal of which nothing is known."""
        return cls(Regime.UNKNOWN, float("nan"), float("nan"))


def last_signal(
    frame: pd.DataFrame, column: str, timeframe: str, now: datetime | None = None
) -> Signal:
    """Return what the newest row of an analysed frame says.

    Args:
        frame: As Freqtrade analysed it, with the guard's columns; may be empty.
        column: The confidence column.
        timeframe: The strategy's interval.
        now: Wall clock (UTC) in live modes; a candle is news until two intervals after its close,
            because the analysis of the next one takes its time. None in backtesting, where the
            last row is the signal's.
    """
    if frame.empty or REGIME not in frame.columns:
        return Signal.unknown()
    row = frame.iloc[-1]
    news = timedelta(seconds=3 * timeframe_to_seconds(timeframe))
    if now is not None and now - row["date"] > news:
        return Signal.unknown()
    confidence = float(confidences(frame.iloc[-1:], column).iloc[0])
    return Signal(Regime(row[REGIME]), float(row[LOCAL_DISTANCE]), confidence)


def base_of(pair: str) -> str:
    """Return the base currency, which is what this project calls a symbol."""
    return pair.split("/", maxsplit=1)[0]


def symbol_of(pair: str) -> str:
    """Return the exchange's name of a pair, as log lines show it: BTC/USDT:USDT is BTCUSDT."""
    return pair.split(":", maxsplit=1)[0].replace("/", "")


def entries_held(base: str) -> int:
    """Return the entries, filled or waiting, that all open trades of one base hold together."""
    trades = Trade.get_trades_proxy(is_open=True)
    return sum(_entries(trade) for trade in trades if base_of(trade.pair) == base)


def open_trade(pair: str) -> LocalTrade | None:
    """Return the pair's open trade; Freqtrade keeps one at most."""
    return next(iter(Trade.get_trades_proxy(pair=pair, is_open=True)), None)


def _entries(trade: LocalTrade) -> int:
    return sum(
        order.ft_order_side == trade.entry_side and (order.ft_is_open or order.safe_filled > 0)
        for order in trade.orders
    )
