"""Moves waiting orders with `adjust_entry_price` and `adjust_exit_price`."""

import talib.abstract as ta
from freqtrade.strategy import IStrategy


class AdjustEntry(IStrategy):
    INTERFACE_VERSION = 3
    timeframe = "1h"
    startup_candle_count = 30
    can_short = True
    minimal_roi = {"0": 0.03}
    stoploss = -0.05
    unfilledtimeout = {"entry": 600, "exit": 600, "unit": "minutes"}

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

    def custom_entry_price(self, proposed_rate, side, **kwargs):
        return proposed_rate * (1.015 if side == "short" else 0.985)

    def adjust_entry_price(
        self,
        trade,
        order,
        pair,
        current_time,
        proposed_rate,
        current_order_rate,
        entry_tag,
        side,
        **kwargs,
    ):
        if current_time.hour == 5:
            return None
        return proposed_rate * 0.995 if side == "long" else current_order_rate

    def adjust_exit_price(self, trade, order, pair, current_time, proposed_rate, **kwargs):
        return proposed_rate
