"""Data folders with recorded candles, made up and small."""

from pathlib import Path

import numpy as np
import pandas as pd

from qt_protections.rehearsal.market.candles import Floats

MINUTE = pd.Timedelta("1min")
FIRST = pd.Timestamp("2025-02-02T12:00", tz="UTC")


def epoch_ms(moment: pd.Timestamp) -> int:
    """Return epoch milliseconds."""
    return int(moment.timestamp() * 1000)


def frame(minutes: int = 420, price: float = 3000.0, seed: int = 1) -> pd.DataFrame:
    """Return random candles from FIRST on, whose opens are not the closes before."""
    rng = np.random.default_rng(seed)
    opens = price * np.exp(np.cumsum(rng.normal(0, 1e-3, minutes)))
    closes = opens * np.exp(rng.normal(0, 1e-3, minutes))
    highs = np.maximum(opens, closes) * (1 + rng.exponential(5e-4, minutes))
    lows = np.minimum(opens, closes) * (1 - rng.exponential(5e-4, minutes))
    prices = {"open": opens, "high": highs, "low": lows, "close": closes}
    dates = pd.date_range(FIRST, periods=minutes, freq="1min").as_unit("ms")
    values = pd.DataFrame({**prices, "volume": rng.exponential(50, minutes)})
    values = values.round(2 if price > 100 else 4).round({"volume": 1})
    values.insert(0, "date", dates)
    return values


def write(folder: Path, candles: pd.DataFrame, base: str = "ETH") -> Path:
    """Write a data folder's file and return the folder."""
    (folder / "futures").mkdir(exist_ok=True)
    path = folder / "futures" / f"{base}_USDT_USDT-1m-futures.feather"
    candles.reset_index(drop=True).to_feather(path)
    return folder


def rows(candles: pd.DataFrame) -> Floats:
    """Return candles as rows open, high, low, close, volume."""
    return candles[["open", "high", "low", "close", "volume"]].to_numpy().T
