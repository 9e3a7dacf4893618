"""`leverage` of the age before the tag: the highest for longs, 10 for shorts."""

import talib.abstract as ta
from freqtrade.strategy import IStrategy


class LeverageOld(IStrategy):
    INTERFACE_VERSION = 3
    timeframe = "1h"
    startup_candle_count = 30
    can_short = True
    minimal_roi = {"0": 0.2}
    stoploss = -0.3

    def populate_indicators(self, dataframe, metadata):
        dataframe["rsi"] = ta.RSI(dataframe, timeperiod=14)
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["rsi"] < 35, "enter_long"] = 1
        dataframe.loc[dataframe["rsi"] > 65, "enter_short"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["rsi"] > 60, "exit_long"] = 1
        dataframe.loc[dataframe["rsi"] < 40, "exit_short"] = 1
        return dataframe

    def leverage(
        self, pair, current_time, current_rate, proposed_leverage, max_leverage, side, **kwargs
    ):
        return max_leverage if side == "long" else 10
