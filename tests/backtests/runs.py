"""One guarded strategy and the real `freqtrade backtesting`, with its default cache."""

import json
import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import dedent
from typing import Any, Self

from tests.conformance.candles import TIMERANGE, write_candles
from tests.conformance.markets import markets, write_config
from tests.integration.commands import Ended, freqtrade

PLAIN = """
    from freqtrade.strategy import DecimalParameter, IStrategy

    class Both(IStrategy):
        INTERFACE_VERSION = 3
        timeframe = "1h"
        can_short = True
        minimal_roi = {"0": 0.3}
        stoploss = -0.9
        entry_at = DecimalParameter(0.001, 0.01, default=0.002, space="buy")

        def leverage(self, *args, **kwargs):
            return 20.0

        def populate_indicators(self, dataframe, metadata):
            dataframe["confidence"] = 0.9
            return dataframe

        def populate_entry_trend(self, dataframe, metadata):
            change = dataframe["close"].pct_change()
            dataframe["enter_long"] = (change > self.entry_at.value).astype(int)
            dataframe["enter_short"] = (change < -self.entry_at.value).astype(int)
            return dataframe

        def populate_exit_trend(self, dataframe, metadata):
            return dataframe
"""
GUARDED = """
    from qt_protections import QTGuard
    from both import Both

    class Mine(QTGuard, Both): pass
"""


class Backtests:
    """A folder as a trader has one: configuration, candles, and a strategy with its guard."""

    def __init__(self, folder: Path, port: int) -> None:
        """Write all of it."""
        self.folder = folder
        self.results = folder / "user_data" / "backtest_results"
        self.strategies = folder / "user_data" / "strategies"
        self.strategies.mkdir(parents=True)
        self.results.mkdir()
        self.plain = self.strategies / "both.py"
        self.plain.write_text(dedent(PLAIN))
        (self.strategies / "mine.py").write_text(dedent(GUARDED))
        write_candles(folder / "data", "futures")
        self._config = write_config(folder, port, "futures")

    @classmethod
    @contextmanager
    def opened(cls, folder: Path) -> Iterator[Self]:
        """Serve the markets as long as backtests run."""
        with markets() as port:
            yield cls(folder, port)

    def run(self, *options: str, command: str = "backtesting", **environment: str) -> Ended:
        """Run a command of Freqtrade's that tests Mine, in a terminal of 80 columns."""
        ended = freqtrade(
            command,
            f"--config={self._config}",
            f"--userdir={self.folder / 'user_data'}",
            f"--datadir={self.folder / 'data'}",
            f"--timerange={TIMERANGE}",
            *options,
            **{"COLUMNS": "80", "PYTHONPATH": str(self.strategies), **environment},
        )
        assert ended.code == 0, ended.output
        return ended

    def backtest(self, *options: str, **environment: str) -> Ended:
        """Backtest Mine with whatever cache Freqtrade uses by default."""
        return self.run("--strategy=Mine", *options, **environment)

    def trades(self, strategy: str = "Mine") -> list[dict[str, Any]]:
        """Return the trades of the newest result."""
        archive = max(self.results.glob("*.zip"))
        with zipfile.ZipFile(archive) as results:
            result = json.loads(results.read(f"{archive.stem}.json"))
        trades: list[dict[str, Any]] = result["strategy"][strategy]["trades"]
        return trades

    def metadata(self, strategy: str = "Mine") -> dict[str, Any]:
        """Return what Freqtrade keeps beside the newest result."""
        newest = max(self.results.glob("*.meta.json"))
        kept: dict[str, Any] = json.loads(newest.read_text())[strategy]
        return kept


def is_reused(ended: Ended) -> bool:
    """Whether Freqtrade took the result from its cache."""
    return "Reusing result of previous backtest" in re.sub(r"\s+", " ", ended.output)
