"""Strategies in FreqAI's interface trade alike too, plain and guarded with every rule off."""

import json
from pathlib import Path

import pytest

from qt_protections.cli.command import main
from tests.conformance.candles import write_candles
from tests.conformance.markets import markets, write_config
from tests.conformance.test_conformance import STRATEGIES

for name in ("lightgbm", "datasieve", "sklearn", "xgboost"):
    pytest.importorskip(name, reason=f"FreqAI needs {name}: pip install 'qt-protections[freqai]'")

pytestmark = [pytest.mark.freqtrade, pytest.mark.long]

FREQAI = {
    "enabled": True,
    "identifier": "mine",
    "train_period_days": 10,
    "backtest_period_days": 5,
    "purge_old_models": 2,
    "feature_parameters": {
        "include_timeframes": ["1h"],
        "include_corr_pairlist": [],
        "label_period_candles": 6,
        "include_shifted_candles": 1,
        "indicator_periods_candles": [7, 14],
    },
    "data_split_parameters": {"test_size": 0.1, "random_state": 1, "shuffle": False},
    "model_training_parameters": {"n_estimators": 20, "num_threads": 1, "verbosity": -1},
}


def test_freqai_strategies_trade_alike(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each side trains its own models, of the same features."""
    write_candles(tmp_path / "data", "futures")
    (tmp_path / "user_data").mkdir()
    with markets() as port:
        path = write_config(tmp_path, port, "futures")
        config = json.loads(path.read_text())
        more = {"freqai": FREQAI, "freqaimodel": "LightGBMRegressor"}
        path.write_text(json.dumps(config | more))
        code = main(
            [
                *("conform", f"--config={path}", f"--strategy-path={STRATEGIES / 'freqai'}"),
                f"--userdir={tmp_path / 'user_data'}",
                f"--datadir={tmp_path / 'data'}",
                "--timerange=20240901-20240911",
                *("--jobs=2", "--json"),
            ]
        )
    results = json.loads(capsys.readouterr().out)
    assert [each["verdict"] for each in results] == ["equal"] * 2, results
    assert all(each["plain"] for each in results), results
    assert code == 0
    assert list((tmp_path / "user_data" / "models").glob("*")) == [], "models of nobody's stay"
