"""Leverage tables and steps against what others have of the real ones."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import freqtrade.exchange
import numpy as np
import pandas as pd
import pytest

from qt_protections.rehearsal.market.brackets import table
from qt_protections.rehearsal.market.instruments import REPLAYABLE, Instrument

TIERS = Path(freqtrade.exchange.__file__).with_name("binance_leverage_tiers.json")
RECORDED = Path(__file__).parents[4] / "shared" / "data"
# Before, SOL had a coarser size and a finer price step.
CHANGED = {"SOL": pd.Timestamp("2025-07-01", tz="UTC")}
each = pytest.mark.parametrize("item", REPLAYABLE, ids=lambda item: item.base)


@each
def test_brackets_are_those_freqtrade_ships(item: Instrument) -> None:
    """Every row equals Binance's, the maintenance amount included, which is computed here."""
    tiers: Any = json.loads(TIERS.read_text())[f"{item.base}/USDT:USDT"]
    names = ("initialLeverage", "notionalFloor", "notionalCap", "maintMarginRatio", "cum")
    expected = [[Decimal(str(tier["info"][name])) for name in names] for tier in tiers]
    ours = [[b.leverage, b.floor, b.cap, b.maintenance_ratio, b.cum] for b in item.brackets]
    assert ours == expected


def test_cum_joins_the_rows() -> None:
    """At the end of a row, its maintenance margin equals the next one's."""
    first, second = table([(10, Decimal(100), Decimal("0.1")), (5, Decimal(900), Decimal("0.25"))])
    assert (first.floor, first.cum) == (0, 0)
    assert (second.floor, second.cum) == (100, 15)


@each
def test_steps_are_those_of_recorded_candles(item: Instrument) -> None:
    """Recorded prices and volumes lie on our steps, and a step ten times as wide does not fit."""
    folders = [RECORDED / "binance" / "futures", *RECORDED.glob("events/*/futures")]
    paths = [path for folder in folders for path in folder.glob(f"{item.base}_*m-futures.feather")]
    paths += [path for path in folders[0].glob(f"{item.base}_*-1h-futures.feather") if not paths]
    since = CHANGED.get(item.base, pd.Timestamp("2024-01-01", tz="UTC"))
    frames = [pd.read_feather(path) for path in paths]
    frames = [frame[frame["date"] >= since] for frame in frames]
    frames = [frame for frame in frames if len(frame)]
    if not frames:
        pytest.skip("no recorded candles of this symbol")
    candles = pd.concat(frames)
    prices = candles[["open", "high", "low", "close"]].to_numpy().ravel()
    for values, step in ((prices, item.tick), (candles["volume"].to_numpy(), item.step)):
        assert fits(values, step)
        assert not fits(values, step * 10)


def fits(values: Any, step: Decimal) -> bool:
    """Say whether values are multiples of `step`, but for one in ten thousand.

    SOL's recording of 2025 has three prices left over from its finer step of before.
    """
    width = float(step)
    whole = np.isclose(values, np.round(values / width) * width, rtol=1e-9, atol=width * 1e-3)
    return bool(whole.mean() > 0.9999)
