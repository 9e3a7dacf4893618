"""The simulated trailing stop under the real commands, on price paths worked out by hand."""

import json
import zipfile
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from freqtrade.data.history import get_datahandler
from freqtrade.enums import CandleType

from qt_protections.rehearsal.overlay import config_overlay
from tests.integration.commands import ROOT, exchange, freqtrade
from tests.integration.rig import BTC, Rig, force_entry
from tests.integration.strategies import TENFOLD_AT

ENTRY = pd.Timestamp(TENFOLD_AT)
#: Entries at 10,000; 1 R is 200. Gains of price minute by minute from the entry on; a short's are
#: the same downwards. Each minute's candle goes straight from one to the next.
RISES = [0, 100, 199, 50, -190, 0, 150, 200, 199, 330, 460, 500, 420, 360, 358, 341, 300, 0]
#: Reaches 300 in the first minute and falls back to -120, nearly through the stop.
SPIKES = [0, 300, -120, -100, -100, -100]
PATHS = {"BTC": RISES, "ETH": RISES, "SOL": SPIKES, "XRP": SPIKES}
SHORTS = ("ETH", "XRP")
#: Freqtrade rounds a stop towards the price, the last binary digit's noise with it.
A_TICK = 0.1 + 1e-6


def minutes(base: str) -> pd.DataFrame:
    """Return the one-minute candles of a path, with three calm days before it."""
    side = -1 if base in SHORTS else 1
    path = [10_000.0] * 4320 + [10_000.0 + side * gain for gain in PATHS[base]]
    path += path[-1:] * 120
    opens, closes = pd.Series(path[:-1]), pd.Series(path[1:])
    frame = pd.DataFrame({"open": opens, "close": closes, "volume": 1000.0})
    frame["high"] = frame[["open", "close"]].max(axis=1)
    frame["low"] = frame[["open", "close"]].min(axis=1)
    frame["date"] = pd.date_range(ENTRY - pd.Timedelta("3D"), periods=len(frame), freq="1min")
    return frame


def longer(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the five-minute candles of one-minute candles."""
    first_to_last = {
        "open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum",
    }  # fmt: skip
    return frame.set_index("date").resample("5min").agg(first_to_last).reset_index()


def backtest(folder: Path, *options: str, **qt: Any) -> dict[str, dict[str, Any]]:
    """Backtest the paths by the real command and return the trades by base currency."""
    store = get_datahandler(folder, "feather").ohlcv_store
    for base in PATHS:
        frame = minutes(base)
        for timeframe, candles in (("1m", frame), ("5m", longer(frame))):
            store(f"{base}/USDT:USDT", timeframe, candles, CandleType.FUTURES)
    with exchange() as port:
        config = folder / "overlay.json"
        overlay = {
            **config_overlay(port),
            "futures_funding_rate": 0.0,
            "max_open_trades": 4,
            "qt": {"uptrend_short_exception_conf": 0.0, **qt},
        }
        overlay["exchange"]["pair_whitelist"] = [f"{base}/USDT:USDT" for base in PATHS]
        config.write_text(json.dumps(overlay))
        ended = freqtrade(
            "backtesting", "-c", ROOT / "config.json", "-c", config, "--userdir", folder,
            "--strategy-path", Path(__file__).parent, "-s", "GuardedOnceTenfold",
            "--datadir", folder, "--cache=none", *options,
        )  # fmt: skip
    assert ended.code == 0, ended.output
    (archive,) = (folder / "backtest_results").glob("*.zip")
    with zipfile.ZipFile(archive) as results:
        result = json.loads(results.read(f"{archive.stem}.json"))
    trades = result["strategy"]["GuardedOnceTenfold"]["trades"]
    # Freqtrade may enter again within the five minutes of a signal; the first trade is looked at.
    return {trade["pair"].split("/")[0]: trade for trade in reversed(trades)}


def gain(trade: dict[str, Any]) -> float:
    """Return the gain of price, in the terms of the paths."""
    return float(trade["close_rate"] - 10_000) * (-1 if trade["is_short"] else 1)


def minute(trade: dict[str, Any]) -> float:
    """Return when the trade closed, in minutes after its entry."""
    return (pd.Timestamp(trade["close_date"]) - ENTRY) / pd.Timedelta("1min")


@pytest.mark.freqtrade
def test_exits_where_the_rule_says(tmp_path: Path) -> None:
    """Minute by minute: no trailing short of 1 R, then out 1.5 % behind the best price.

    After 199 the price falls back to -190, where a stop that trailed from the fill would have
    closed. From 200 on it trails: 500 is the best, 10,500 less 1.5 % is 10,342.5. The price goes
    below that from 358 to 341. A short's best is 9,500, its stop 9,642.5.
    """
    trades = backtest(tmp_path, "--timeframe-detail=1m")
    for base, expected in (("BTC", 342.5), ("ETH", 357.5)):
        assert trades[base]["exit_reason"] == "trailing_stop_loss"
        assert gain(trades[base]) == pytest.approx(expected, abs=A_TICK)
    assert minute(trades["BTC"]) == 14
    assert minute(trades["ETH"]) == 14


@pytest.mark.freqtrade
def test_in_long_candles_the_gain_comes_first(tmp_path: Path) -> None:
    """A candle raises the stop to its best price, and its other end hits it.

    The second candle goes from 0 to 460: 10,460 less 1.5 % is 10,303.1, and it opened below. In
    the candle of the fill Freqtrade takes its worst case: the open less 1.5 %, or else the low.
    """
    trades = backtest(tmp_path)
    for base, expected in (("BTC", 303.1), ("ETH", 316.9), ("SOL", -120), ("XRP", -120)):
        assert trades[base]["exit_reason"] == "trailing_stop_loss"
        assert gain(trades[base]) == pytest.approx(expected, abs=A_TICK)
    assert [minute(trades[base]) for base in PATHS] == [5, 5, 0, 0]


@pytest.mark.freqtrade
@pytest.mark.parametrize(
    "qt", [{"trail_callback": None}, {"trail_activation": 2.6}], ids=["off", "not-reached"]
)
def test_without_trailing_the_trades_stay_open(tmp_path: Path, qt: dict[str, Any]) -> None:
    """Switched off, or with an activation of 520 where the best is 500, nothing closes them."""
    trades = backtest(tmp_path, "--timeframe-detail=1m", **qt)
    assert [trades[base]["exit_reason"] for base in PATHS] == ["force_exit"] * 4
    assert [trades[base]["stop_loss_ratio"] for base in PATHS] == [-0.2] * 4


def test_a_dry_run_is_trailed(rig: Rig) -> None:
    """There is no exchange to do it, so the guard moves the simulated stop, and that is hit."""
    bot = rig.bot(dry_run=True, qt={"trail_callback": 1.5, "trail_activation": 1.0})
    trade = force_entry(bot, BTC)
    assert trade is not None
    rig.move("BTCUSDT", 1.05)
    bot.process()
    assert trade.max_rate is not None
    assert trade.stop_loss == pytest.approx(trade.max_rate * 0.985, rel=1e-5)
    rig.move("BTCUSDT", 0.98)
    bot.process()
    assert trade.exit_reason == "stoploss_on_exchange"


def test_a_live_bot_leaves_it_to_the_exchange(rig: Rig) -> None:
    """The fixed stop stays where it is, however far the price has moved."""
    bot = rig.bot(qt={"trail_callback": 1.5, "trail_activation": 1.0})
    trade = force_entry(bot, BTC)
    assert trade is not None
    first = trade.stop_loss
    rig.move("BTCUSDT", 1.05)
    bot.process()
    assert trade.stop_loss == first
    assert not trade.is_stop_loss_trailing
