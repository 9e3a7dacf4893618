"""Confirmations of the age before `current_time`, tag and side were arguments."""

import talib.abstract as ta
from freqtrade.strategy import IStrategy


class ConfirmOld(IStrategy):
    INTERFACE_VERSION = 3
    timeframe = "1h"
    startup_candle_count = 30
    minimal_roi = {"0": 0.04}
    stoploss = -0.04

    def populate_indicators(self, dataframe, metadata):
        dataframe["rsi"] = ta.RSI(dataframe, timeperiod=14)
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["rsi"] < 35, "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["rsi"] > 60, "exit_long"] = 1
        return dataframe

    def confirm_trade_entry(self, pair, order_type, amount, rate, time_in_force, **kwargs):
        return kwargs["current_time"].hour % 3 != 0

    def confirm_trade_exit(self, pair, trade, order_type, amount, rate, time_in_force, **kwargs):
        return kwargs["exit_reason"] != "exit_signal" or kwargs["current_time"].hour % 4 != 0
