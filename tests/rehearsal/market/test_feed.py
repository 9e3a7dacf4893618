"""The live path: reproducible, positive, and as volatile as its scenario says."""

import numpy as np
import pytest

from qt_protections.rehearsal.market.feed import TICK_MS, RandomFeed
from qt_protections.rehearsal.market.instruments import INSTRUMENTS
from qt_protections.rehearsal.market.scenarios import SCENARIOS

START = [item.reference_price for item in INSTRUMENTS]


def feed(name: str, seed: int) -> RandomFeed:
    """Return a path that starts at time 0."""
    return RandomFeed(INSTRUMENTS, SCENARIOS[name], np.random.default_rng(seed), 0, START)


def test_reading_in_parts() -> None:
    """Many small reads yield the same ticks as one large read."""
    whole = list(feed("violent", 5).until(300_000))
    source = feed("violent", 5)
    parts = [
        tick for now_ms in (0, 99, 100, 60_050, 60_050, 300_000) for tick in source.until(now_ms)
    ]
    assert parts == whole
    assert [tick.ms for tick in whole] == list(range(TICK_MS, 300_001, TICK_MS))


@pytest.mark.parametrize("name", sorted(SCENARIOS))
def test_volatility(name: str) -> None:
    """The spread of one-second returns is the scenario's, jumps included."""
    scenario = SCENARIOS[name]
    ticks = list(feed(name, 9).until(3_600_000))
    prices = np.array([tick.prices for tick in ticks])
    assert prices.min() > 0
    returns = np.diff(np.log(prices[9::10]), axis=0)[300:]  # after any shock
    jumps = scenario.jumps_per_minute / 60 * scenario.jump**2
    expected = np.sqrt(scenario.volatility**2 + jumps)
    assert returns.std(axis=0)[:2] == pytest.approx([expected, expected], rel=0.1)


def test_prices_are_on_the_tick() -> None:
    """Every price has no more digits than its contract allows."""
    last = list(feed("violent", 2).until(10_000))[-1]
    for item, price in zip(INSTRUMENTS, last.prices, strict=True):
        assert round(price, item.price_decimals) == price


def path(name: str, seed: int, opened_ms: int = 0) -> np.ndarray:
    """Return four minutes of prices as a ratio of the start: ticks by symbols."""
    source = RandomFeed(
        INSTRUMENTS, SCENARIOS[name], np.random.default_rng(seed), 0, START, opened_ms
    )
    return np.array([tick.prices for tick in source.until(opened_ms + 240_000)]) / START


@pytest.mark.parametrize("seed", range(3))
def test_flash_crash(seed: int) -> None:
    """Every symbol falls 8 % within 20 s, 40 s after the start, and wins back most of it."""
    prices = path("flash-crash", seed)
    assert prices[:370].min() > 0.98
    lows = prices[:700].min(axis=0)
    assert ((lows > 0.90) & (lows < 0.94)).all()
    assert len(set(prices[:700].argmin(axis=0))) > 1
    assert (prices[1900:2000].mean(axis=0) - lows > 0.04).all()


@pytest.mark.parametrize("opened_ms", [0, 47_300], ids=["minute", "seconds-later"])
def test_gap(opened_ms: int) -> None:
    """Every symbol drops 3 % between two ticks, 40 s after the exchange opens."""
    moves = np.diff(np.log(path("gap", 4, opened_ms)), axis=0)
    assert moves.min(axis=0) == pytest.approx(np.full(len(START), np.log(0.97)), abs=2e-3)
    assert (np.sort(moves, axis=0)[1] > -2e-3).all()
    onset = (moves.argmin(axis=0) + 1) / 10 - opened_ms / 1000
    assert ((onset > 37) & (onset < 43)).all()


def test_thin_book() -> None:
    """The thin book moves as the violent market does, with a fifth of its depth."""
    thin, violent = SCENARIOS["thin-book"], SCENARIOS["violent"]
    assert thin.depth_ratio == 0.1
    assert (thin.volatility, thin.jump) == (violent.volatility, violent.jump)
