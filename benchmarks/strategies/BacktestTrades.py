"""The strategies of `benchmarks.backtest_cost`: many trades or few, on the same candles."""

from typing import Any

import pandas as pd
from freqtrade.strategy import IStrategy

from qt_protections.guard import QTGuard


class PlainMany(IStrategy):
    """Long on every fourth candle and out two later, with a stop that is seldom hit."""

    INTERFACE_VERSION = 3
    timeframe = "1h"
    every = 4

    minimal_roi = {"0": 10.0}
    stoploss = -0.25

    def leverage(self, **kwargs: Any) -> float:  # type: ignore[override]
        """Return 3."""
        return 3.0

    def populate_indicators(
        self, dataframe: pd.DataFrame, metadata: dict[str, Any]
    ) -> pd.DataFrame:
        """Number the candles."""
        dataframe["number"] = range(len(dataframe))
        return dataframe

    def populate_entry_trend(
        self, dataframe: pd.DataFrame, metadata: dict[str, Any]
    ) -> pd.DataFrame:
        """Go long."""
        dataframe["enter_long"] = (dataframe["number"] % self.every == 0).astype(int)
        return dataframe

    def populate_exit_trend(
        self, dataframe: pd.DataFrame, metadata: dict[str, Any]
    ) -> pd.DataFrame:
        """Leave halfway to the next entry."""
        dataframe["exit_long"] = (dataframe["number"] % self.every == self.every // 2).astype(int)
        return dataframe


class GuardedMany(QTGuard, PlainMany):
    """PlainMany, guarded."""


class PlainFew(PlainMany):
    """The same, on every 300th candle."""

    every = 300


class GuardedFew(QTGuard, PlainFew):
    """PlainFew, guarded."""
