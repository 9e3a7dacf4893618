"""Histories keep their promises against the EMA200 for every seed."""

import numpy as np
import pandas as pd
import pytest
import talib

from qt_protections.rehearsal.market.candles import CLOSE, HIGH, LOW, OPEN, Window
from qt_protections.rehearsal.market.history import last_ema
from qt_protections.rehearsal.market.scenarios import LAGGARDS, SCENARIOS
from qt_protections.rehearsal.market.tape import Tape, build_market
from tests.rehearsal.stage import MIDNIGHT_MS

# Minutes after midnight: on and around the edges of 1h and 4h candles.
STARTS = [0, 1, 61, 239, 240, 815, 1439]
SEEDS = range(7)


def market(name: str, seed: int, minute: int) -> Tape:
    """Return the market of a scenario that starts some minutes after midnight."""
    return build_market(SCENARIOS[name], seed, MIDNIGHT_MS + minute * 60_000)[0]


def gaps(tape: Tape, symbol: str, interval: str) -> list[float]:
    """Return close / EMA200 - 1, with closed candles and with the present price, by three EMAs."""
    found = []
    closes = tape.bars(symbol, interval, Window(limit=100_000)).columns[CLOSE]
    minutes = {"1h": 60, "4h": 240}[interval]
    closed = closes[: len(tape[symbol].candles) // minutes]
    for series in (closes, closed):
        averages = (
            talib.EMA(series, 200)[-1],
            talib.EMA(series[-499:], 200)[-1],
            pd.Series(series).ewm(span=200, adjust=False).mean().iloc[-1],
        )
        found += [series[-1] / average - 1 for average in averages]
    return found


@pytest.mark.parametrize(("seed", "minute"), list(zip(SEEDS, STARTS, strict=True)))
@pytest.mark.parametrize("name", ["uptrend", "violent"])
def test_uptrend_ends_above_and_laggards_below(name: str, seed: int, minute: int) -> None:
    """BTC and most alts end 5 % above their EMA200 on 1h and 4h, ZEN and DOGE 5 % below."""
    tape = market(name, seed, minute)
    for symbol in tape.symbols:
        for interval in ("1h", "4h"):
            found = gaps(tape, symbol, interval)
            if symbol in LAGGARDS:
                assert max(found) <= -0.05, (symbol, interval)
            else:
                assert min(found) >= 0.05, (symbol, interval)


@pytest.mark.parametrize(("seed", "minute"), list(zip(SEEDS, STARTS, strict=True)))
def test_downtrend_ends_below(seed: int, minute: int) -> None:
    """Every symbol of the downtrend ends 5 % below its EMA200 on 1h and 4h."""
    tape = market("downtrend", seed, minute)
    for symbol in tape.symbols:
        assert max(gaps(tape, symbol, "1h") + gaps(tape, symbol, "4h")) <= -0.05, symbol


@pytest.mark.parametrize(("seed", "minute"), list(zip(SEEDS, STARTS, strict=True)))
def test_calm_ends_at_the_average(seed: int, minute: int) -> None:
    """In the calm market BTC ends within 1 % of its EMA200 on 4h."""
    assert max(map(abs, gaps(market("calm", seed, minute), "BTCUSDT", "4h"))) <= 0.01


@pytest.mark.parametrize("name", sorted(SCENARIOS))
def test_history_is_long_continuous_and_plausible(name: str) -> None:
    """180 days of sound candles at every symbol, moving about 3 % a day in BTC."""
    tape = market(name, 11, 815)
    for symbol in tape.symbols:
        series = tape[symbol].candles
        columns = tape.bars(symbol, "1m", Window(limit=10**6)).columns
        assert len(series) >= 180 * 1440
        assert columns.min() > 0
        assert (columns[HIGH] >= columns[[OPEN, CLOSE]].max(axis=0)).all()
        assert (columns[LOW] <= columns[[OPEN, CLOSE]].min(axis=0)).all()
        assert (columns[OPEN, 1:] == columns[CLOSE, :-1]).all()
    days = tape.bars("BTCUSDT", "1d", Window(limit=10**6)).columns[CLOSE]
    assert 0.02 < np.diff(np.log(days)).std() < 0.045


def test_same_seed_same_history() -> None:
    """A market is a function of scenario, seed and starting minute."""
    first, second = market("calm", 1, 5), market("calm", 1, 5)
    other = market("calm", 2, 5)
    whole = Window(limit=10**6)
    one, two, three = (t.bars("ETHUSDT", "1m", whole).columns for t in (first, second, other))
    assert (one == two).all()
    assert (one != three).any()


def test_last_ema_is_the_usual_one() -> None:
    """The average used to shape histories is the recursive one."""
    closes = np.random.default_rng(1).uniform(90, 110, 500)
    expected = pd.Series(closes).ewm(span=200, adjust=False).mean().iloc[-1]
    assert last_ema(closes) == pytest.approx(expected)
