"""Version 2: buy and sell, and the settings of that age."""

import talib.abstract as ta
from freqtrade.strategy import IStrategy


class BuySell(IStrategy):
    INTERFACE_VERSION = 2
    timeframe = "1h"
    startup_candle_count = 30
    minimal_roi = {"60": 0.02, "30": 0.03, "0": 0.04}
    stoploss = -0.05
    sell_profit_only = True
    sell_profit_offset = 0.005
    use_sell_signal = True
    ignore_roi_if_buy_signal = True

    def populate_indicators(self, dataframe, metadata):
        dataframe["rsi"] = ta.RSI(dataframe, timeperiod=14)
        return dataframe

    def populate_buy_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["rsi"] < 35, "buy"] = 1
        return dataframe

    def populate_sell_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["rsi"] > 60, "sell"] = 1
        return dataframe
