"""The reference strategy: trend-following entries, long and short, under the guard."""

from typing import Any

import numpy as np
import pandas as pd
import talib.abstract as ta
from freqtrade.strategy import IStrategy

from qt_protections import QTGuard


class QTSignals(IStrategy):
    """Pullbacks within a trend, told from TA-Lib indicators of closed candles.

    Long: price and EMA50 are above EMA200 and ADX says there is a trend, RSI fell under 45 within
    the last eight candles, and the MACD histogram has just turned positive. Short is the mirror
    image. The column `confidence` says how much the indicators agree; the guard asks for it before
    it lets a short into a rising market.
    """

    INTERFACE_VERSION = 3
    timeframe = "1h"
    can_short = True
    # EMA200 needs this many candles until its start no longer shows (under 0.1 %).
    startup_candle_count = 1000

    minimal_roi = {"0": 0.18, "1440": 0.09, "4320": 0.03}
    stoploss = -0.06
    order_types = {
        "entry": "market",
        "exit": "market",
        "stoploss": "market",
        "stoploss_on_exchange": True,
    }

    def leverage(self, max_leverage: float, **kwargs: Any) -> float:  # type: ignore[override]
        """Return 3, where `stoploss` stands 2 % of price from the entry."""
        return min(3.0, max_leverage)

    def populate_indicators(
        self, dataframe: pd.DataFrame, metadata: dict[str, Any]
    ) -> pd.DataFrame:
        """Add the averages, RSI, ADX, the MACD histogram, and the confidence of a signal."""
        dataframe["ema_fast"] = ta.EMA(dataframe, timeperiod=50)
        dataframe["ema_slow"] = ta.EMA(dataframe, timeperiod=200)
        dataframe["rsi"] = ta.RSI(dataframe, timeperiod=14)
        dataframe["adx"] = ta.ADX(dataframe, timeperiod=14)
        dataframe["macd_histogram"] = ta.MACD(dataframe)["macdhist"]
        dataframe["confidence"] = confidence(dataframe)
        return dataframe

    def populate_entry_trend(
        self, dataframe: pd.DataFrame, metadata: dict[str, Any]
    ) -> pd.DataFrame:
        """Enter where a pullback ends in the direction of the trend."""
        lower = dataframe[["ema_fast", "close"]].min(axis=1)
        upper = dataframe[["ema_fast", "close"]].max(axis=1)
        rising, falling = lower > dataframe["ema_slow"], upper < dataframe["ema_slow"]
        histogram = dataframe["macd_histogram"]
        turned_up = (histogram > 0) & (histogram.shift() <= 0)
        turned_down = (histogram < 0) & (histogram.shift() >= 0)
        dipped = dataframe["rsi"].rolling(8).min() < 45
        popped = dataframe["rsi"].rolling(8).max() > 55
        trending = (dataframe["adx"] > 25) & (dataframe["volume"] > 0)
        dataframe.loc[rising & turned_up & dipped & trending, ["enter_long", "enter_tag"]] = (
            1,
            "pullback_long",
        )
        dataframe.loc[falling & turned_down & popped & trending, ["enter_short", "enter_tag"]] = (
            1,
            "pullback_short",
        )
        return dataframe

    def populate_exit_trend(
        self, dataframe: pd.DataFrame, metadata: dict[str, Any]
    ) -> pd.DataFrame:
        """Leave when the fast average crosses to the other side of the slow one."""
        dataframe.loc[dataframe["ema_fast"] < dataframe["ema_slow"], "exit_long"] = 1
        dataframe.loc[dataframe["ema_fast"] > dataframe["ema_slow"], "exit_short"] = 1
        return dataframe


class QTStrategy(QTGuard, QTSignals):
    """QTSignals, guarded. This line is all a guard takes."""


def confidence(frame: pd.DataFrame) -> pd.Series:
    """Return how strongly trend and strength agree, 0 to 1.

    The mean of three terms: ADX against 40, the gap between the averages against 3 % of price, and
    the distance of RSI from 50 on the trend's side against 20 points.
    """
    gap = frame["ema_fast"] / frame["ema_slow"] - 1
    lean = (frame["rsi"] - 50) * np.sign(gap)
    terms = [frame["adx"] / 40, gap.abs() / 0.03, lean / 20]
    agreement: pd.Series = pd.concat(terms, axis=1).clip(0, 1).mean(axis=1, skipna=False)
    return agreement
