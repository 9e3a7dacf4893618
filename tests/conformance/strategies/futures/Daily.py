"""Daily candles and a long warm-up."""

import talib.abstract as ta
from freqtrade.strategy import IStrategy


class Daily(IStrategy):
    INTERFACE_VERSION = 3
    timeframe = "1d"
    startup_candle_count = 200
    can_short = True
    minimal_roi = {"0": 0.15}
    stoploss = -0.1

    def populate_indicators(self, dataframe, metadata):
        dataframe["slow"] = ta.SMA(dataframe, timeperiod=200)
        dataframe["rsi"] = ta.RSI(dataframe, timeperiod=5)
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        above = dataframe["close"] > dataframe["slow"]
        dataframe.loc[above & (dataframe["rsi"] < 45), "enter_long"] = 1
        dataframe.loc[~above & (dataframe["rsi"] > 55), "enter_short"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["rsi"] > 60, "exit_long"] = 1
        dataframe.loc[dataframe["rsi"] < 40, "exit_short"] = 1
        return dataframe
