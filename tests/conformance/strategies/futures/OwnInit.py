"""Sets in `__init__` what others set in the class."""

import talib.abstract as ta
from freqtrade.strategy import IStrategy


class OwnInit(IStrategy):
    INTERFACE_VERSION = 3
    timeframe = "1h"
    startup_candle_count = 30
    can_short = True

    def __init__(self, config):
        super().__init__(config)
        self.minimal_roi = {"0": 0.03}
        self.stoploss = -0.035
        self.seen = {}
        self.startup_candle_count = 50
        self.protections = [{"method": "CooldownPeriod", "stop_duration_candles": 3}]

    def populate_indicators(self, dataframe, metadata):
        self.seen[metadata["pair"]] = len(dataframe)
        dataframe["rsi"] = ta.RSI(dataframe, timeperiod=14)
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["rsi"] < 35, "enter_long"] = 1
        dataframe.loc[dataframe["rsi"] > 65, "enter_short"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["rsi"] > 60, "exit_long"] = 1
        dataframe.loc[dataframe["rsi"] < 40, "exit_short"] = 1
        return dataframe

    def confirm_trade_entry(self, pair, **kwargs):
        return self.seen[pair] > 50
