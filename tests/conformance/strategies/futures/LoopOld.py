"""`bot_loop_start(self, **kwargs)`: an entry waits for the even loops."""

import talib.abstract as ta
from freqtrade.strategy import IStrategy


class LoopOld(IStrategy):
    INTERFACE_VERSION = 3
    timeframe = "1h"
    startup_candle_count = 30
    minimal_roi = {"0": 0.04}
    stoploss = -0.04

    loops = 0

    def bot_start(self):
        self.loops = 1

    def bot_loop_start(self, **kwargs):
        self.loops += 1

    def populate_indicators(self, dataframe, metadata):
        dataframe["rsi"] = ta.RSI(dataframe, timeperiod=14)
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["rsi"] < 35, "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["rsi"] > 60, "exit_long"] = 1
        return dataframe

    def confirm_trade_entry(self, **kwargs):
        return self.loops % 2 == 0
