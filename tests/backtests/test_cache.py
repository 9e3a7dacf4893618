"""Freqtrade's cache of backtests tells apart what the guard decides differently."""

from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from qt_protections.configuration import load_settings
from qt_protections.host import backtest_cache
from tests.backtests.runs import Backtests, is_reused


@pytest.mark.freqtrade
def test_another_risk_is_another_result(backtests: Backtests) -> None:
    """The same again is reused; a setting of the environment and the wrapped file are not."""
    first = backtests.backtest()
    stakes = [trade["stake_amount"] for trade in backtests.trades()]
    again = backtests.backtest()
    assert not is_reused(first)
    assert is_reused(again), again.output
    other = backtests.backtest(QT_RISK_PER_TRADE="0.1")
    assert not is_reused(other), other.output
    assert max(trade["stake_amount"] for trade in backtests.trades()) < max(stakes) / 3
    backtests.plain.write_text(backtests.plain.read_text().replace("-0.9", "-0.8"))
    edited = backtests.backtest(QT_RISK_PER_TRADE="0.1")
    assert not is_reused(edited), edited.output


class Base:
    """What somebody wrote."""


class Guarded(Base):
    """The class in front."""


def test_what_the_fingerprint_is_made_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The guard's own code and every file behind it; nothing else of the process."""
    loaded = load_settings()
    package, strategy = tmp_path / "package", tmp_path / "strategy.py"
    package.mkdir()
    code = package / "rule.py"
    for path in (code, strategy):
        path.write_text("one")
    monkeypatch.setattr(backtest_cache, "_PACKAGE", package)
    monkeypatch.setattr(Guarded, "__file__", str(strategy), raising=False)

    def made() -> str:
        return backtest_cache.fingerprint(Guarded, loaded.settings)

    seen = [made()]
    assert made() == seen[0]
    for path in (code, strategy):
        path.write_text("two")
        seen.append(made())
    loaded = replace(loaded, settings=load_settings({"risk_per_trade": 0.1}).settings)
    seen.append(made())
    assert len(set(seen)) == 4


def test_a_rule_of_a_users_own_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the file of its class, which neither the strategy's nor the guard's hash tells of."""
    file = tmp_path / "rule_of_a_user.py"
    file.write_text("class Rule: pass")
    monkeypatch.syspath_prepend(str(tmp_path))
    rule, settings = import_module("rule_of_a_user").Rule(), load_settings().settings

    def made(*rules: object) -> str:
        return backtest_cache.fingerprint(Guarded, settings, rules)

    seen = [made(), made(rule), made(rule)]
    file.write_text("class Rule: changed = True")
    seen.append(made(rule))
    assert len(set(seen)) == 3


@pytest.mark.parametrize("runmode", ["live", "dry_run", "hyperopt", None])
def test_only_backtests_are_marked(runmode: str | None) -> None:
    """Nothing else reads the key, and a running bot's configuration stays as it was."""
    config: Any = {"runmode": runmode}
    backtest_cache.mark(config, Guarded, load_settings().settings)
    assert config == {"runmode": runmode}
