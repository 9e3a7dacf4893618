"""Candles of every interval tell the same story."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qt_protections.rehearsal.market.candles import (
    CLOSE,
    HIGH,
    INTERVALS_MS,
    LOW,
    MINUTE_MS,
    OPEN,
    VOLUME,
    CandleSeries,
    Window,
)
from tests.rehearsal.stage import MIDNIGHT_MS

ALL = Window(limit=10**6)


def series(minutes: int, seed: int = 1) -> CandleSeries:
    """Return random candles from midnight on."""
    body = np.random.default_rng(seed).uniform(90, 110, (5, minutes))
    body[HIGH], body[LOW] = body[:4].max(axis=0), body[:4].min(axis=0)
    return CandleSeries(MIDNIGHT_MS, body)


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 4000), st.sampled_from(sorted(INTERVALS_MS)))
def test_intervals_agree_with_the_minutes(minutes: int, interval: str) -> None:
    """Each candle opens, ends, reaches and sums what its minutes do."""
    source = series(minutes)
    ones = source.aggregate("1m", ALL).columns
    bars = source.aggregate(interval, ALL)
    width = INTERVALS_MS[interval] // MINUTE_MS
    assert (bars.open_ms % INTERVALS_MS[interval] == 0).all()
    for i in range(len(bars)):
        part = ones[:, i * width : (i + 1) * width]
        expected = [part[OPEN, 0], part[HIGH].max(), part[LOW].min(), part[CLOSE, -1]]
        assert bars.columns[:4, i].tolist() == expected
        assert bars.columns[VOLUME, i] == pytest.approx(part[VOLUME].sum())


@pytest.mark.parametrize(
    ("window", "hours"),
    [
        (Window(limit=3), [7, 8, 9]),
        (Window(start_ms=0, limit=3), [0, 1, 2]),
        (Window(start_ms=MIDNIGHT_MS + 1, limit=2), [1, 2]),
        (Window(start_ms=MIDNIGHT_MS + 2 * 3_600_000, limit=2), [2, 3]),
        (Window(end_ms=MIDNIGHT_MS + 5 * 3_600_000, limit=2), [4, 5]),
        (Window(end_ms=MIDNIGHT_MS + 5 * 3_600_000 - 1, limit=2), [3, 4]),
        (Window(MIDNIGHT_MS, MIDNIGHT_MS + 3_600_000, 9), [0, 1]),
        (Window(start_ms=MIDNIGHT_MS + 99 * 3_600_000), []),
        (Window(end_ms=MIDNIGHT_MS - 1), []),
        (Window(), list(range(10))),
    ],
    ids=["latest", "earliest", "after", "from", "to", "before", "both", "future", "past", "all"],
)
def test_windows(window: Window, hours: list[int]) -> None:
    """Start, end and limit choose candles as Binance's klines do."""
    bars = series(9 * 60 + 30).aggregate("1h", window)
    assert ((bars.open_ms - MIDNIGHT_MS) // 3_600_000).tolist() == hours


def test_ticks_extend_the_history() -> None:
    """Live ticks open new minutes where the last one closed, and fill silent minutes."""
    source = series(10)
    close = source.last_close
    for ms, price in [(600_000, 95.0), (600_100, 120.0), (659_999, 80.0), (780_000, 85.0)]:
        source.add_tick(MIDNIGHT_MS + ms, price, 2.0)
    columns = source.aggregate("1m", ALL).columns
    assert columns[:, 10].tolist() == [close, 120.0, 80.0, 80.0, 6.0]
    assert columns[:, 11].tolist() == [80.0, 80.0, 80.0, 80.0, 0.0]
    assert columns[:, 13].tolist() == [80.0, 85.0, 80.0, 85.0, 2.0]


def test_growth_beyond_a_day() -> None:
    """The series grows without end."""
    source = series(1)
    source.add_tick(MIDNIGHT_MS + 5000 * MINUTE_MS, 95.0, 1.0)
    assert (len(source), source.last_close) == (5001, 95.0)


def test_history_starts_at_a_whole_minute() -> None:
    """Candles could not align to the epoch otherwise."""
    with pytest.raises(ValueError, match="whole minute"):
        CandleSeries(MIDNIGHT_MS + 1, np.ones((5, 1)))


@pytest.mark.parametrize("interval", ["1m", "5m", "1h", "4h", "1d"])
def test_history_may_start_inside_a_candle(interval: str) -> None:
    """Longer candles keep their UTC times; only the first one is short."""
    whole = series(2000)
    ones = whole.aggregate("1m", ALL).columns
    late = CandleSeries(MIDNIGHT_MS + 607 * MINUTE_MS, ones[:, 607:])
    bars = late.aggregate(interval, ALL)
    expected = whole.aggregate(interval, Window(start_ms=MIDNIGHT_MS + 607 * MINUTE_MS, limit=9999))
    kept = len(expected)
    assert bars.open_ms[-kept:].tolist() == expected.open_ms.tolist()
    assert bars.columns[:, -kept:] == pytest.approx(expected.columns)
    assert bars.columns[OPEN, 0] == ones[OPEN, 607]
    assert bars.open_ms[0] % INTERVALS_MS[interval] == 0
    earliest = late.aggregate(interval, Window(start_ms=0, limit=1))
    assert earliest.open_ms.tolist() == bars.open_ms[:1].tolist()


def test_candles_may_open_with_a_trade() -> None:
    """Where asked, a new candle knows nothing of the last close; silent minutes still repeat it."""
    source = CandleSeries(MIDNIGHT_MS, np.full((5, 1), 100.0), opens_with_trade=True)
    for ms, price in [(60_000, 90.0), (60_100, 95.0), (180_000, 97.0)]:
        source.add_tick(MIDNIGHT_MS + ms, price, 2.0)
    columns = source.aggregate("1m", ALL).columns[:, 1:]
    assert columns[:, 0].tolist() == [90.0, 95.0, 90.0, 95.0, 4.0]
    assert columns[:, 1].tolist() == [95.0, 95.0, 95.0, 95.0, 0.0]
    assert columns[:, 2].tolist() == [97.0, 97.0, 97.0, 97.0, 2.0]
