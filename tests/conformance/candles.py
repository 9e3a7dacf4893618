"""Candles made up for the conformance suite: small, the same at each run, and lively.

A wave of some days carries a walk, so that every strategy finds entries, gains and losses.
"""

from pathlib import Path

import numpy as np
import pandas as pd

#: The first candle of all, and the days there are.
START, DAYS = "2024-01-01", 300
#: The last of them, which are backtested; what comes before is for warming up.
TIMERANGE = "20240901-20240913"
_PRICES = {"BTC": 60_000.0, "ETH": 3_000.0, "XRP": 0.6}
_MARKETS = {"futures": ("futures", "{}_USDT_USDT-{}-futures"), "spot": ("", "{}_USDT-{}")}


def write_candles(folder: Path, market: str) -> None:
    """Write candles of one hour, four hours and a day in Freqtrade's feather format.

    Args:
        folder: Freqtrade's `datadir`.
        market: "futures" or "spot".
    """
    under, name = _MARKETS[market]
    (folder / under).mkdir(parents=True, exist_ok=True)
    for number, (base, price) in enumerate(_PRICES.items()):
        hourly = _hourly(np.random.default_rng(number), price)
        for interval, length in (("1h", 1), ("4h", 4), ("1d", 24)):
            candles = _of_hours(hourly, length)
            candles.to_feather(folder / under / f"{name.format(base, interval)}.feather")


def pairs(market: str) -> list[str]:
    """Return the pairs there are candles of, in Freqtrade's words."""
    return [f"{base}/USDT{':USDT' if market == 'futures' else ''}" for base in _PRICES]


def _hourly(chance: np.random.Generator, price: float) -> pd.DataFrame:
    hours = 24 * DAYS
    wave = 0.06 * np.sin(np.arange(hours + 1) / chance.integers(9, 15))
    path = price * np.exp(wave + np.cumsum(chance.normal(0, 0.004, hours + 1)))
    opens, closes = path[:-1], path[1:]
    reach = 1 + np.abs(chance.normal(0, 0.003, (2, hours)))
    return pd.DataFrame(
        {
            "date": pd.date_range(START, periods=hours, freq="h", tz="UTC").as_unit("ms"),
            "open": opens,
            "high": np.maximum(opens, closes) * reach[0],
            "low": np.minimum(opens, closes) / reach[1],
            "close": closes,
            "volume": chance.uniform(10, 1000, hours),
        }
    )


def _of_hours(hourly: pd.DataFrame, hours: int) -> pd.DataFrame:
    parts = {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}
    return hourly.resample(pd.Timedelta(hours=hours), on="date").agg(parts).reset_index()
