"""Informative candles by decorator, of the pair and of another."""

import talib.abstract as ta
from freqtrade.strategy import IStrategy, informative


class InformativeDecorated(IStrategy):
    INTERFACE_VERSION = 3
    timeframe = "1h"
    startup_candle_count = 30
    can_short = True
    minimal_roi = {"0": 0.05}
    stoploss = -0.04

    @informative("4h")
    def populate_indicators_4h(self, dataframe, metadata):
        dataframe["rsi"] = ta.RSI(dataframe, timeperiod=7)
        return dataframe

    @informative("4h", "BTC/{stake}:{stake}", "{base}_{column}_{timeframe}")
    def populate_indicators_btc(self, dataframe, metadata):
        dataframe["fast"] = ta.EMA(dataframe, timeperiod=5)
        return dataframe

    def populate_indicators(self, dataframe, metadata):
        dataframe["rsi"] = ta.RSI(dataframe, timeperiod=14)
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        up = dataframe["btc_close_4h"] > dataframe["btc_fast_4h"]
        dataframe.loc[up & (dataframe["rsi_4h"] < 55) & (dataframe["rsi"] < 45), "enter_long"] = 1
        dataframe.loc[~up & (dataframe["rsi_4h"] > 45) & (dataframe["rsi"] > 55), "enter_short"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["rsi_4h"] > 65, "exit_long"] = 1
        dataframe.loc[dataframe["rsi_4h"] < 35, "exit_short"] = 1
        return dataframe
