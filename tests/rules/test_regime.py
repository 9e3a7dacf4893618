"""The regime is told from closed candles only, and says when it cannot tell."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qt_protections.rules.regime import Regime, TrendRule, as_of, resample

HOUR = pd.Timedelta("1h")
FOUR_HOURS = pd.Timedelta("4h")
START = pd.Timestamp("2024-01-01", tz="UTC")
QUICK = TrendRule(span=10, settle_candles=30)


def candles(closes: list[float], interval: pd.Timedelta = HOUR) -> pd.DataFrame:
    """Candles without gaps from START on."""
    dates = pd.date_range(START, periods=len(closes), freq=interval)
    return pd.DataFrame({"date": dates, "close": closes})


@pytest.mark.parametrize(
    ("distance", "regime"),
    [
        (0.0201, Regime.UPTREND),
        (0.02, Regime.SIDEWAYS),
        (0.0, Regime.SIDEWAYS),
        (-0.02, Regime.SIDEWAYS),
        (-0.0201, Regime.DOWNTREND),
        (float("nan"), Regime.UNKNOWN),
    ],
)
def test_band(distance: float, regime: Regime) -> None:
    """Two per cent either way is still sideways."""
    assert TrendRule().classify(pd.Series([distance])).iloc[0] == regime


def test_unknown_until_settled() -> None:
    """The average does not count before three spans of candles."""
    history = QUICK.history(candles([100.0] * 40), HOUR)
    assert (history["regime"].iloc[:29] == Regime.UNKNOWN).all()
    assert (history["regime"].iloc[29:] == Regime.SIDEWAYS).all()


def test_warm_up_forgets_the_start() -> None:
    """A start 30 % off moves the settled EMA200 by less than 0.1 %."""
    true = candles([100.0] * 600)
    skewed = candles([130.0] + [100.0] * 599)
    drift = TrendRule().distances(true["close"]) - TrendRule().distances(skewed["close"])
    assert abs(drift.iloc[-1]) < 0.001


def test_empty_history_is_unknown() -> None:
    """No candles at all give no verdict, and no error."""
    history = TrendRule().history(candles([]), HOUR)
    known = as_of(history, pd.Series([START]), HOUR)
    assert known["regime"].tolist() == [Regime.UNKNOWN]


@pytest.mark.parametrize(
    ("after_last_close", "known"),
    [
        (pd.Timedelta(0), True),
        (FOUR_HOURS - pd.Timedelta("1ms"), True),
        (FOUR_HOURS, False),
        (pd.Timedelta("30D"), False),
    ],
    ids=["at-its-close", "just-before-the-next", "next-is-due", "long-gone"],
)
def test_stale_is_unknown(after_last_close: pd.Timedelta, known: bool) -> None:
    """A candle counts until the one after it should have closed."""
    history = QUICK.history(candles([100.0] * 40, FOUR_HOURS), FOUR_HOURS)
    moment = history["closed_at"].iloc[-1] + after_last_close
    verdict = as_of(history, pd.Series([moment]), FOUR_HOURS)["regime"].iloc[0]
    assert (verdict != Regime.UNKNOWN) is known


@given(cut=st.integers(40, 119), factor=st.floats(0.1, 10))
def test_no_look_ahead(cut: int, factor: float) -> None:
    """What was known at a moment does not change with what came later."""
    closes = list(100 + np.sin(np.arange(120) / 5) * 10)
    changed = closes[:cut] + [c * factor for c in closes[cut:]]
    moments = pd.Series(pd.date_range(START, periods=480, freq="15min"))
    before = moments <= START + cut * HOUR
    known, other = (
        as_of(QUICK.history(candles(c), HOUR), moments, HOUR)[before] for c in (closes, changed)
    )
    pd.testing.assert_frame_equal(known, other)


def test_an_open_candle_is_not_known() -> None:
    """The candle that opens at noon is known at one o'clock, not before."""
    closes = [100.0] * 39 + [200.0]
    history = QUICK.history(candles(closes), HOUR)
    opened = START + 39 * HOUR
    moments = pd.Series([opened, opened + HOUR - pd.Timedelta("1ms"), opened + HOUR])
    verdicts = as_of(history, moments, HOUR)["regime"].tolist()
    assert verdicts == [Regime.SIDEWAYS, Regime.SIDEWAYS, Regime.UPTREND]


def test_resample_keeps_whole_candles_only() -> None:
    """Four hours need all four of their candles; the half-built last one is left out."""
    longer = resample(candles([float(i) for i in range(11)]), HOUR, FOUR_HOURS)
    assert longer["date"].tolist() == [START, START + FOUR_HOURS]
    assert longer["close"].tolist() == [3.0, 7.0]
