"""`order_filled` stores custom data, and `custom_exit` reads it."""

import talib.abstract as ta
from freqtrade.strategy import IStrategy


class Remembers(IStrategy):
    INTERFACE_VERSION = 3
    timeframe = "1h"
    startup_candle_count = 30
    can_short = True
    minimal_roi = {"0": 10}
    stoploss = -0.05

    def populate_indicators(self, dataframe, metadata):
        dataframe["rsi"] = ta.RSI(dataframe, timeperiod=14)
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["rsi"] < 38, "enter_long"] = 1
        dataframe.loc[dataframe["rsi"] > 62, "enter_short"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        return dataframe

    def order_filled(self, pair, trade, order, current_time, **kwargs):
        if order.ft_order_side == trade.entry_side:
            trade.set_custom_data("goal", 0.01 + 0.001 * (current_time.hour % 5))

    def custom_exit(self, pair, trade, current_time, current_rate, current_profit, **kwargs):
        goal = trade.get_custom_data("goal", default=1.0)
        return f"goal {goal:.3f}" if current_profit > goal else None
