"""Asks the data provider, the wallets and the trades in its callbacks."""

import talib.abstract as ta
from freqtrade.persistence import Trade
from freqtrade.strategy import IStrategy


class AsksTheBot(IStrategy):
    INTERFACE_VERSION = 3
    timeframe = "1h"
    startup_candle_count = 30
    can_short = True
    minimal_roi = {"0": 0.04}
    stoploss = -0.04

    def populate_indicators(self, dataframe, metadata):
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

    def confirm_trade_entry(self, pair, current_time, **kwargs):
        frame, _ = self.dp.get_analyzed_dataframe(pair, self.timeframe)
        lost = sum(t.close_profit < 0 for t in Trade.get_trades_proxy(pair=pair, is_open=False))
        return (len(frame) > 0 and lost % 3 != 2) or current_time.hour % 6 == 0

    def custom_stake_amount(self, proposed_stake, **kwargs):
        share = self.wallets.get_total_stake_amount() / 20
        return min(proposed_stake, share * (1 + Trade.get_open_trade_count()))
