"""The live path: reproducible, positive, and as volatile as its scenario says."""

import numpy as np
import pytest

from qt_protections.rehearsal.feed import TICK_MS, RandomFeed
from qt_protections.rehearsal.instruments import INSTRUMENTS
from qt_protections.rehearsal.scenarios import SCENARIOS

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
    returns = np.diff(np.log(prices[9::10]), axis=0)
    jumps = scenario.jumps_per_minute / 60 * scenario.jump**2
    expected = np.sqrt(scenario.volatility**2 + jumps)
    assert returns.std(axis=0)[:2] == pytest.approx([expected, expected], rel=0.1)


def test_prices_are_on_the_tick() -> None:
    """Every price has no more digits than its contract allows."""
    last = list(feed("violent", 2).until(10_000))[-1]
    for item, price in zip(INSTRUMENTS, last.prices, strict=True):
        assert round(price, item.price_decimals) == price
