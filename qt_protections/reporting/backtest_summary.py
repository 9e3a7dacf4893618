"""The end of a backtest, which Freqtrade tells no strategy of, and what is said there.

The last candle is the last thing that a strategy hears of. `freqtrade backtesting` prints its
tables and stores its result after that, and then its process ends: that is where the summary is
printed, below the tables, and put beside the result. Hyperopt and the web server go on, and get a
line in their log at the last candle.
"""

import atexit
import logging
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from threading import current_thread, main_thread
from time import time
from typing import Any

import pandas as pd
from freqtrade.data.btanalysis import (
    get_latest_backtest_filename,
    load_backtest_metadata,
    update_backtest_metadata,
)
from freqtrade.enums import RunMode
from freqtrade.optimize.backtest_caching import get_strategy_run_id
from freqtrade.strategy.interface import IStrategy
from pydantic import TypeAdapter
from rich.console import Console

from qt_protections.errors import withhold_secrets
from qt_protections.market.trends import Market
from qt_protections.reporting.entry_counts import Summary
from qt_protections.reporting.entry_summary import as_line, as_table, summary
from qt_protections.reporting.operator_log import OperatorLog

logger = withhold_secrets(logging.getLogger(__name__))

#: Of a strategy's metadata, beside each result of Freqtrade's.
KEY = "qt_guard"


class Backtest:
    """One backtest of a guarded strategy, or one epoch of hyperopt's after the other.

    Attributes:
        is_over: Whether the last candle has come.
        began_s: When, in seconds since the epoch.
    """

    def __init__(
        self, strategy: IStrategy, operator_log: OperatorLog, market: Market, *, says_epochs: bool
    ) -> None:
        """Begin.

        Args:
            strategy: The guarded strategy.
            operator_log: Who counts.
            market: Who knows the regime.
            says_epochs: Whether each epoch of hyperopt's is summed up in the log.
        """
        self._name = strategy.get_strategy_name()
        self._operator_log = operator_log
        self._market = market
        mode = strategy.dp.runmode
        of_server = current_thread() is not main_thread()
        self._says = says_epochs if mode is RunMode.HYPEROPT else of_server
        self._end: datetime | None = None
        self._first: datetime | None = None
        self._last: datetime | None = None
        self.is_over = False
        self.began_s = time()

    def analysed(self, frame: pd.DataFrame) -> None:
        """Take in a frame whose candles will be gone through; the newest of all is the last."""
        if len(frame):
            end = frame["date"].iloc[-1].to_pydatetime()  # pandas' own compares slowly
            self._end = end if self._end is None else max(self._end, end)

    def candle(self, opened: datetime) -> None:
        """Take in that a candle begins; `opened` is its open time (UTC)."""
        if self._last is None or opened <= self._last:  # another epoch
            self._first = opened
            self._operator_log.begin()
        self._last = opened
        self.is_over = self._end is not None and opened >= self._end
        if self.is_over and self._says:
            logger.info("[GUARD] %s: %s", self._name, as_line(self.summary()))

    def summary(self) -> Summary:
        """Return what became of the entries."""
        operator_log, first, last = self._operator_log, self._first, self._last
        if first is None or last is None:
            return summary(operator_log.tally, ())
        return summary(
            operator_log.tally,
            operator_log.refused.values(),
            operator_log.tally.removed_within(first, last),
            self._market.regime_shares(first, last),
        )


@dataclass(slots=True)
class _Awaited:
    strategy: IStrategy
    backtest: Backtest | None = None


_awaited: dict[str, _Awaited] = {}


def await_end(strategy: IStrategy) -> None:
    """Have the result of a strategy summed up when the process ends, if it backtests for a person.

    Freqtrade may take an earlier result from its cache: no backtest begins then.
    """
    of_command = current_thread() is main_thread()
    if strategy.config.get("runmode") is not RunMode.BACKTEST or not of_command:
        return
    if not _awaited:
        atexit.register(_tell)
    _awaited[strategy.get_strategy_name()] = _Awaited(strategy)


def begins(strategy: IStrategy, backtest: Backtest) -> None:
    """Note the backtest of an awaited strategy."""
    awaited = _awaited.get(strategy.get_strategy_name())
    if awaited is not None and awaited.strategy is strategy:
        awaited.backtest = backtest


def _tell() -> None:
    for name, awaited in _awaited.items():
        try:
            _tell_one(name, awaited)
        except Exception:
            logger.exception("What the guard did in the backtest of %s is not shown.", name)


def _tell_one(name: str, awaited: _Awaited) -> None:
    backtest, folder = awaited.backtest, _folder(awaited.strategy)
    if backtest is None:
        found = _earlier(folder, name, get_strategy_run_id(awaited.strategy))
        if found is not None:
            result, earlier = found
            Console().print(as_table(f"{name} under the guard, in {result}", earlier))
    elif backtest.is_over:
        told = backtest.summary()
        _store(folder, name, told, backtest.began_s)
        Console().print(as_table(f"{name} under the guard", told))


def _store(folder: Path, name: str, told: Summary, began_s: float) -> None:
    """Put a summary beside the result, if Freqtrade has stored one since."""
    try:
        result = folder / get_latest_backtest_filename(folder)
    except ValueError:
        return  # nothing was ever stored there
    if result.is_file() and result.stat().st_mtime >= began_s:
        update_backtest_metadata(result, name, {KEY: asdict(told)})


def _earlier(folder: Path, name: str, run_id: str) -> tuple[str, Summary] | None:
    """Return the newest result with a summary that Freqtrade would take from its cache."""
    for path in sorted(folder.glob("*.meta.json"), reverse=True):
        result = path.with_name(path.name.replace(".meta.json", ".zip"))
        kept: dict[str, Any] = load_backtest_metadata(result).get(name, {})
        if kept.get("run_id") == run_id and KEY in kept:
            return result.name, TypeAdapter(Summary).validate_python(kept[KEY])
    return None


def _folder(strategy: IStrategy) -> Path:
    """Return where Freqtrade stores results; an old option names a file in that folder."""
    where = Path(strategy.config["exportdirectory"])
    return where if where.is_dir() else where.parent
