"""Asks its own callbacks, each in a way of its own."""

import talib.abstract as ta
from freqtrade.strategy import IStrategy


class AsksItself(IStrategy):
    INTERFACE_VERSION = 3
    timeframe = "1h"
    startup_candle_count = 30
    minimal_roi = {"0": 0.08}
    stoploss = -0.2
    position_adjustment_enable = True
    max_entry_position_adjustment = 2

    def populate_indicators(self, dataframe, metadata):
        dataframe["rsi"] = ta.RSI(dataframe, timeperiod=14)
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["rsi"] < 38, "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        return dataframe

    def leverage(self, pair, **kwargs):
        return 3.0

    def custom_stake_amount(self, pair, proposed_stake=90.0, **kwargs):
        return proposed_stake / self.leverage(pair)

    def confirm_trade_entry(self, pair, order_type="market", **kwargs):
        return self.custom_stake_amount(pair) > 0

    def adjust_trade_position(self, trade, current_time=None, **kwargs):
        if current_time is None:
            return 30.0 * self.leverage(trade.pair)
        wanted = self.confirm_trade_entry(trade.pair)
        return self.adjust_trade_position(trade) if wanted else None
