"""Version 2: `custom_sell`."""

import talib.abstract as ta
from freqtrade.strategy import IStrategy


class CustomSell(IStrategy):
    INTERFACE_VERSION = 2
    timeframe = "1h"
    startup_candle_count = 30
    minimal_roi = {"0": 10}
    stoploss = -0.05

    def populate_indicators(self, dataframe, metadata):
        dataframe["rsi"] = ta.RSI(dataframe, timeperiod=14)
        return dataframe

    def populate_buy_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["rsi"] < 35, "buy"] = 1
        return dataframe

    def populate_sell_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["rsi"] > 60, "sell"] = 1
        return dataframe

    def custom_sell(self, pair, trade, current_time, current_rate, current_profit, **kwargs):
        return "took_2_percent" if current_profit > 0.02 else None
