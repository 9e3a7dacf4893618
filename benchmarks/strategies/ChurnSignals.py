"""The strategy of `benchmarks.decision_latency`: in at market on every signal, out a loop later."""

import json
import time
from datetime import datetime, timedelta
from typing import Any

import pandas as pd
from freqtrade.enums import SignalDirection
from freqtrade.persistence import Trade
from freqtrade.strategy import IStrategy

from qt_protections.guard import QTGuard

#: In the folder of user data: pair and epoch milliseconds of each signal, a line each.
SIGNALS = "signals.jsonl"
LEAVE_AFTER = timedelta(seconds=1)


class PlainChurn(IStrategy):
    """Long on every pair at leverage 10, out after some seconds, and in again at once."""

    INTERFACE_VERSION = 3
    timeframe = "1m"

    minimal_roi = {"0": 10.0}
    stoploss = -0.20
    order_types = {
        "entry": "market",
        "exit": "market",
        "stoploss": "market",
        "stoploss_on_exchange": True,
    }

    def leverage(self, max_leverage: float, **kwargs: Any) -> float:  # type: ignore[override]
        """Return 10."""
        return 10.0

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
        """Leave the exits to the clock."""
        return dataframe

    def get_entry_signal(
        self, pair: str, timeframe: str, dataframe: pd.DataFrame
    ) -> tuple[SignalDirection | None, str | None]:
        """Write down when Freqtrade learns of a signal."""
        signal, tag = super().get_entry_signal(pair, timeframe, dataframe)
        if signal is not None:
            row = {"pair": pair, "ms": time.time_ns() / 1e6}
            with (self.config["user_data_dir"] / SIGNALS).open("a") as file:
                file.write(json.dumps(row) + "\n")
        return signal, tag

    def custom_exit(  # type: ignore[override]
        self, trade: Trade, current_time: datetime, **kwargs: Any
    ) -> str | None:
        """Leave after some seconds."""
        first = trade.date_entry_fill_utc
        return "time" if first is not None and current_time - first >= LEAVE_AFTER else None

    def lock_pair(self, *args: Any, **kwargs: Any) -> None:
        """Lock nothing, so that a pair may be entered again within its candle."""


class GuardedChurn(QTGuard, PlainChurn):
    """PlainChurn, guarded."""
