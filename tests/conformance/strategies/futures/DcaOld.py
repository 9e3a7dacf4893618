"""Averages down, with the signatures of the age before leverage and sides."""

import talib.abstract as ta
from freqtrade.strategy import IStrategy


class DcaOld(IStrategy):
    INTERFACE_VERSION = 3
    timeframe = "1h"
    startup_candle_count = 30
    minimal_roi = {"0": 0.02}
    stoploss = -0.12
    position_adjustment_enable = True
    max_entry_position_adjustment = 2

    def populate_indicators(self, dataframe, metadata):
        dataframe["rsi"] = ta.RSI(dataframe, timeperiod=14)
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["rsi"] < 40, "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        return dataframe

    def custom_stake_amount(
        self, pair, current_time, current_rate, proposed_stake, min_stake, max_stake, **kwargs
    ):
        return proposed_stake / 4

    def adjust_trade_position(
        self, trade, current_time, current_rate, current_profit, min_stake, max_stake, **kwargs
    ):
        entries = trade.nr_of_successful_entries
        return trade.stake_amount if current_profit < -0.02 * entries else None
