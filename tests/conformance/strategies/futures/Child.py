"""Inherits from a strategy in another file."""

from Parent import Parent


class Child(Parent):
    stoploss = -0.03

    def populate_entry_trend(self, dataframe, metadata):
        dataframe = super().populate_entry_trend(dataframe, metadata)
        dataframe.loc[dataframe["volume"] == 0, "enter_long"] = 0
        return dataframe

    def custom_exit(self, pair, trade, current_time, current_rate, current_profit, **kwargs):
        reason = super().custom_exit(pair, trade, current_time, current_rate, current_profit)
        return reason or ("child" if current_profit > 0.02 else None)
