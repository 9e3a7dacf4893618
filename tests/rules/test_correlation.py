"""Positions are grouped by what the market has to do for them to lose."""

import math

import numpy as np
import pandas as pd
import pytest

from qt_protections.rules.correlation import BetaRule, Group

RNG = np.random.default_rng(5)
MARKET = pd.Series(RNG.normal(0, 0.01, 400))


def closes(returns: pd.Series, first: int = 0) -> pd.Series:
    """Return closes that make these returns, by the hour."""
    times = pd.date_range("2026-01-01", periods=len(returns), freq="h", tz="UTC")
    return pd.Series(100 * np.exp(np.cumsum(returns.to_numpy())), index=times)[first:]


@pytest.mark.parametrize("slope", [2.0, 1.0, 0.3, -0.8])
def test_beta_is_the_slope(slope: float) -> None:
    """Of the returns, noise aside."""
    noise = pd.Series(RNG.normal(0, 0.0005, 400))
    beta = BetaRule(0.5).beta(closes(slope * MARKET + noise), closes(MARKET))
    assert beta == pytest.approx(slope, abs=0.05)


def test_only_common_and_recent_candles_count() -> None:
    """What happened before the last 180 returns is forgotten."""
    returns = MARKET.where(MARKET.index >= 219, -MARKET)
    assert BetaRule(0.5).beta(closes(returns), closes(MARKET)) == pytest.approx(1.0)
    assert math.isnan(BetaRule(0.5).beta(closes(MARKET, 220), closes(MARKET)))


def test_a_market_that_stood_still_has_no_beta() -> None:
    """Nor one without candles."""
    assert math.isnan(BetaRule(0.5).beta(closes(MARKET), closes(0 * MARKET)))
    assert math.isnan(BetaRule(0.5).beta(pd.Series(dtype=float), pd.Series(dtype=float)))


@pytest.mark.parametrize(
    ("beta", "is_short", "group"),
    [
        (1.0, False, Group.LOSES_WHEN_IT_FALLS),
        (1.0, True, Group.LOSES_WHEN_IT_RISES),
        (-1.0, False, Group.LOSES_WHEN_IT_RISES),
        (-1.0, True, Group.LOSES_WHEN_IT_FALLS),
        (0.4, False, None),
        (-0.4, True, None),
        (math.nan, False, Group.LOSES_WHEN_IT_FALLS),
        (math.nan, True, Group.LOSES_WHEN_IT_RISES),
    ],
)
def test_group(beta: float, is_short: bool, group: Group | None) -> None:
    """By beta and side; an unknown beta counts as 1."""
    assert BetaRule(0.5).group(beta, is_short=is_short) is group
