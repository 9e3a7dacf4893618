"""Leaves by ROI alone; its stop is out of reach."""

import talib.abstract as ta
from freqtrade.strategy import IStrategy


class RoiOnly(IStrategy):
    INTERFACE_VERSION = 3
    timeframe = "1h"
    startup_candle_count = 30
    minimal_roi = {"0": 0.05, "300": 0.02, "900": 0.005, "1800": -1}
    stoploss = -0.99
    use_exit_signal = False

    def populate_indicators(self, dataframe, metadata):
        dataframe["rsi"] = ta.RSI(dataframe, timeperiod=14)
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["rsi"] < 35, "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["rsi"] > 60, "exit_long"] = 1
        return dataframe
