"""Locks its pair while it holds a position, and averages down behind the lock."""

from datetime import timedelta

import talib.abstract as ta
from freqtrade.strategy import IStrategy


class LockedGrinder(IStrategy):
    INTERFACE_VERSION = 3
    timeframe = "1h"
    startup_candle_count = 30
    minimal_roi = {"0": 0.02}
    stoploss = -0.12
    position_adjustment_enable = True

    def populate_indicators(self, dataframe, metadata):
        dataframe["rsi"] = ta.RSI(dataframe, timeperiod=14)
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["rsi"] < 40, "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        return dataframe

    def order_filled(self, pair, trade, order, current_time, **kwargs):
        self.lock_pair(pair, current_time + timedelta(hours=24), reason="one at a time")

    def custom_stake_amount(self, proposed_stake, **kwargs):
        return proposed_stake / 4

    def adjust_trade_position(self, trade, current_profit, **kwargs):
        few = trade.nr_of_successful_entries < 4
        return trade.stake_amount if few and current_profit < -0.02 else None
