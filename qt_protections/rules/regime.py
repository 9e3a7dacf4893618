"""The market's regime: a close against its EMA, on closed candles only.

A market above its EMA200 by more than the band is in an uptrend, below it by more than the band in
a downtrend, sideways between, and unknown while the average has not settled or candles are missing.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import numpy as np
import pandas as pd


class Regime(StrEnum):
    """What the market does; `UNKNOWN` is a state of its own, never taken for calm."""

    UPTREND = "UPTREND"
    DOWNTREND = "DOWNTREND"
    SIDEWAYS = "SIDEWAYS"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True, slots=True)
class Trend:
    """Where a market stands at one moment.

    Attributes:
        regime: The verdict.
        distance: Close over EMA, minus one (0.03 is 3 % above); NaN when unknown.
        closed_at: Close time (UTC) of the candle judged; None when there is none.
    """

    regime: Regime
    distance: float
    closed_at: datetime | None


UNKNOWN_TREND = Trend(Regime.UNKNOWN, float("nan"), None)


@dataclass(frozen=True, slots=True)
class TrendRule:
    """How a regime is told from closes.

    Attributes:
        span: Length of the exponential average, in candles (alpha = 2 / (span + 1)).
        band_ratio: Half-width of the sideways band, as a ratio of the average.
        settle_candles: Candles before the average counts. After three spans the first close weighs
            (1 - alpha)^(3 span), 0.25 %: a start 30 % off still moves the average by under 0.1 %.
    """

    span: int = 200
    band_ratio: float = 0.02
    settle_candles: int = 600

    def distances(self, close: pd.Series) -> pd.Series:
        """Return close over EMA minus one, NaN until the average has settled.

        Args:
            close: Closes of closed candles, oldest first, without gaps.
        """
        average = close.ewm(span=self.span, adjust=False, min_periods=self.settle_candles).mean()
        return close / average - 1

    def classify(self, distances: pd.Series) -> pd.Series:
        """Return the `Regime` value of each distance, row by row."""
        verdicts = np.select(
            [distances > self.band_ratio, distances < -self.band_ratio, distances.notna()],
            [Regime.UPTREND.value, Regime.DOWNTREND.value, Regime.SIDEWAYS.value],
            default=Regime.UNKNOWN.value,
        )
        return pd.Series(verdicts, index=distances.index, dtype=object)

    def history(self, candles: pd.DataFrame, interval: pd.Timedelta) -> pd.DataFrame:
        """Judge every closed candle.

        Args:
            candles: Columns `date` (open time, UTC) and `close`; oldest first, without gaps.
            interval: Length of one candle.

        Returns:
            Columns `closed_at`, `distance` and `regime`, one row a candle.
        """
        distance = self.distances(candles["close"].astype(float))
        return pd.DataFrame(
            {
                "closed_at": candles["date"] + interval,
                "distance": distance,
                "regime": self.classify(distance),
            }
        )


def as_of(history: pd.DataFrame, moments: pd.Series, interval: pd.Timedelta) -> pd.DataFrame:
    """Return what was known of the trend at each moment, without looking ahead.

    Args:
        history: As `TrendRule.history` returns it.
        moments: Decision times (UTC), ascending: the close of each candle a strategy acts on.
        interval: Length of one candle of `history`. A newest candle that closed a whole interval or
            more before the moment is stale: the one after it should be known by then.

    Returns:
        Columns `distance` and `regime`, one row a moment, in order.
    """
    if history.empty:
        verdicts = [Regime.UNKNOWN.value] * len(moments)
        return pd.DataFrame({"distance": np.nan, "regime": pd.Series(verdicts, dtype=object)})
    latest = history["closed_at"].searchsorted(moments, side="right") - 1
    known = history.iloc[latest.clip(min=0)].reset_index(drop=True)
    age = moments.reset_index(drop=True) - known["closed_at"]
    lost = (latest < 0) | (age >= interval)
    return pd.DataFrame(
        {
            "distance": known["distance"].mask(lost),
            "regime": known["regime"].mask(lost, Regime.UNKNOWN.value),
        }
    )


def resample(candles: pd.DataFrame, interval: pd.Timedelta, target: pd.Timedelta) -> pd.DataFrame:
    """Build the closed candles of a longer interval; incomplete ones are left out.

    Args:
        candles: Columns `date` (open time, UTC) and `close`; oldest first.
        interval: Length of one given candle; it divides `target`.
        target: Length of one wanted candle, aligned to the epoch as exchanges align theirs.
    """
    grouped = candles.groupby(candles["date"].dt.floor(target))["close"]
    longer = grouped.agg(["last", "size"])
    whole = longer[longer["size"] == int(target / interval)]
    return pd.DataFrame({"date": whole.index, "close": whole["last"].to_numpy()})
