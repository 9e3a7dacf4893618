"""What the guard costs a backtest: the same strategy with and without it, in turn.

`python -m benchmarks.backtest_cost` needs no data and no network: it makes its own candles.
"""

import json
import logging
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from freqtrade.data.dataprovider import DataProvider
from freqtrade.data.history import get_datahandler
from freqtrade.enums import CandleType, RunMode
from freqtrade.resolvers import StrategyResolver

from qt_protections.shipped import strategies_folder

PAIRS = [f"{base}/USDT:USDT" for base in ("BTC", "ETH", "SOL", "XRP", "BNB")]
CANDLES = 20_000
ROUNDS = 5


def main() -> None:
    """Measure and print the ratio of the signals' computing time, guarded over plain."""
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory() as folder:
        frames = {pair: _store(Path(folder), pair, seed) for seed, pair in enumerate(PAIRS)}
        plain, guarded = (_strategy(name, Path(folder)) for name in ("QTSignals", "QTStrategy"))
        pairs = [(_seconds(guarded, frames), _seconds(plain, frames)) for _ in range(ROUNDS + 1)]
    ratios = [with_guard / without for with_guard, without in pairs[1:]]
    result = {
        "what": "indicators and signals of a backtest, guarded over plain",
        "pairs": len(PAIRS),
        "candles": CANDLES,
        "ratio": {
            "min": round(min(ratios), 3),
            "median": round(statistics.median(ratios), 3),
            "max": round(max(ratios), 3),
        },
    }
    print(json.dumps(result, indent=2))


def _store(folder: Path, pair: str, seed: int) -> pd.DataFrame:
    steps = np.random.default_rng(seed).normal(0, 0.005, CANDLES)
    close = 100 * np.exp(np.cumsum(steps))
    start = pd.Timestamp("2022-01-01", tz="UTC")
    frame = pd.DataFrame({"date": pd.date_range(start, periods=CANDLES, freq="1h")})
    frame["open"] = np.roll(close, 1)
    frame["high"], frame["low"], frame["close"] = close * 1.003, close * 0.997, close
    frame["volume"] = 1.0
    get_datahandler(folder, "feather").ohlcv_store(pair, "1h", frame, CandleType.FUTURES)
    return frame


def _strategy(name: str, folder: Path) -> Any:
    config: Any = {
        "strategy": name,
        "strategy_path": str(strategies_folder()),
        "user_data_dir": strategies_folder().parent,
        "datadir": folder,
        "dataformat_ohlcv": "feather",
        "candle_type_def": CandleType.FUTURES,
        "trading_mode": "futures",
        "stake_currency": "USDT",
        "timeframe": "1h",
        "runmode": RunMode.BACKTEST,
    }
    strategy = StrategyResolver.load_strategy(config)
    strategy.dp = DataProvider(config, None)
    strategy.ft_bot_start()
    return strategy


def _seconds(strategy: Any, frames: dict[str, pd.DataFrame]) -> float:
    started = time.perf_counter()
    analysed = strategy.advise_all_indicators(frames)
    for pair, frame in analysed.items():
        strategy.ft_advise_signals(frame.copy(), {"pair": pair})
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
