"""A regression in FreqAI's interface: its predicted change of the price, against its own spread."""

import talib.abstract as ta
from freqtrade.strategy import IStrategy


class AiTarget(IStrategy):
    INTERFACE_VERSION = 3
    timeframe = "1h"
    startup_candle_count = 20
    can_short = True
    minimal_roi = {"0": 0.03}
    stoploss = -0.05
    process_only_new_candles = True

    def feature_engineering_expand_all(self, dataframe, period, metadata, **kwargs):
        dataframe["%-rsi-period"] = ta.RSI(dataframe, timeperiod=period)
        dataframe["%-mfi-period"] = ta.MFI(dataframe, timeperiod=period)
        return dataframe

    def feature_engineering_expand_basic(self, dataframe, metadata, **kwargs):
        dataframe["%-change"] = dataframe["close"].pct_change()
        return dataframe

    def feature_engineering_standard(self, dataframe, metadata, **kwargs):
        dataframe["%-hour"] = dataframe["date"].dt.hour
        return dataframe

    def set_freqai_targets(self, dataframe, metadata, **kwargs):
        ahead = self.freqai_info["feature_parameters"]["label_period_candles"]
        mean = dataframe["close"].shift(-ahead).rolling(ahead).mean()
        dataframe["&-change"] = mean / dataframe["close"] - 1
        return dataframe

    def populate_indicators(self, dataframe, metadata):
        return self.freqai.start(dataframe, metadata, self)

    def populate_entry_trend(self, dataframe, metadata):
        sure = dataframe["do_predict"] == 1
        dataframe.loc[sure & (dataframe["&-change"] > 0.004), "enter_long"] = 1
        dataframe.loc[sure & (dataframe["&-change"] < -0.004), "enter_short"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        dataframe.loc[dataframe["&-change"] < 0, "exit_long"] = 1
        dataframe.loc[dataframe["&-change"] > 0, "exit_short"] = 1
        return dataframe
