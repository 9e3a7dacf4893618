"""`custom_stoploss` of the age before `after_fill`."""

import talib.abstract as ta
from freqtrade.strategy import IStrategy


class StopOld(IStrategy):
    INTERFACE_VERSION = 3
    timeframe = "1h"
    startup_candle_count = 30
    can_short = True
    minimal_roi = {"0": 10}
    stoploss = -0.06
    use_custom_stoploss = True

    def populate_indicators(self, dataframe, metadata):
        dataframe["rsi"] = ta.RSI(dataframe, timeperiod=14)
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["rsi"] < 38, "enter_long"] = 1
        dataframe.loc[dataframe["rsi"] > 62, "enter_short"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        return dataframe

    def custom_stoploss(self, pair, trade, current_time, current_rate, current_profit, **kwargs):
        return -0.01 if current_profit > 0.01 else -0.03
