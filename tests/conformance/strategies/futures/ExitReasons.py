"""`custom_exit`: by gain and by time, with text and with True."""

import talib.abstract as ta
from freqtrade.strategy import IStrategy


class ExitReasons(IStrategy):
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

    def custom_exit(self, pair, trade, current_time, current_rate, current_profit, **kwargs):
        hours = (current_time - trade.open_date_utc).total_seconds() / 3600
        if current_profit > 0.015:
            return "gain_after_" + trade.trade_direction
        if hours > 12 and current_profit > 0:
            return True
        return "too_long" if hours > 36 else None
