"""Limit prices away from the market, time-outs of its own and of `unfilledtimeout`."""

import talib.abstract as ta
from freqtrade.strategy import IStrategy


class PricesAndTimeouts(IStrategy):
    INTERFACE_VERSION = 3
    timeframe = "1h"
    startup_candle_count = 30
    can_short = True
    minimal_roi = {"0": 0.03}
    stoploss = -0.05
    unfilledtimeout = {"entry": 180, "exit": 120, "exit_timeout_count": 0, "unit": "minutes"}

    def populate_indicators(self, dataframe, metadata):
        dataframe["rsi"] = ta.RSI(dataframe, timeperiod=14)
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["rsi"] < 35, "enter_long"] = 1
        dataframe.loc[dataframe["rsi"] > 65, "enter_short"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["rsi"] > 60, "exit_long"] = 1
        dataframe.loc[dataframe["rsi"] < 40, "exit_short"] = 1
        return dataframe

    def custom_entry_price(
        self, pair, trade, current_time, proposed_rate, entry_tag, side, **kwargs
    ):
        return proposed_rate * (1.012 if side == "short" else 0.988)

    def custom_exit_price(
        self, pair, trade, current_time, proposed_rate, current_profit, exit_tag, **kwargs
    ):
        return proposed_rate * (0.996 if trade.is_short else 1.004)

    def check_entry_timeout(self, pair, trade, order, current_time, **kwargs):
        return current_time.hour == 7

    def check_exit_timeout(self, pair, trade, order, current_time, **kwargs):
        return current_time.hour == 9
