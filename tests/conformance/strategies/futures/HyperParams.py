"""Hyperopt parameters of every kind, with the values of `buy_params` and its like."""

import talib.abstract as ta
from freqtrade.strategy import (
    BooleanParameter,
    CategoricalParameter,
    DecimalParameter,
    IntParameter,
    IStrategy,
)


class HyperParams(IStrategy):
    INTERFACE_VERSION = 3
    timeframe = "1h"
    startup_candle_count = 30
    can_short = True
    minimal_roi = {"0": 0.05}
    stoploss = -0.04

    buy_params = {"buy_rsi": 36, "buy_shorts": True}
    sell_params = {"sell_rsi": 58.5}
    protection_params = {"cooldown": 6}

    buy_rsi = IntParameter(5, 50, default=20, space="buy")
    buy_shorts = BooleanParameter(default=False, space="buy")
    buy_period = CategoricalParameter([7, 14], default=14, space="buy", optimize=False)
    sell_rsi = DecimalParameter(50, 90, decimals=1, default=80, space="sell")
    cooldown = IntParameter(0, 12, default=1, space="protection")

    @property
    def protections(self):
        return [{"method": "CooldownPeriod", "stop_duration_candles": self.cooldown.value}]

    def populate_indicators(self, dataframe, metadata):
        dataframe["rsi"] = ta.RSI(dataframe, timeperiod=self.buy_period.value)
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["rsi"] < self.buy_rsi.value, "enter_long"] = 1
        if self.buy_shorts.value:
            dataframe.loc[dataframe["rsi"] > 100 - self.buy_rsi.value, "enter_short"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["rsi"] > self.sell_rsi.value, "exit_long"] = 1
        return dataframe
