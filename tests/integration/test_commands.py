"""The commands a user types, run for real."""

import json
import sqlite3
import sys
import zipfile
from contextlib import closing
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from benchmarks.never_naked.naked import gaps, hit_before_fill
from qt_protections.entry.gates import RARE_SHORT_TAG
from qt_protections.rehearsal.overlay import config_overlay
from tests.integration.commands import REAL_CANDLES, ROOT, exchange, freqtrade, run
from tests.patience import COMMAND_S

needs_real_candles = pytest.mark.skipif(
    not REAL_CANDLES.is_dir(), reason="the folder of real candles is not beside the project"
)
pytestmark = pytest.mark.freqtrade

PAIRS = ["BTC/USDT:USDT", "ETH/USDT:USDT", "XRP/USDT:USDT", "SOL/USDT:USDT"]


def overlay(folder: Path, port: int, **changes: Any) -> Path:
    """Write the config that leads to the rehearsal exchange, changed as given."""
    config: dict[str, Any] = {**config_overlay(port), **changes}
    config["exchange"] = {**config["exchange"], "pair_whitelist": PAIRS}
    path = folder / "overlay.json"
    path.write_text(json.dumps(config))
    return path


SECONDS = 50
#: `qt-guard`, whose demonstration may take nearly as long as a command may to have shown all.
UNHURRIED = f"""
import sys
from qt_protections import cli
from qt_protections.cli import demo
demo.PATIENCE = {0.8 * COMMAND_S / SECONDS}
sys.exit(cli.main(sys.argv[1:]))
"""


def test_the_demonstration(tmp_path: Path) -> None:
    """`make demo`, shorter: every rule is seen at work, and no position is ever naked.

    But where the market ran through a stop before its entry arrived: prices do not wait for a
    machine that is busy between the two.
    """
    out = tmp_path / "demo"
    ended = run(sys.executable, "-c", UNHURRIED, "demo", f"--seconds={SECONDS}", "--out", out)
    report = json.loads((out / "report.json").read_text())
    events = [json.loads(line) for line in (out / "events.jsonl").read_text().splitlines()]
    bare = gaps(report)
    assert bare == hit_before_fill(bare, events, latency_ms=10_000), ended.output
    assert ended.code == (1 if bare else 0), ended.output
    figures = report["run"]
    assert figures["positions"] - figures["stops_live_before_entry"] <= len(bare)
    assert figures["stops_live_before_entry"] > 0
    with closing(sqlite3.connect(out / "trades.sqlite")) as database:
        locks = database.execute("select side, reason from pairlocks").fetchall()
        held = database.execute("select pair from trades where is_open = 1").fetchall()
    assert any(side == "short" and "in UPTREND" in reason for side, reason in locks)
    open_on_exchange = {p["symbol"] for p in report["positions"] if p["closed_ms"] is None}
    on_record = {pair.split(":")[0].replace("/", "") for (pair,) in held}
    # The bot enters one after the other, and its end may come in the midst of an entry.
    assert len(open_on_exchange - on_record) <= 1


@pytest.mark.parametrize(
    ("block", "environment", "said"),
    [
        ({"risk_per_trade": 5}, {}, "risk_per_trade (from the"),
        ({"risk_pertrade": 1}, {}, "unknown setting 'risk_pertrade'"),
        ({}, {"QT_MAX_POSITIONS_PER_SYMBOL": "9"}, "QT_MAX_POSITIONS_PER_SYMBOL (from the env"),
    ],
    ids=["out-of-bounds", "unknown", "environment"],
)
def test_a_wrong_setting_stops_the_start(
    tmp_path: Path, block: dict[str, Any], environment: dict[str, str], said: str
) -> None:
    """One clear sentence, and no bot."""
    with exchange() as port:
        config = overlay(tmp_path, port, qt=block)
        ended = freqtrade(
            "trade", "-c", ROOT / "config.json", "-c", config, "--userdir", tmp_path,
            "--strategy-path", ROOT / "user_data/strategies", "--db-url", "sqlite://",
            **environment,
        )  # fmt: skip
    assert ended.code != 0
    assert said in " ".join(ended.output.split())
    assert "Traceback" not in ended.output.split(said, maxsplit=1)[0]


def test_downloaded_candles_backtest(tmp_path: Path) -> None:
    """`download-data` and `backtesting` work against the rehearsal exchange, protections on."""
    with exchange("--scenario=uptrend") as port:
        config = overlay(tmp_path, port)
        common = ("-c", ROOT / "config.json", "-c", config, "--userdir", tmp_path)
        loaded = freqtrade("download-data", *common, "--days=120", "-t", "1h", "4h")
        assert loaded.code == 0, loaded.output
        test = (
            "backtesting", *common, "--strategy-path", ROOT / "user_data/strategies",
            "-s", "QTStrategy", "--enable-protections", "--cache=none",
        )  # fmt: skip
        tested, stacked = freqtrade(*test), freqtrade(*test, "--eps")
    assert stacked.code != 0
    assert "position_stacking (--eps) is on" in stacked.output
    assert tested.code == 0, tested.output
    assert "ENTER TAG STATS" in tested.output
    assert "Building 4h candles" not in tested.output


def backtest(folder: Path, strategy: str, timeframe: str, timerange: str, **changes: Any) -> Any:
    """Backtest on the real candles and return the trades."""
    with exchange() as port:
        config = overlay(folder, port, futures_funding_rate=0.0, **changes)
        ended = freqtrade(
            "backtesting", "-c", ROOT / "config.json", "-c", config, "--userdir", folder,
            "--strategy-path", ROOT / "user_data/strategies", "-s", strategy, "-i", timeframe,
            "--timerange", timerange, "--datadir", REAL_CANDLES, "--enable-protections",
            "--cache=none",
        )  # fmt: skip
    assert ended.code == 0, ended.output
    (archive,) = (folder / "backtest_results").glob("*.zip")
    with zipfile.ZipFile(archive) as results:
        result = json.loads(results.read(f"{archive.stem}.json"))
    assert result["strategy"][strategy]["locks"] == [], "a backtest must not add a lock a candle"
    return pd.DataFrame(result["strategy"][strategy]["trades"])


def regimes(own: str, regime: str, pair: str = "BTC_USDT_USDT") -> pd.Series:
    """Tell the regime at each close independently: EMA200 by its definition, in a plain loop."""
    candles = pd.read_feather(REAL_CANDLES / "futures" / f"{pair}-{own}-futures.feather")
    closes = candles.set_index("date")["close"].resample(regime, label="right", closed="left")
    whole = closes.count() == closes.count().max()
    average, verdicts = 0.0, {}
    for number, (moment, close) in enumerate(closes.last()[whole].items()):
        average = close if number == 0 else average + (close - average) * 2 / 201
        distance = close / average - 1
        verdicts[moment] = (
            "UNKNOWN" if number < 599
            else "UPTREND" if distance > 0.02
            else "DOWNTREND" if distance < -0.02
            else "SIDEWAYS"
        )  # fmt: skip
    return pd.Series(verdicts)


def shorts_by_regime(
    folder: Path, strategy: str, timeframe: str, timerange: str, **qt: Any
) -> list[tuple[str, bool]]:
    """Return the regime at each short's entry, and whether its tag names the exception."""
    trades = backtest(folder, strategy, timeframe, timerange, qt=qt)
    shorts = trades[trades["is_short"]]
    known = regimes(timeframe, qt["regime_timeframe"])
    opened = pd.to_datetime(shorts["open_date"], utc=True)
    tagged = shorts["enter_tag"].fillna("").str.contains(RARE_SHORT_TAG)
    return [
        (known[known.index <= moment].iloc[-1], rare)
        for moment, rare in zip(opened, tagged, strict=True)
    ]


@needs_real_candles
@pytest.mark.parametrize(
    ("strategy", "timeframe", "regime", "timerange"),
    [
        ("QTStrategy", "1h", "4h", "20230101-20240401"),
        ("QTStrategy", "5m", "1h", "20250810-20250930"),
        ("GuardedSample", "5m", "1h", "20250810-20250930"),
    ],
)
def test_no_short_in_an_uptrend_but_the_tagged(
    tmp_path: Path, strategy: str, timeframe: str, regime: str, timerange: str
) -> None:
    """On real candles: each short stands in a regime that allows it, or is tagged the exception."""
    verdicts = shorts_by_regime(tmp_path, strategy, timeframe, timerange, regime_timeframe=regime)
    assert verdicts, "without a short there is nothing to see"
    assert ("UPTREND", False) not in verdicts
    assert "UNKNOWN" not in {regime for regime, _ in verdicts}
    assert {regime for regime, rare in verdicts if rare} <= {"UPTREND"}


@needs_real_candles
def test_the_exception_is_tagged(tmp_path: Path) -> None:
    """With a lower threshold some shorts do pass in the uptrend, and each says so."""
    verdicts = shorts_by_regime(
        tmp_path, "QTStrategy", "1h", "20230101-20240401",
        regime_timeframe="4h", uptrend_short_exception_conf=0.3,
    )  # fmt: skip
    assert ("UPTREND", True) in verdicts
    assert ("UPTREND", False) not in verdicts


@needs_real_candles
def test_hyperopt_trades_under_the_guard(tmp_path: Path) -> None:
    """Its workers have neither loaded the guard nor an exchange to ask."""
    with exchange() as port:
        config = overlay(tmp_path, port, futures_funding_rate=0.0)
        ended = freqtrade(
            "hyperopt", "-c", ROOT / "config.json", "-c", config, "--userdir", tmp_path,
            "--strategy-path", ROOT / "user_data/strategies", "-s", "QTStrategy", "-i", "1h",
            "--timerange", "20230101-20230601", "--datadir", REAL_CANDLES, "--epochs", "2",
            "--spaces", "stoploss", "--hyperopt-loss", "SharpeHyperOptLoss", "--job-workers", "2",
            "--enable-protections", "--disable-param-export", "--print-all", "--no-color",
        )  # fmt: skip
    assert ended.code == 0, ended.output
    assert "Sizing failed" not in ended.output
    (results,) = (tmp_path / "hyperopt_results").glob("*.fthypt")
    epochs = [json.loads(line) for line in results.read_text().splitlines()]
    assert all(epoch["results_metrics"]["total_trades"] > 0 for epoch in epochs)


@needs_real_candles
def test_with_the_gate_off_there_are_shorts_in_the_uptrend(tmp_path: Path) -> None:
    """The counter-check: what the gate keeps out is there to be kept out."""
    verdicts = shorts_by_regime(
        tmp_path, "QTStrategy", "1h", "20230101-20240401",
        regime_timeframe="4h", uptrend_short_exception_conf=0.0,
    )  # fmt: skip
    assert ("UPTREND", False) in verdicts


@needs_real_candles
def test_no_look_ahead(tmp_path: Path) -> None:
    """Freqtrade's own analyses find neither bias nor drift in the reference strategy."""
    with exchange() as port:
        config = overlay(tmp_path, port, futures_funding_rate=0.0)
        common = (
            "-c", ROOT / "config.json", "-c", config, "--userdir", tmp_path,
            "--strategy-path", ROOT / "user_data/strategies", "-s", "QTStrategy",
            "--datadir", REAL_CANDLES,
        )  # fmt: skip
        csv = tmp_path / "lookahead.csv"
        look = freqtrade(
            "lookahead-analysis", *common, "--timerange", "20230601-20230901",
            "--targeted-trade-amount=20", "--lookahead-analysis-exportfilename", csv,
        )  # fmt: skip
        assert look.code == 0, look.output
        recursive = freqtrade(
            "recursive-analysis", *common, "--timerange", "20230601-20230901",
            "--startup-candle", "1000",
        )  # fmt: skip
        assert recursive.code == 0, recursive.output
    assert csv.exists(), look.output
    (found,) = pd.read_csv(csv).to_dict("records")
    assert found["has_bias"] in (False, "False")
    assert found["total_signals"] >= 10
    assert found["biased_indicators"] != found["biased_indicators"], found  # NaN: none
    assert "No lookahead bias on indicators found" in recursive.output
    assert drifts(recursive.output), recursive.output
    assert max(drifts(recursive.output)) < 0.1


def drifts(output: str) -> list[float]:
    """Return the drift of the averages in per cent, from recursive-analysis' table."""
    rows = [line for line in output.splitlines() if "│" in line and "ema_slow" in line]
    cells = [cell.strip() for row in rows for cell in row.split("│")[2:]]
    return [abs(float(cell.rstrip("%"))) for cell in cells if cell.endswith("%")]
