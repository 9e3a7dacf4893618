"""Version 2: buy and sell with the tags of version 3."""

import talib.abstract as ta
from freqtrade.strategy import IStrategy


class BuyTags(IStrategy):
    INTERFACE_VERSION = 2
    timeframe = "1h"
    startup_candle_count = 30
    minimal_roi = {"0": 0.04}
    stoploss = -0.05

    def populate_indicators(self, dataframe, metadata):
        dataframe["rsi"] = ta.RSI(dataframe, timeperiod=14)
        return dataframe

    def populate_buy_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["rsi"] < 35, ["buy", "enter_tag"]] = (1, "low")
        dataframe.loc[dataframe["rsi"] < 28, ["buy", "enter_tag"]] = (1, "very_low")
        return dataframe

    def populate_sell_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["rsi"] > 60, ["sell", "exit_tag"]] = (1, "high")
        return dataframe
