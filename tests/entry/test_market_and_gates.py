"""Trends from stored candles, and what the gate makes of a frame of signals."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from freqtrade.data.dataprovider import DataProvider
from freqtrade.data.history import get_datahandler
from freqtrade.enums import CandleType, RunMode, TradingMode
from freqtrade.exceptions import ConfigurationError
from freqtrade.persistence import PairLocks, Trade

import qt_protections.market.trends
from qt_protections.configuration import load_settings
from qt_protections.entry.gates import RARE_SHORT_TAG, Gates
from qt_protections.market.signals import Signal, Signals
from qt_protections.market.trends import LOCAL_DISTANCE, REGIME, Market, whitelist
from qt_protections.protections.context import ProtectionContext
from qt_protections.protections.qt_global_regime import QtGlobalRegime
from qt_protections.reporting.operator_log import OperatorLog
from qt_protections.rules.regime import Regime

BTC, ETH = "BTC/USDT:USDT", "ETH/USDT:USDT"
START = pd.Timestamp("2024-01-01", tz="UTC")


def store(folder: Path, pair: str, timeframe: str, closes: np.ndarray, start: Any = START) -> None:
    """Write candles as `freqtrade download-data` does."""
    length = pd.Timedelta(timeframe.replace("m", "min"))
    frame = pd.DataFrame({"date": pd.date_range(start, periods=len(closes), freq=length)})
    for column in ("open", "high", "low", "close"):
        frame[column] = closes
    frame["volume"] = 1.0
    get_datahandler(folder, "feather").ohlcv_store(pair, timeframe, frame, CandleType.FUTURES)


def market(folder: Path, **qt: object) -> Market:
    """Return the market of a backtest on a folder of candles."""
    config: Any = {
        "datadir": folder,
        "dataformat_ohlcv": "feather",
        "candle_type_def": CandleType.FUTURES,
        "timeframe": "1h",
        "stake_currency": "USDT",
        "runmode": RunMode.BACKTEST,
    }
    return Market(DataProvider(config, None), config, load_settings(qt).settings)


def hours(start: pd.Timestamp, count: int) -> pd.DataFrame:
    """Return a strategy's frame of 1h candles."""
    return pd.DataFrame({"date": pd.date_range(start, periods=count, freq="1h")})


RISING = 100 * 1.0005 ** np.arange(4000)
FALLING = 100 * 0.9995 ** np.arange(4000)


def test_longer_candles_are_built_from_the_strategys_own(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Without stored 4h candles the 1h ones do, and both give the same columns."""
    caplog.set_level(logging.INFO)
    store(tmp_path, BTC, "1h", RISING)
    store(tmp_path, ETH, "1h", FALLING)
    built = market(tmp_path).add_columns(hours(START, 4000), ETH)
    assert "Building 4h candles of BTC/USDT:USDT from its 1h candles" in caplog.text
    store(tmp_path, BTC, "4h", RISING[3::4])
    store(tmp_path, ETH, "4h", FALLING[3::4])
    pd.testing.assert_frame_equal(built, market(tmp_path).add_columns(hours(START, 4000), ETH))
    assert set(built[REGIME].iloc[:2398]) == {Regime.UNKNOWN}
    assert set(built[REGIME].iloc[2400:]) == {Regime.UPTREND}
    assert (built[LOCAL_DISTANCE].iloc[2400:] < -0.02).all()


class Listing:
    """An exchange, of what a data provider asks it here: which markets there are."""

    def __init__(self, *pairs: str) -> None:
        self.markets = {pair: {"symbol": pair} for pair in pairs}


def live(exchange: Any, mode: TradingMode = TradingMode.FUTURES, **qt: object) -> Market:
    """Return the market of a dry run that trades one pair."""
    config: Any = {
        "runmode": RunMode.DRY_RUN,
        "trading_mode": mode,
        "timeframe": "1h",
        "stake_currency": "USDT",
        "exchange": {"pair_whitelist": [next(iter(exchange.markets))]},
    }
    return Market(DataProvider(config, exchange), config, load_settings(qt).settings)


def test_on_spot_the_regime_is_read_on_spot(caplog: pytest.LogCaptureFixture) -> None:
    """A spot market has no contract: Freqtrade would fail to fetch its candles in each loop."""
    spot = live(Listing("ETH/USDT", "BTC/USDT"), TradingMode.SPOT)
    assert spot.informative_pairs() == [("BTC/USDT", "4h"), ("ETH/USDT", "4h")]
    assert caplog.messages == []


def test_a_regime_pair_that_the_exchange_has_not_is_said_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Freqtrade would ask for its candles in each loop, and write twenty lines each time."""
    exchange = Listing(ETH, BTC)
    misspelt = live(exchange, regime_pair="BTX/USDT:USDT", max_group_risk=1.0)
    for _ in range(2):
        assert misspelt.informative_pairs() == [(ETH, "4h")]
    (said,) = caplog.messages
    assert "BTX/USDT:USDT (regime_pair)" in said
    exchange.markets["BTX/USDT:USDT"] = {"symbol": "BTX/USDT:USDT"}
    assert ("BTX/USDT:USDT", "4h") in misspelt.informative_pairs(), "listed meanwhile"


def test_a_contract_may_be_named_as_ccxt_takes_it(caplog: pytest.LogCaptureFixture) -> None:
    """Live, ccxt finds the contract by the name of the spot market."""
    named = live(Listing(ETH, BTC), regime_pair="BTC/USDT")
    assert named.informative_pairs() == [("BTC/USDT", "4h"), (ETH, "4h")]
    assert caplog.messages == []


@pytest.mark.parametrize(("conf", "said"), [(0.65, 1), (0.0, 0)], ids=["gate on", "gate off"])
def test_missing_candles_are_said_once_in_plain_words(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, conf: float, said: int
) -> None:
    """Freqtrade names each file it misses, and nobody what that means."""
    of_a_day = market(tmp_path, uptrend_short_exception_conf=conf)
    of_a_day._config["timeframe"] = "1d"
    for pair in (BTC, ETH):
        frame = of_a_day.add_columns(hours(START, 48), pair)
        assert set(frame[REGIME]) == {Regime.UNKNOWN}
    words = [line for line in caplog.messages if "freqtrade download-data -t 4h" in line]
    assert len(words) == said
    assert all("There are no 4h candles of BTC/USDT:USDT" in line for line in words)


def test_stored_candles_that_end_too_early_are_continued(tmp_path: Path) -> None:
    """A forgotten download of the longer candles does not make the regime unknown."""
    store(tmp_path, BTC, "1h", RISING)
    complete = market(tmp_path).add_columns(hours(START, 4000), BTC)
    store(tmp_path, BTC, "4h", RISING[3:3200:4])
    pd.testing.assert_frame_equal(complete, market(tmp_path).add_columns(hours(START, 4000), BTC))


def test_stored_candles_of_another_time_are_left_alone(tmp_path: Path) -> None:
    """An average never runs across a hole of months."""
    store(tmp_path, BTC, "4h", RISING[3::4] * 50, START - pd.Timedelta("900D"))
    store(tmp_path, BTC, "1h", RISING)
    columns = market(tmp_path).add_columns(hours(START, 4000), BTC)
    assert set(columns[REGIME].iloc[:2398]) == {Regime.UNKNOWN}
    assert set(columns[REGIME].iloc[2400:]) == {Regime.UPTREND}


def test_no_candles_are_unknown(tmp_path: Path) -> None:
    """A reference pair nobody downloaded refuses shorts, and breaks nothing."""
    columns = market(tmp_path).add_columns(hours(START, 3), ETH)
    assert set(columns[REGIME]) == {Regime.UNKNOWN}
    assert columns[LOCAL_DISTANCE].isna().all()


def test_the_beta_is_that_of_the_moment(tmp_path: Path) -> None:
    """It is remembered for a candle, and is another one with the next."""
    steps = np.sin(np.arange(2000) ** 1.5) / 100
    store(tmp_path, BTC, "4h", 100 * np.exp(np.cumsum(steps)))
    store(tmp_path, ETH, "4h", 100 * np.exp(np.cumsum(steps * np.linspace(0.5, 3, 2000))))
    asked = market(tmp_path, local_timeframe="4h")
    moments = [START + pd.Timedelta(hours=hour) for hour in (2000, 2003, 2004, 7000, 2000)]
    betas = [asked.beta(ETH, moment) for moment in moments]
    assert betas == [market(tmp_path, local_timeframe="4h").beta(ETH, m) for m in moments]
    assert betas[0] == betas[1] == betas[4]
    assert 0.5 < betas[0] < betas[2] < betas[3] < 3


def gates() -> Gates:
    """Return the gates of a backtest."""
    dp = DataProvider({"runmode": RunMode.BACKTEST}, None)  # type: ignore[typeddict-item]
    return Gates(
        load_settings().settings,
        Signals(dp, "confidence", "1h"),
        OperatorLog(),
        exposures=lambda _: [],
    )


@pytest.mark.parametrize(("is_short", "reads"), [(False, 0), (True, 1)])
def test_no_candle_is_read_for_a_long(
    is_short: bool, reads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To read one was most of what the guard cost a backtest, and no long is judged by it."""
    asked: list[str] = []
    monkeypatch.setattr(Signals, "newest", lambda _, pair: asked.append(pair) or Signal.unknown())
    monkeypatch.setattr(Trade, "use_db", False)
    monkeypatch.setattr(PairLocks, "use_db", False)
    gates().entry(BTC, START.to_pydatetime(), is_short=is_short)
    assert len(asked) == reads


def signals(**columns: object) -> pd.DataFrame:
    """Return one row that asks for a short in an uptrend without any right to it."""
    row = {
        "date": START,
        "enter_short": 1,
        "enter_tag": "mine",
        REGIME: Regime.UPTREND.value,
        LOCAL_DISTANCE: 0.05,
        "confidence": 0.9,
        **columns,
    }
    return pd.DataFrame([row])


@pytest.mark.parametrize(
    ("columns", "short", "tag"),
    [
        ({}, 0, "mine"),
        ({LOCAL_DISTANCE: -0.05}, 1, f"mine {RARE_SHORT_TAG}"),
        ({LOCAL_DISTANCE: -0.05, "enter_tag": ""}, 1, RARE_SHORT_TAG),
        ({LOCAL_DISTANCE: -0.05, "enter_tag": None}, 1, RARE_SHORT_TAG),
        ({LOCAL_DISTANCE: -0.05, "confidence": None}, 0, "mine"),
        ({LOCAL_DISTANCE: -0.05, "confidence": "high"}, 0, "mine"),
        ({LOCAL_DISTANCE: -0.05, "confidence": True}, 0, "mine"),
        ({REGIME: Regime.SIDEWAYS.value}, 1, "mine"),
        ({REGIME: Regime.UNKNOWN.value, LOCAL_DISTANCE: -0.05}, 0, "mine"),
        ({"enter_short": 0}, 0, "mine"),
        ({"enter_short": float("nan")}, None, "mine"),
    ],
)
def test_signals_are_gated(columns: dict[str, object], short: int | None, tag: str) -> None:
    """Refused shorts lose their signal, the exception gains a tag, the rest stays as it was."""
    row = gates().signals(signals(**columns), ETH).iloc[0]
    assert pd.isna(row["enter_short"]) if short is None else row["enter_short"] == short
    assert row["enter_tag"] == tag


def test_a_refused_short_does_not_turn_into_a_long() -> None:
    """Freqtrade drops a candle that signals both ways; taking one away would let the other in."""
    row = gates().signals(signals(enter_long=1), ETH).iloc[0]
    assert (row["enter_short"], row["enter_long"]) == (0, 0)


def test_signals_may_be_booleans() -> None:
    """True is a signal to Freqtrade, so it is one to the gate, in both directions."""
    both = pd.concat([signals(), signals(**{LOCAL_DISTANCE: -0.05})], ignore_index=True)
    both["enter_short"] = True
    both["enter_long"] = [True, False]
    gated = gates().signals(both, ETH)
    assert gated["enter_short"].tolist() == [0, 1]
    assert gated["enter_long"].tolist() == [0, 0]


def test_signals_may_have_no_tag() -> None:
    """A strategy that drops the column still gets its exceptions."""
    bare = signals(**{LOCAL_DISTANCE: -0.05}).drop(columns="enter_tag")
    row = gates().signals(bare, ETH).iloc[0]
    assert (row["enter_short"], row["enter_tag"]) == (1, RARE_SHORT_TAG)


@pytest.mark.parametrize("tag", [7, 1.5, None, "long ago"])
def test_tags_of_all_but_the_exception_stay_as_they_are(tag: object) -> None:
    """Freqtrade takes text alone for a tag live, and any value in a backtest."""
    frame = pd.concat(
        [
            signals(enter_short=0, enter_long=1),
            signals(**{REGIME: Regime.DOWNTREND.value}),
            signals(**{LOCAL_DISTANCE: -0.05}),
        ],
        ignore_index=True,
    )
    frame["enter_tag"] = [tag, tag, ""]
    tags = gates().signals(frame.copy(), ETH)["enter_tag"].tolist()
    assert tags[2] == RARE_SHORT_TAG
    for given, left in zip(frame["enter_tag"], tags[:2], strict=False):
        assert left == given or (pd.isna(left) and pd.isna(given))
        assert isinstance(left, str) == isinstance(given, str)
    without = frame.iloc[:2].copy()
    pd.testing.assert_series_equal(
        gates().signals(without.copy(), ETH)["enter_tag"], without["enter_tag"]
    )


def test_a_frame_the_gate_cannot_read_loses_its_shorts() -> None:
    """An error inside the gate refuses every short, and turns none into a long."""
    rows = pd.concat([signals(enter_long=1), signals(enter_short=0, enter_long=1)])
    gated = gates().signals(rows.drop(columns=REGIME), ETH)
    assert gated["enter_short"].tolist() == [0, 0]
    assert gated["enter_long"].tolist() == [0, 1]


def test_a_look_ahead_would_be_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Freqtrade's analyses compare a cut frame with the whole one; a peek must make them differ."""
    closes = 100 * np.exp(np.cumsum(np.random.default_rng(1).normal(0, 0.01, 4000)))
    store(tmp_path, BTC, "1h", closes)

    def differ() -> bool:
        whole, cut = (
            market(tmp_path).add_columns(hours(START, count), BTC)[LOCAL_DISTANCE].iloc[:3000]
            for count in (4000, 3000)
        )
        return not whole.equals(cut)

    assert not differ()
    honest = qt_protections.market.trends.as_of
    monkeypatch.setattr(
        qt_protections.market.trends,
        "as_of",
        lambda history, moments, length: honest(history, moments + pd.Timedelta("20h"), length),
    )
    assert differ()


def test_without_a_pairlist_the_configured_pairs_count() -> None:
    """Plots and the web server build Freqtrade's data provider without one."""
    config: Any = {"runmode": RunMode.PLOT, "exchange": {"pair_whitelist": [BTC, ETH]}}
    assert whitelist(DataProvider(config, None)) == [BTC, ETH]


@pytest.mark.parametrize(
    ("closes", "said", "until"),
    [
        (RISING, "is in UPTREND (", pd.Timestamp("2024-06-15 16:00", tz="UTC")),
        (RISING[:100], "is in UNKNOWN (candles missing, stale or too few); no shorts until", None),
        (np.full(4000, 100.0), None, None),
    ],
    ids=["uptrend", "unknown", "sideways"],
)
def test_the_lock_says_what_it_does(
    tmp_path: Path, closes: np.ndarray, said: str | None, until: Any
) -> None:
    """To the end of the regime's candle in an uptrend; to the next candle while unknown."""
    store(tmp_path, BTC, "1h", closes)
    now = pd.Timestamp("2024-06-15 15:00", tz="UTC").to_pydatetime()
    settings = load_settings().settings
    context = ProtectionContext(settings, market(tmp_path), lambda _pair: 0, live=True)
    entry = {"method": "QtGlobalRegime", "context": context}
    lock = QtGlobalRegime({"timeframe": "1h"}, entry).global_stop(now, "long", 0.0)  # type: ignore[typeddict-item]
    if said is None:
        assert lock is None
        return
    assert lock is not None
    assert said in str(lock.reason)
    assert lock.lock_side == "short"
    assert lock.until == (now if until is None else until - pd.Timedelta("1s"))


def test_a_protection_listed_by_hand_says_how_to_get_it() -> None:
    """Without the guard it cannot work, and names the line that brings it."""
    with pytest.raises(ConfigurationError, match="QTGuard only"):
        QtGlobalRegime({"timeframe": "1h"}, {"method": "QtGlobalRegime"})  # type: ignore[typeddict-item]
