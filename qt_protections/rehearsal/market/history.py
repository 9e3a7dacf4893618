"""Months of one-minute history that end where the scenario promises, for every seed."""

from collections.abc import Callable

import numpy as np

from qt_protections.rehearsal.market.candles import MINUTE_MS, Floats
from qt_protections.rehearsal.market.instruments import Instrument
from qt_protections.rehearsal.market.scenarios import Trend

EMA_CANDLES = 200
HOUR, FOUR_HOURS = 60, 240
RAMP_MINUTES = 9 * 1440
# Distance from the EMA200 that history ends with; the promise is 5 %, the rest is safety for
# other ways to seed an EMA (TA-Lib starts from a simple average).
TREND_GAP = 0.08
MEMORY_DAYS = {Trend.SIDEWAYS: 4.0, Trend.ABOVE: 15.0, Trend.BELOW: 15.0}
MARKET_WEIGHT = 0.6


def market_noise(rng: np.random.Generator, minutes: int) -> Floats:
    """Return the part of each minute's noise that all symbols share (standard normal)."""
    return rng.standard_normal(minutes)


def history_columns(
    instrument: Instrument, trend: Trend, rng: np.random.Generator, common: Floats
) -> Floats:
    """Return 1m candles of one symbol, ending at its reference price.

    Args:
        instrument: The symbol.
        trend: Where the price ends against its EMA200 on 1h and 4h candles: at least 5 % above
            or below on both, or within 1 % on 4h.
        rng: Source of chance.
        common: Shared noise from `market_noise`; its length is the number of minutes. The first
            minute must open at a UTC midnight.

    Returns:
        Rows open, high, low, close (USDT, on the tick) and volume (base units).
    """
    minutes = len(common)
    own = rng.standard_normal(minutes)
    noise = MARKET_WEIGHT * common + np.sqrt(1 - MARKET_WEIGHT**2) * own
    sigma = instrument.daily_volatility / np.sqrt(1440)
    path = _settle(_reverting(noise * sigma, MEMORY_DAYS[trend]))
    path += _ramp_for(path, trend)
    closes = instrument.reference_price * np.exp(path - path[-1])
    return _candles_around(closes, sigma, instrument, rng)


def mark_columns(last: Floats) -> Floats:
    """Return mark-price candles for last-price candles: each close averaged with the one before."""
    before = np.concatenate([last[3, :1], last[3, :-1]])
    close = (last[3] + before) / 2
    open_ = np.concatenate([close[:1], close[:-1]])
    return np.stack(
        [open_, np.maximum(open_, close), np.minimum(open_, close), close, np.zeros_like(close)]
    )


def last_ema(closes: Floats, candles: int = EMA_CANDLES) -> float:
    """Return the latest exponential average of `closes`, seeded with the first of them."""
    decay = 1 - 2 / (candles + 1)
    weights = (1 - decay) * decay ** np.arange(len(closes) - 1, -1, -1, dtype=np.float64)
    weights[0] = decay ** (len(closes) - 1)
    return float(weights @ closes)


def _reverting(steps: Floats, memory_days: float) -> Floats:
    """Sum the steps while forgetting old ones, so that months stay in a believable range."""
    age = np.arange(len(steps)) / (memory_days * 1440)
    return np.exp(-age) * np.cumsum(np.exp(age) * steps)


def _settle(path: Floats) -> Floats:
    """Pull the unfinished 4h candle back to its open, so that it tells what the closed ones do."""
    rest = len(path) % FOUR_HOURS
    if rest:
        path[-rest:] -= (path[-1] - path[-rest - 1]) * np.arange(1, rest + 1) / rest
    return path


def _ramp_for(path: Floats, trend: Trend) -> Floats:
    """Return the log-price ramp over the last days that brings the end where it must be."""
    ramp = np.clip((np.arange(len(path)) - len(path) + 1) / RAMP_MINUTES + 1, 0.0, 1.0)
    samples = [
        np.append(np.arange(width - 1, len(path), width), extra)
        for width in (HOUR, FOUR_HOURS)
        for extra in ([], [len(path) - 1])
    ]
    samples = [sample.astype(np.int64) for sample in samples]

    def gaps(height: float) -> list[float]:
        found = []
        for sample in samples:
            closes = np.exp(path[sample] - path[-1] + height * ramp[sample])
            found.append(float(closes[-1]) / last_ema(closes) - 1)
        return found

    if trend is Trend.SIDEWAYS:
        return ramp * _root(lambda height: gaps(height)[2])
    if trend is Trend.ABOVE:
        return ramp * _root(lambda height: min(gaps(height)) - TREND_GAP)
    return ramp * _root(lambda height: max(gaps(height)) + TREND_GAP)


def _root(rising: Callable[[float], float]) -> float:
    low, high = -2.0, 2.0
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if rising(middle) < 0 else (low, middle)
    return (low + high) / 2


def _candles_around(
    closes: Floats, sigma: float, instrument: Instrument, rng: np.random.Generator
) -> Floats:
    opens = np.concatenate([closes[:1], closes[:-1]])
    reach = np.abs(rng.standard_normal((2, len(closes)))) * sigma * 0.6
    high = np.maximum(opens, closes) * (1 + reach[0])
    low = np.minimum(opens, closes) * (1 - reach[1])
    value = instrument.minute_volume * np.exp(rng.standard_normal(len(closes)) * 0.6)
    prices = np.round(np.stack([opens, high, low, closes]), instrument.price_decimals)
    volume = np.round(value / closes, instrument.qty_decimals)
    return np.vstack([np.maximum(prices, float(instrument.tick)), volume])


def history_start_ms(start_ms: int, days: int) -> int:
    """Return the UTC midnight at least `days` days before `start_ms` (epoch milliseconds)."""
    day_ms = 1440 * MINUTE_MS
    return (start_ms // day_ms - days) * day_ms
