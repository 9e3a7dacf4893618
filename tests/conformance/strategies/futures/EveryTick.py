"""`process_only_new_candles = False`, and exits in profit only."""

import talib.abstract as ta
from freqtrade.strategy import IStrategy


class EveryTick(IStrategy):
    INTERFACE_VERSION = 3
    timeframe = "1h"
    startup_candle_count = 30
    minimal_roi = {"0": 0.03}
    stoploss = -0.06
    process_only_new_candles = False
    exit_profit_only = True
    exit_profit_offset = 0.01
    ignore_roi_if_entry_signal = True
    ignore_buying_expired_candle_after = 300

    def populate_indicators(self, dataframe, metadata):
        dataframe["rsi"] = ta.RSI(dataframe, timeperiod=14)
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["rsi"] < 35, "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["rsi"] > 60, "exit_long"] = 1
        return dataframe
