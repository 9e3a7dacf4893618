"""`custom_stoploss` with `after_fill`, from the open, under leverage; None keeps the stop."""

import talib.abstract as ta
from freqtrade.strategy import IStrategy, stoploss_from_open


class StopAfterFill(IStrategy):
    INTERFACE_VERSION = 3
    timeframe = "1h"
    startup_candle_count = 30
    can_short = True
    minimal_roi = {"0": 10}
    stoploss = -0.3
    use_custom_stoploss = True

    def populate_indicators(self, dataframe, metadata):
        dataframe["rsi"] = ta.RSI(dataframe, timeperiod=14)
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["rsi"] < 38, "enter_long"] = 1
        dataframe.loc[dataframe["rsi"] > 62, "enter_short"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        return dataframe

    def leverage(self, *args, **kwargs):
        return 3.0

    def custom_stoploss(
        self, pair, trade, current_time, current_rate, current_profit, after_fill, **kwargs
    ):
        if after_fill:
            return stoploss_from_open(
                -0.09, current_profit, is_short=trade.is_short, leverage=trade.leverage
            )
        if current_profit < 0.06:
            return None
        return stoploss_from_open(
            0.02, current_profit, is_short=trade.is_short, leverage=trade.leverage
        )
