"""Asks for no stop in Freqtrade's words, and adds where it loses."""

import talib.abstract as ta
from freqtrade.strategy import IStrategy


class NoStop(IStrategy):
    INTERFACE_VERSION = 3
    timeframe = "1h"
    startup_candle_count = 30
    can_short = True
    position_adjustment_enable = True
    max_entry_position_adjustment = 1
    minimal_roi = {"0": 0.05}
    stoploss = -1.0

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

    def custom_stake_amount(self, proposed_stake, **kwargs):
        return proposed_stake / 2

    def adjust_trade_position(self, trade, current_profit, **kwargs):
        return trade.stake_amount / 2 if current_profit < -0.01 else None
