"""A strategy for the market that takes turns: it enters in minutes that stand still only."""

from typing import Any

import numpy as np
import pandas as pd

from qt_protections.guard import QTGuard
from tests.integration.strategies import Quiet
from tests.integration.turns import BASES

#: Leverage each pair asks for; the guard lowers it where liquidation would come before the stop.
LEVERAGE = {"BTC": 75.0, "ETH": 50.0, "SOL": 40.0, "ZEN": 20.0, "DOGE": 25.0}


class Turns(Quiet):
    """Enters and leaves by chance, the same chance for the same candle."""

    protections = []
    minimal_roi = {"0": 100}
    #: As many as the guard has a live bot keep: average ranges are the same only from then on.
    startup_candle_count = 600

    def leverage(self, pair: str, **kwargs: Any) -> float:  # type: ignore[override]
        """Return the pair's."""
        return LEVERAGE[pair.split("/", maxsplit=1)[0]]

    def populate_indicators(
        self, dataframe: pd.DataFrame, metadata: dict[str, Any]
    ) -> pd.DataFrame:
        """Draw what a candle wants: either side, any confidence, every 20 minutes only exits."""
        number = BASES.index(metadata["pair"].split("/")[0])
        minute = (dataframe["date"] - pd.Timestamp(0, tz="UTC")) // pd.Timedelta("1min")
        leaves = minute % 20 == 19
        enters = (minute % 2 == 1) & ~leaves & (_chance(minute, number, 1) < 0.6)
        is_short = _chance(minute, number, 2) < 0.5
        dataframe["wants_long"] = (enters & ~is_short).astype(int)
        dataframe["wants_short"] = (enters & is_short).astype(int)
        dataframe["leaves"] = (leaves & (_chance(minute, number, 3) < 0.5)).astype(int)
        dataframe["confidence"] = _chance(minute, number, 4)
        return dataframe

    def populate_entry_trend(
        self, dataframe: pd.DataFrame, metadata: dict[str, Any]
    ) -> pd.DataFrame:
        """Enter as drawn."""
        dataframe["enter_long"] = dataframe["wants_long"]
        dataframe["enter_short"] = dataframe["wants_short"]
        return dataframe

    def populate_exit_trend(
        self, dataframe: pd.DataFrame, metadata: dict[str, Any]
    ) -> pd.DataFrame:
        """Leave as drawn."""
        dataframe["exit_long"] = dataframe["exit_short"] = dataframe["leaves"]
        return dataframe


class GuardedTurns(QTGuard, Turns):
    """Turns, guarded."""


def _chance(minute: pd.Series, number: int, draw: int) -> np.ndarray:
    """Return a number of [0, 1) for each minute, pair and draw, by a hash of them."""
    mixed = minute.to_numpy().astype(np.uint64) * np.uint64(1_000_003)
    mixed = mixed + np.uint64(number * 101 + draw)
    for shift in (33, 29, 32):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(0xFF51AFD7ED558CCD)
    return (mixed >> np.uint64(11)).astype(float) / 2.0**53
