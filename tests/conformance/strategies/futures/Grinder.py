"""Adds with a tag when it loses, gives parts back when it gains, under leverage."""

import talib.abstract as ta
from freqtrade.strategy import IStrategy


class Grinder(IStrategy):
    INTERFACE_VERSION = 3
    timeframe = "1h"
    startup_candle_count = 30
    can_short = True
    minimal_roi = {"0": 10}
    stoploss = -0.5
    position_adjustment_enable = True

    def populate_indicators(self, dataframe, metadata):
        dataframe["rsi"] = ta.RSI(dataframe, timeperiod=14)
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["rsi"] < 38, "enter_long"] = 1
        dataframe.loc[dataframe["rsi"] > 62, "enter_short"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        return dataframe

    def leverage(
        self,
        pair: str,
        current_time,
        current_rate: float,
        proposed_leverage: float,
        max_leverage: float,
        entry_tag: str | None,
        side: str,
        **kwargs,
    ) -> float:
        return 3.0

    def custom_stake_amount(self, proposed_stake, **kwargs):
        return proposed_stake * 0.2

    def adjust_trade_position(
        self,
        trade,
        current_time,
        current_rate,
        current_profit,
        min_stake,
        max_stake,
        current_entry_rate,
        current_exit_rate,
        current_entry_profit,
        current_exit_profit,
        **kwargs,
    ):
        if current_profit > 0.03 and trade.nr_of_successful_exits < 2:
            return -trade.stake_amount / 2, "half_off"
        if current_profit < -0.04 and trade.nr_of_successful_entries < 4:
            return trade.stake_amount * 0.8, "grind"
        return None

    def custom_exit(self, pair, trade, current_time, current_rate, current_profit, **kwargs):
        return "ground" if trade.nr_of_successful_exits == 2 else None
