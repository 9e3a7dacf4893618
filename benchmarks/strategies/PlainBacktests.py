"""The plain strategies of `benchmarks.backtest_cost`: many trades or few, on the same candles.

No guard is imported here: to load the guard is a part of what it costs.
"""

from datetime import datetime
from typing import Any

import pandas as pd
import talib.abstract as ta
from freqtrade.persistence import Trade
from freqtrade.strategy import IStrategy


class PlainMany(IStrategy):
    """Long on every fourth candle and out two later, with a stop that is seldom hit."""

    INTERFACE_VERSION = 3
    timeframe = "1h"
    every = 4

    minimal_roi = {"0": 10.0}
    stoploss = -0.25

    def leverage(self, **kwargs: Any) -> float:  # type: ignore[override]
        """Return 3."""
        return 3.0

    def populate_indicators(
        self, dataframe: pd.DataFrame, metadata: dict[str, Any]
    ) -> pd.DataFrame:
        """Number the candles."""
        dataframe["number"] = range(len(dataframe))
        return dataframe

    def populate_entry_trend(
        self, dataframe: pd.DataFrame, metadata: dict[str, Any]
    ) -> pd.DataFrame:
        """Go long."""
        dataframe["enter_long"] = (dataframe["number"] % self.every == 0).astype(int)
        return dataframe

    def populate_exit_trend(
        self, dataframe: pd.DataFrame, metadata: dict[str, Any]
    ) -> pd.DataFrame:
        """Leave halfway to the next entry."""
        dataframe["exit_long"] = (dataframe["number"] % self.every == self.every // 2).astype(int)
        return dataframe


class PlainFew(PlainMany):
    """The same, on every 300th candle."""

    every = 300


class PlainUsual(PlainMany):
    """As many trades, with indicators and callbacks of the kind that most public strategies have.

    PlainMany has neither, so that nothing hides what the guard costs.
    """

    use_custom_stoploss = True

    def populate_indicators(
        self, dataframe: pd.DataFrame, metadata: dict[str, Any]
    ) -> pd.DataFrame:
        """Add averages, oscillators and bands."""
        for length in (8, 21, 50, 100, 200):
            dataframe[f"ema_{length}"] = ta.EMA(dataframe, timeperiod=length)
            dataframe[f"rsi_{length}"] = ta.RSI(dataframe, timeperiod=length)
        dataframe["adx"] = ta.ADX(dataframe)
        dataframe["atr"] = ta.ATR(dataframe)
        dataframe = dataframe.join(ta.BBANDS(dataframe, timeperiod=20))
        return super().populate_indicators(dataframe, metadata)

    def custom_stoploss(self, current_profit: float, **kwargs: Any) -> float | None:  # type: ignore[override]
        """Tighten the stop of a trade that gains."""
        return -0.15 if current_profit > 0.05 else None

    def custom_exit(  # type: ignore[override]
        self, pair: str, trade: Trade, current_time: datetime, current_profit: float, **kwargs: Any
    ) -> str | None:
        """Leave what gained much."""
        return "gained" if current_profit > 0.5 else None
