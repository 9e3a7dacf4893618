"""The strategy of `benchmarks.never_naked fuzz`: every entry and exit comes from elsewhere."""

from typing import Any

import pandas as pd
from freqtrade.strategy import IStrategy

from qt_protections.guard import QTGuard


class PlainFuzz(IStrategy):
    """No signals and no protections, at leverage 30 with the stop 1 % away."""

    INTERFACE_VERSION = 3
    timeframe = "1m"
    can_short = True
    position_adjustment_enable = True

    minimal_roi = {"0": 10.0}
    stoploss = -0.3
    unfilledtimeout = {"entry": 15, "exit": 15, "unit": "seconds"}
    order_types = {
        "entry": "market",
        "exit": "market",
        "emergency_exit": "market",
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
        """Never enter."""
        return dataframe

    def populate_exit_trend(
        self, dataframe: pd.DataFrame, metadata: dict[str, Any]
    ) -> pd.DataFrame:
        """Never leave."""
        return dataframe

    def lock_pair(self, *args: Any, **kwargs: Any) -> None:
        """Lock nothing, so that a pair may be entered again within its candle."""


class GuardedFuzz(QTGuard, PlainFuzz):
    """PlainFuzz, guarded."""
