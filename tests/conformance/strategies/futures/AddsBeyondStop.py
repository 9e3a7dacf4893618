"""Adds to a trade in each candle, also where the price is beyond the trade's stop already."""

import talib.abstract as ta
from freqtrade.strategy import IStrategy


class AddsBeyondStop(IStrategy):
    INTERFACE_VERSION = 3
    timeframe = "1h"
    startup_candle_count = 30
    can_short = True
    minimal_roi = {"0": 0.5}
    stoploss = -0.3
    trailing_stop = True
    trailing_stop_positive = 0.01
    trailing_stop_positive_offset = 0.07
    trailing_only_offset_is_reached = True
    position_adjustment_enable = True

    def populate_indicators(self, dataframe, metadata):
        dataframe["rsi"] = ta.RSI(dataframe, timeperiod=14)
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["rsi"] < 40, "enter_long"] = 1
        dataframe.loc[dataframe["rsi"] > 60, "enter_short"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        return dataframe

    def leverage(self, max_leverage, **kwargs):
        return min(10.0, max_leverage)

    def custom_stake_amount(self, proposed_stake, **kwargs):
        return proposed_stake / 20

    def adjust_trade_position(self, trade, **kwargs):
        return trade.stake_amount / trade.nr_of_successful_entries
