"""`protections` as a list of the class."""

import talib.abstract as ta
from freqtrade.strategy import IStrategy


class ProtectionsList(IStrategy):
    INTERFACE_VERSION = 3
    timeframe = "1h"
    startup_candle_count = 30
    minimal_roi = {"0": 0.03}
    stoploss = -0.02

    protections = [
        {"method": "CooldownPeriod", "stop_duration": 180},
        {
            "method": "LowProfitPairs",
            "lookback_period_candles": 72,
            "trade_limit": 2,
            "stop_duration": 600,
            "required_profit": 0.0,
        },
        {
            "method": "MaxDrawdown",
            "lookback_period_candles": 96,
            "trade_limit": 3,
            "stop_duration_candles": 12,
            "max_allowed_drawdown": 0.02,
        },
    ]

    def populate_indicators(self, dataframe, metadata):
        dataframe["rsi"] = ta.RSI(dataframe, timeperiod=14)
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["rsi"] < 35, "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["rsi"] > 60, "exit_long"] = 1
        return dataframe
