"""What the guard costs a backtest: the same strategy with and without it, in turn.

`python -m benchmarks.backtest_cost` needs no data and no network: it makes its own candles. Each
backtest is the real `freqtrade backtesting`, a process of its own, whose CPU time and memory the
system counts. The rules are on at their defaults. The trailing stop is off: it would end trades
earlier, and another number of trades is another amount of work.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from freqtrade.data.btanalysis import load_backtest_stats
from freqtrade.data.history import get_datahandler
from freqtrade.enums import CandleType

from benchmarks.live_bot import STRATEGIES, Venue, opened
from benchmarks.never_naked.rig import tell
from qt_protections.cli.package_data import base_config
from qt_protections.rehearsal.overlay import config_overlay

PAIRS = [f"{base}/USDT:USDT" for base in ("BTC", "ETH", "SOL")]
CANDLES = 20_000
ROUNDS = 3
_KINDS = ("Many", "Usual", "Few")
_SIDES = ("Plain", "Guarded")


@dataclass(frozen=True)
class Cost:
    """What one backtest took: seconds of CPU, MB of memory at most, and trades it made."""

    cpu_s: float
    memory_mb: float
    trades: int


def main() -> None:
    """Measure and print the ratios of CPU time and memory, guarded over plain."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"of each ({ROUNDS})")
    parser.add_argument("--only", choices=_KINDS, nargs="+", default=_KINDS, help="these (both)")
    arguments = parser.parse_args()
    costs: defaultdict[str, list[Cost]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for seed, pair in enumerate(PAIRS):
            _store(folder / "data", pair, seed)
        with opened(Venue("calm", seed=1), folder) as exchange:
            config = _config(folder, exchange.client.base_url.port or 0)
            for number in range(arguments.rounds):
                for kind in arguments.only:
                    # The order turns: whoever comes second finds a warmer machine.
                    for side in _SIDES if number % 2 else reversed(_SIDES):
                        cost = _backtest(folder, config, f"{side}{kind}")
                        costs[f"{side}{kind}"].append(cost)
                        tell(f"  {side}{kind}: {cost}")
    result = {
        "what": "freqtrade backtesting, guarded over plain",
        "pairs": len(PAIRS),
        "candles": CANDLES,
        "rounds": arguments.rounds,
        "rows": [_compared(k, costs[f"Plain{k}"], costs[f"Guarded{k}"]) for k in arguments.only],
    }
    print(json.dumps(result, indent=2))


def _compared(kind: str, plain: list[Cost], guarded: list[Cost]) -> dict[str, Any]:
    """Return the ratios of the least: what else runs on the machine only ever adds."""

    def ratio(name: str) -> float:
        with_guard, without = (
            min(getattr(cost, name) for cost in side) for side in (guarded, plain)
        )
        return round(with_guard / without, 3)

    return {
        "strategy": kind,
        "trades": plain[0].trades,
        "trades_guarded": guarded[0].trades,
        "cpu": ratio("cpu_s"),
        "memory": ratio("memory_mb"),
        "cpu_s_plain": round(min(cost.cpu_s for cost in plain), 2),
    }


def _config(folder: Path, port: int) -> Path:
    own = {
        "dry_run": True,
        "dry_run_wallet": 100_000,
        "stake_amount": 1_000,
        "max_open_trades": len(PAIRS),
        "fee": 0.0005,
        "futures_funding_rate": 0.0,
        "qt": {"trail_callback": None},
    }
    config = config_overlay(port) | own
    config["exchange"]["pair_whitelist"] = PAIRS
    path = folder / "config.json"
    path.write_text(json.dumps(config))
    return path


def _backtest(folder: Path, config: Path, strategy: str) -> Cost:
    out = folder / strategy
    out.mkdir(exist_ok=True)
    command = [
        sys.executable, "-W", "ignore", "-m", "freqtrade", "backtesting",
        f"--config={base_config()}", f"--config={config}", f"--strategy={strategy}",
        f"--strategy-path={STRATEGIES}", f"--userdir={folder}", f"--datadir={folder / 'data'}",
        f"--backtest-directory={out}", "--cache=none", "--export=trades",
    ]  # fmt: skip
    with (out / "console.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)  # noqa: S603
        _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise RuntimeError((out / "console.log").read_text()[-2_000:])
    trades = load_backtest_stats(out)["strategy"][strategy]["total_trades"]
    return Cost(used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, trades)


def _store(folder: Path, pair: str, seed: int) -> None:
    steps = np.random.default_rng(seed).normal(0, 0.005, CANDLES)
    close = 100 * np.exp(np.cumsum(steps))
    start = pd.Timestamp("2022-01-01", tz="UTC")
    frame = pd.DataFrame({"date": pd.date_range(start, periods=CANDLES, freq="1h")})
    frame["open"] = np.roll(close, 1)
    frame["close"] = close
    ends = frame[["open", "close"]]  # a limit entry at the open fills
    frame["high"], frame["low"] = ends.max(axis=1) * 1.003, ends.min(axis=1) * 0.997
    frame["volume"] = 1.0
    (folder / "futures").mkdir(parents=True, exist_ok=True)
    get_datahandler(folder, "feather").ohlcv_store(pair, "1h", frame, CandleType.FUTURES)


if __name__ == "__main__":
    main()
