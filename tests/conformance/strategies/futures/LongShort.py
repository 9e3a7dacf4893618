"""Version 3: both sides, entry and exit tags."""

import talib.abstract as ta
from freqtrade.strategy import IStrategy


class LongShort(IStrategy):
    INTERFACE_VERSION = 3
    timeframe = "1h"
    startup_candle_count = 30
    can_short = True
    minimal_roi = {"0": 0.05}
    stoploss = -0.04

    def populate_indicators(self, dataframe, metadata):
        dataframe["rsi"] = ta.RSI(dataframe, timeperiod=14)
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["rsi"] < 35, ["enter_long", "enter_tag"]] = (1, "oversold")
        dataframe.loc[dataframe["rsi"] > 65, ["enter_short", "enter_tag"]] = (1, "overbought")
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["rsi"] > 60, ["exit_long", "exit_tag"]] = (1, "strong")
        dataframe.loc[dataframe["rsi"] < 40, ["exit_short", "exit_tag"]] = (1, "weak")
        return dataframe
