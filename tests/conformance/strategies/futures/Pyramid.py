"""Adds to what gains."""

import talib.abstract as ta
from freqtrade.strategy import IStrategy


class Pyramid(IStrategy):
    INTERFACE_VERSION = 3
    timeframe = "1h"
    startup_candle_count = 30
    can_short = True
    minimal_roi = {"0": 0.08}
    stoploss = -0.05
    position_adjustment_enable = True
    max_entry_position_adjustment = 2

    def populate_indicators(self, dataframe, metadata):
        dataframe["rsi"] = ta.RSI(dataframe, timeperiod=14)
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["rsi"] < 38, "enter_long"] = 1
        dataframe.loc[dataframe["rsi"] > 62, "enter_short"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        return dataframe

    def custom_stake_amount(self, proposed_stake, **kwargs):
        return proposed_stake / 3

    def adjust_trade_position(self, trade, current_profit, **kwargs):
        return trade.stake_amount if current_profit > 0.02 else None
