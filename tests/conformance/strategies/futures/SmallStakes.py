"""Stakes below the exchange's minimum, which Freqtrade raises or drops, and none at all."""

import talib.abstract as ta
from freqtrade.strategy import IStrategy


class SmallStakes(IStrategy):
    INTERFACE_VERSION = 3
    timeframe = "1h"
    startup_candle_count = 30
    minimal_roi = {"0": 0.03}
    stoploss = -0.04

    def populate_indicators(self, dataframe, metadata):
        dataframe["rsi"] = ta.RSI(dataframe, timeperiod=14)
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["rsi"] < 35, "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["rsi"] > 60, "exit_long"] = 1
        return dataframe

    def custom_stake_amount(
        self,
        pair,
        current_time,
        current_rate,
        proposed_stake,
        min_stake,
        max_stake,
        leverage,
        entry_tag,
        side,
        **kwargs,
    ):
        if current_time.hour % 3 == 0:
            return 0
        return min_stake * (0.9 if current_time.hour % 2 else 0.5)
