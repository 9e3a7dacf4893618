"""Mixins of its own, from a module beside it."""

from common_parts import Signals, Stops
from freqtrade.strategy import IStrategy


class OfManyParts(Signals, Stops, IStrategy):
    INTERFACE_VERSION = 3
    timeframe = "1h"
    startup_candle_count = 30
    can_short = True
    minimal_roi = {"0": 0.05}
    stoploss = -0.05

    def confirm_trade_entry(self, *args, **kwargs):
        return super().confirm_trade_entry(*args, **kwargs) and kwargs["current_time"].day != 13
