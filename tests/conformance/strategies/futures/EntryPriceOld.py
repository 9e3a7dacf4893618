"""`custom_entry_price` of the age before trade, tag and side, priced through the market."""

import talib.abstract as ta
from freqtrade.strategy import IStrategy


class EntryPriceOld(IStrategy):
    INTERFACE_VERSION = 3
    timeframe = "1h"
    startup_candle_count = 30
    minimal_roi = {"0": 0.03}
    stoploss = -0.05

    def populate_indicators(self, dataframe, metadata):
        dataframe["rsi"] = ta.RSI(dataframe, timeperiod=14)
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["rsi"] < 35, "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["rsi"] > 60, "exit_long"] = 1
        return dataframe

    def custom_entry_price(self, pair, current_time, proposed_rate, **kwargs):
        return proposed_rate * 1.01

    def custom_exit_price(self, pair, trade, current_time, proposed_rate, **kwargs):
        return proposed_rate
