"""The parameters of hyperopt reach a guarded strategy as they reach the plain one."""

import json
import sys
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from freqtrade.enums import CandleType, RunMode
from freqtrade.exceptions import OperationalException
from freqtrade.optimize.hyperopt_tools import HyperoptTools
from freqtrade.resolvers import StrategyResolver
from freqtrade.strategy import IStrategy

PLAIN = """
    from freqtrade.strategy import IntParameter, IStrategy

    class {name}(IStrategy):
        timeframe = "1h"
        minimal_roi = {{"0": 10}}
        stoploss = -0.3
        buy_params = {{"buy_rsi": 33}}
        buy_rsi = IntParameter(1, 50, default=20)
        sell_rsi = IntParameter(50, 99, default=80)

        def populate_indicators(self, dataframe, metadata): return dataframe
        def populate_entry_trend(self, dataframe, metadata): return dataframe
        def populate_exit_trend(self, dataframe, metadata): return dataframe
"""
GUARDED = """
    from qt_protections.guard import QTGuard
    from {module} import {name}

    class {guarded}(QTGuard, {name}): pass
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with Tuned and GuardedTuned, each in a file of its own."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "tuned", raising=False)
    write(tmp_path / "tuned.py", PLAIN, name="Tuned")
    write(tmp_path / "mine.py", GUARDED, module="tuned", name="Tuned", guarded="Mine")
    return tmp_path


def write(path: Path, text: str, **names: str) -> None:
    """Write a strategy's file."""
    path.write_text(dedent(text.format(**names)))


def write_params(path: Path, strategy: str, stoploss: float, sell_rsi: int) -> None:
    """Write what a hyperopt run found."""
    params: dict[str, Any] = {
        "sell": {"sell_rsi": sell_rsi},
        "roi": {"0": 0.07},
        "stoploss": {"stoploss": stoploss},
        "trailing": {"trailing_stop": True, "trailing_stop_positive": 0.01},
    }
    path.write_text(json.dumps({"strategy_name": strategy, "params": params}))


def load(folder: Path, strategy: str) -> IStrategy:
    """Load a strategy and its parameters as Freqtrade does."""
    config: dict[str, Any] = {
        "strategy": strategy,
        "strategy_path": str(folder),
        "user_data_dir": folder,
        "runmode": RunMode.BACKTEST,
        "candle_type_def": CandleType.FUTURES,
        "stake_currency": "USDT",
    }
    loaded = StrategyResolver.load_strategy(config)  # type: ignore[arg-type]
    loaded.ft_load_hyper_params()
    return loaded


def values(strategy: IStrategy) -> tuple[Any, ...]:
    """Return what the parameters decide."""
    found: Any = strategy
    return (
        found.buy_rsi.value,
        found.sell_rsi.value,
        found.stoploss,
        found.minimal_roi,
        found.trailing_stop,
        found.trailing_stop_positive,
    )


def test_without_any_file(folder: Path) -> None:
    """`buy_params` and the class count."""
    assert values(load(folder, "Mine")) == values(load(folder, "Tuned"))
    assert values(load(folder, "Mine"))[:3] == (33, 80, -0.3)


def test_the_file_of_the_wrapped_strategy_counts(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Where the guarded one has none of its own; and which file that was is said."""
    write_params(folder / "tuned.json", "Tuned", -0.04, 60)
    with caplog.at_level("INFO"):
        mine = load(folder, "Mine")
    assert values(mine) == values(load(folder, "Tuned"))
    assert values(mine) == (33, 60, -0.04, {0: 0.07}, True, 0.01)
    assert f"Loading parameters from file {folder / 'tuned.json'}" in caplog.text


def test_its_own_file_comes_first(folder: Path) -> None:
    """As a hyperopt of the guarded strategy wrote it."""
    write_params(folder / "tuned.json", "Tuned", -0.04, 60)
    write_params(folder / "mine.json", "Mine", -0.02, 70)
    assert values(load(folder, "Mine"))[1:3] == (70, -0.02)


def test_both_in_one_file(folder: Path) -> None:
    """The file of parameters is of either, by the name that it holds."""
    write(folder / "both.py", PLAIN, name="Plain")
    with (folder / "both.py").open("a") as file:
        file.write("from qt_protections.guard import QTGuard\n")
        file.write("class Both(QTGuard, Plain): pass\n")
    write_params(folder / "both.json", "Plain", -0.04, 60)
    assert values(load(folder, "Both")) == values(load(folder, "Plain"))
    write_params(folder / "both.json", "Both", -0.02, 70)
    assert values(load(folder, "Both"))[1:3] == (70, -0.02)


def test_a_file_of_somebody_else_stops_the_start(folder: Path) -> None:
    """As Freqtrade refuses the file, with the plain strategy as well."""
    write_params(folder / "tuned.json", "Other", -0.04, 60)
    for name in ("Tuned", "Mine"):
        with pytest.raises(OperationalException, match="Invalid parameter file"):
            load(folder, name)


def test_a_broken_file_is_ignored_as_freqtrade_ignores_it(folder: Path) -> None:
    """It says so, and the class counts."""
    (folder / "tuned.json").write_text("{")
    assert values(load(folder, "Mine")) == values(load(folder, "Tuned"))


def test_hyperopt_writes_its_own(folder: Path) -> None:
    """The results of the guarded strategy go beside it, and never over the plain one's."""
    config: Any = {"strategy_path": str(folder), "user_data_dir": folder}
    assert HyperoptTools.get_strategy_filename(config, "Mine") == folder / "mine.py"
