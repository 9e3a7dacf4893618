"""What the rules are told of a frame: the newest row, and only while it is news."""

import math
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest
from freqtrade.data.dataprovider import DataProvider
from freqtrade.enums import RunMode

from qt_protections.market.signals import Signals, last_signal
from qt_protections.market.trends import LOCAL_DISTANCE, REGIME
from qt_protections.rules.pairs import base_of, symbol_of
from qt_protections.rules.regime import Regime

OPENED = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)


def frame(**columns: object) -> pd.DataFrame:
    """Return a frame of one row."""
    row = {"date": OPENED, REGIME: "UPTREND", LOCAL_DISTANCE: -0.05, "confidence": 0.7, **columns}
    return pd.DataFrame([row])


def test_the_newest_row_is_the_signal() -> None:
    """Regime, distance and confidence come from one candle."""
    signal = last_signal(frame(), "confidence", "5m")
    assert (signal.regime, signal.local_distance, signal.confidence) == (
        Regime.UPTREND,
        -0.05,
        0.7,
    )


@pytest.mark.parametrize(
    ("minutes", "regime"),
    [(5, Regime.UPTREND), (15, Regime.UPTREND), (16, Regime.UNKNOWN)],
    ids=["just-closed", "two-candles-late", "later"],
)
def test_an_old_row_is_no_news(minutes: int, regime: Regime) -> None:
    """A pair that is no longer analysed says nothing."""
    now = OPENED + timedelta(minutes=minutes)
    assert last_signal(frame(), "confidence", "5m", now).regime is regime


@pytest.mark.parametrize(
    "empty", [pd.DataFrame(), pd.DataFrame({"date": [OPENED]})], ids=["empty", "not-guarded"]
)
def test_no_row_is_unknown(empty: pd.DataFrame) -> None:
    """A frame without rows, or without the guard's columns, is unknown."""
    signal = last_signal(empty, "confidence", "5m")
    assert signal.regime is Regime.UNKNOWN
    assert math.isnan(signal.confidence)


@pytest.mark.parametrize("value", [None, "high", float("inf"), -0.1, 1.1, float("nan")])
def test_a_confidence_that_is_none(value: object) -> None:
    """What is no number in 0..1 is no confidence."""
    assert math.isnan(last_signal(frame(confidence=value), "confidence", "5m").confidence)


def test_another_column() -> None:
    """The column is a setting."""
    assert last_signal(frame(mine=0.9), "mine", "5m").confidence == 0.9
    assert math.isnan(last_signal(frame(), "mine", "5m").confidence)


def test_names() -> None:
    """A symbol is the base; log lines show the exchange's name of the pair."""
    assert base_of("BTC/USDT:USDT") == base_of("BTC/USDC:USDC") == "BTC"
    assert symbol_of("BTC/USDT:USDT") == "BTCUSDT"


def again(row: dict[str, object], mode: RunMode = RunMode.BACKTEST) -> str | None:
    """Return what a frame of one row says to an open long that filled before it closed."""
    dp = DataProvider({"runmode": mode}, None)  # type: ignore[typeddict-item]
    signals = Signals(dp, "confidence", "5m")
    signals._frame = lambda _: frame(**row)  # type: ignore[method-assign]
    return signals.again("BTC/USDT:USDT", OPENED, is_short=False)


def test_a_signal_that_repeats() -> None:
    """Its tag, or no tag; not one that Freqtrade would not enter on either."""
    assert again({"enter_long": 1, "enter_tag": "dip"}) == "dip"
    assert again({"enter_long": 1, "exit_long": 0, "enter_short": float("nan")}) == ""
    assert again({"enter_long": 0}) is None
    assert again({"enter_long": 1, "exit_long": 1}) is None
    assert again({"enter_long": 1, "enter_short": 1}) is None


def test_an_old_signal_does_not_repeat() -> None:
    """A pair that is no longer analysed says nothing."""
    now = datetime.now(UTC)
    assert again({"enter_long": 1, "date": now}, RunMode.LIVE) == ""
    assert again({"enter_long": 1, "date": now - timedelta(minutes=16)}, RunMode.LIVE) is None
