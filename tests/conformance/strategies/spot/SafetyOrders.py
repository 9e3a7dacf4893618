"""Version 2: safety orders, each larger than the first."""

import talib.abstract as ta
from freqtrade.strategy import IStrategy


class SafetyOrders(IStrategy):
    INTERFACE_VERSION = 2
    timeframe = "1h"
    startup_candle_count = 30
    minimal_roi = {"0": 0.02}
    stoploss = -0.3
    position_adjustment_enable = True

    def populate_indicators(self, dataframe, metadata):
        dataframe["rsi"] = ta.RSI(dataframe, timeperiod=14)
        return dataframe

    def populate_buy_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["rsi"] < 35, "buy"] = 1
        return dataframe

    def populate_sell_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["rsi"] > 60, "sell"] = 1
        return dataframe

    def custom_stake_amount(
        self, pair, current_time, current_rate, proposed_stake, min_stake, max_stake, **kwargs
    ):
        return proposed_stake / 5

    def adjust_trade_position(
        self, trade, current_time, current_rate, current_profit, min_stake, max_stake, **kwargs
    ):
        filled = trade.select_filled_orders(trade.entry_side)
        if current_profit > -0.03 * len(filled) or len(filled) > 3:
            return None
        return filled[0].stake_amount * 1.2
