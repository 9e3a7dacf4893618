"""The fault table's strategies: one and the same signals, plain and guarded."""

from typing import Any

import pandas as pd
from freqtrade.strategy import IStrategy

from qt_protections.guard import QTGuard


class PlainSignals(IStrategy):
    """Long on every pair and candle, at leverage 30 with the stop 0.5 % away, on the exchange."""

    INTERFACE_VERSION = 3
    timeframe = "1m"
    can_short = True

    minimal_roi = {"0": 0.30}
    stoploss = -0.15
    order_types = {
        "entry": "market",
        "exit": "market",
        "stoploss": "market",
        "stoploss_on_exchange": True,
    }

    def leverage(self, max_leverage: float, **kwargs: Any) -> float:  # type: ignore[override]
        """Return 30."""
        return min(30.0, max_leverage)

    def populate_indicators(
        self, dataframe: pd.DataFrame, metadata: dict[str, Any]
    ) -> pd.DataFrame:
        """Add the confidence the guard asks for."""
        dataframe["confidence"] = 0.9
        return dataframe

    def populate_entry_trend(
        self, dataframe: pd.DataFrame, metadata: dict[str, Any]
    ) -> pd.DataFrame:
        """Go long."""
        dataframe["enter_long"] = 1
        return dataframe

    def populate_exit_trend(
        self, dataframe: pd.DataFrame, metadata: dict[str, Any]
    ) -> pd.DataFrame:
        """Leave the exits to the stop and to the profit target."""
        return dataframe


class GuardedSignals(QTGuard, PlainSignals):
    """PlainSignals, guarded."""
