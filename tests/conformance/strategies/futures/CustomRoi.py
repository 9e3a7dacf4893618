"""`custom_roi`, which shrinks with the time."""

import talib.abstract as ta
from freqtrade.strategy import IStrategy


class CustomRoi(IStrategy):
    INTERFACE_VERSION = 3
    timeframe = "1h"
    startup_candle_count = 30
    can_short = True
    minimal_roi = {"0": 0.1}
    stoploss = -0.05
    use_custom_roi = True

    def populate_indicators(self, dataframe, metadata):
        dataframe["rsi"] = ta.RSI(dataframe, timeperiod=14)
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["rsi"] < 38, "enter_long"] = 1
        dataframe.loc[dataframe["rsi"] > 62, "enter_short"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        return dataframe

    def custom_roi(self, pair, trade, current_time, trade_duration, entry_tag, side, **kwargs):
        return 0.01 if trade_duration > 600 else 0.025
