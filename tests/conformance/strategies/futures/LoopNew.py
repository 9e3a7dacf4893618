"""`bot_loop_start` with the time; calls its base."""

import talib.abstract as ta
from freqtrade.strategy import IStrategy


class LoopNew(IStrategy):
    INTERFACE_VERSION = 3
    timeframe = "1h"
    startup_candle_count = 30
    minimal_roi = {"0": 0.04}
    stoploss = -0.04

    now = None

    def bot_start(self, **kwargs) -> None:
        self.started = True

    def bot_loop_start(self, current_time, **kwargs) -> None:
        self.now = current_time
        return super().bot_loop_start(current_time, **kwargs)

    def populate_indicators(self, dataframe, metadata):
        dataframe["rsi"] = ta.RSI(dataframe, timeperiod=14)
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["rsi"] < 35, "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["rsi"] > 60, "exit_long"] = 1
        return dataframe

    def confirm_trade_entry(self, current_time, **kwargs):
        return self.started and self.now is not None and self.now.day % 5 != 0
