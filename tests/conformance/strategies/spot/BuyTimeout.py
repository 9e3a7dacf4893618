"""Version 2: `check_buy_timeout` and `check_sell_timeout`."""

import talib.abstract as ta
from freqtrade.strategy import IStrategy


class BuyTimeout(IStrategy):
    INTERFACE_VERSION = 2
    timeframe = "1h"
    startup_candle_count = 30
    minimal_roi = {"0": 0.03}
    stoploss = -0.05
    unfilledtimeout = {"entry": 600, "exit": 600, "unit": "minutes"}

    def populate_indicators(self, dataframe, metadata):
        dataframe["rsi"] = ta.RSI(dataframe, timeperiod=14)
        return dataframe

    def populate_buy_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["rsi"] < 35, "buy"] = 1
        return dataframe

    def populate_sell_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["rsi"] > 60, "sell"] = 1
        return dataframe

    def custom_entry_price(self, pair, current_time, proposed_rate, **kwargs):
        return proposed_rate * 0.985

    def check_buy_timeout(self, pair, trade, order, current_time, **kwargs):
        return current_time.hour % 6 == 0

    def check_sell_timeout(self, pair, trade, order, current_time, **kwargs):
        return current_time.hour % 8 == 0
