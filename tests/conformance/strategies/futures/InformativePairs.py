"""Informative candles by `informative_pairs` and `merge_informative_pair`."""

import talib.abstract as ta
from freqtrade.strategy import IStrategy, merge_informative_pair


class InformativePairs(IStrategy):
    INTERFACE_VERSION = 3
    timeframe = "1h"
    startup_candle_count = 30
    minimal_roi = {"0": 0.05}
    stoploss = -0.04

    def informative_pairs(self):
        return [(pair, "4h") for pair in self.dp.current_whitelist()] + [("ETH/USDT:USDT", "1h")]

    def populate_indicators(self, dataframe, metadata):
        dataframe["rsi"] = ta.RSI(dataframe, timeperiod=14)
        longer = self.dp.get_pair_dataframe(metadata["pair"], "4h")
        longer["ema"] = ta.EMA(longer, timeperiod=8)
        return merge_informative_pair(dataframe, longer, self.timeframe, "4h", ffill=True)

    def populate_entry_trend(self, dataframe, metadata):
        up = dataframe["close_4h"] > dataframe["ema_4h"]
        dataframe.loc[up & (dataframe["rsi"] < 48), "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["close_4h"] < dataframe["ema_4h"], "exit_long"] = 1
        return dataframe
