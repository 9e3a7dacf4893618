"""What does not fit each other is said at the start, with setting, value and fix."""

import logging
import math
from typing import Any

import pandas as pd
import pytest
from freqtrade.enums import RunMode
from freqtrade.strategy.interface import IStrategy

from qt_protections.configuration import load_settings
from qt_protections.entry.config_checks import (
    FirstFrames,
    entries_sharing,
    refuse_position_stacking,
    say_what_does_not_fit,
)
from qt_protections.errors import GuardNotInstalled
from qt_protections.market.trends import REGIME
from qt_protections.rules.regime import Regime

BTC, ETH = "BTC/USDT:USDT", "ETH/USDT:USDT"
START = pd.Timestamp("2024-01-01", tz="UTC")


class Plain(IStrategy):
    """As much of a strategy as is compared with settings."""

    timeframe = "1h"
    can_short = True
    stoploss = -0.1

    def populate_indicators(self, dataframe: Any, metadata: Any) -> Any:
        """Add nothing."""
        return dataframe

    def populate_entry_trend(self, dataframe: Any, metadata: Any) -> Any:
        """Signal nothing."""
        return dataframe


class Provider:
    """Freqtrade's data provider, as far as it tells how the bot runs."""

    def __init__(self, runmode: RunMode) -> None:
        self.runmode = runmode


def strategy(runmode: RunMode = RunMode.LIVE, **changes: Any) -> Any:
    """Return a strategy with attributes of its own; `config` adds to its configuration."""
    config = {"max_open_trades": 3, "runmode": runmode, **changes.pop("config", {})}
    made: Any = Plain(config)
    made.dp = Provider(runmode)
    for name, value in changes.items():
        setattr(made, name, value)
    return made


def said(caplog: pytest.LogCaptureFixture, made: Any, pairs: int = 10, **qt: Any) -> list[str]:
    """Return the lines said at the start."""
    caplog.clear()
    say_what_does_not_fit(made, load_settings(qt).settings, pairs)
    return caplog.messages


@pytest.mark.parametrize(
    ("positions", "pairs", "words"),
    [
        (6, 10, "6 positions .* may lose 4.5 % .* max_open_risk is 3 %: 4 at full size"),
        (math.inf, 8, "8 positions .* may lose 6 %"),
        (4, 10, None),
        (6, 4, None),
        (0, 10, None),
    ],
)
def test_positions_that_risk_more_than_all_may(
    caplog: pytest.LogCaptureFixture, positions: float, pairs: int, words: str | None
) -> None:
    """Four would silently replace six."""
    lines = said(caplog, strategy(config={"max_open_trades": positions}), pairs)
    if words is None:
        assert lines == []
        return
    (line,) = lines
    assert pd.Series([line]).str.contains(words).all(), line
    assert "Set max_open_risk to" in line


def test_the_fix_that_is_named_mends_it(caplog: pytest.LogCaptureFixture) -> None:
    """Each of the three by itself."""
    six = {"config": {"max_open_trades": 6}}
    (line,) = said(caplog, strategy(**six))
    assert "max_open_risk to 4.5, or risk_per_trade to 0.5, or max_open_trades to 4." in line
    assert said(caplog, strategy(**six), max_open_risk=4.5) == []
    assert said(caplog, strategy(**six), risk_per_trade=0.5) == []
    assert said(caplog, strategy(config={"max_open_trades": 4})) == []


@pytest.mark.parametrize("off", [{"risk_per_trade": None}, {"max_open_risk": None}])
def test_a_limit_that_is_off_contradicts_none(
    caplog: pytest.LogCaptureFixture, off: dict[str, Any]
) -> None:
    """There is nothing to add up."""
    assert said(caplog, strategy(config={"max_open_trades": 50}), 50, **off) == []


def test_a_strategy_that_adds_hears_what_becomes_of_that(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Of the default, of the other way, and of the limit of its symbol."""
    adds = {"position_adjustment_enable": True, "max_entry_position_adjustment": 3}
    refuse, limit = said(caplog, strategy(**adds))
    assert "averaging_down is refuse" in refuse
    assert "averaging_down share divides" in refuse
    assert "may add 3 entries" in limit
    assert "max_positions_per_symbol 2" in limit
    lines = said(caplog, strategy(**adds), averaging_down="share", max_positions_per_symbol=4)
    assert lines == []
    unlimited = strategy(position_adjustment_enable=True)
    assert "any number of entries" in said(caplog, unlimited, risk_per_trade=None)[0]
    off = {"risk_per_trade": None, "max_positions_per_symbol": None}
    assert said(caplog, unlimited, **off) == []
    (nothing,) = said(caplog, strategy(), averaging_down="share", risk_per_trade=None)
    assert "risk_per_trade is null" in nothing


@pytest.mark.parametrize(
    ("adjusts", "further", "qt", "entries"),
    [
        (True, 3, {}, None),
        (True, 3, {"averaging_down": "share"}, 4),
        (True, 0, {"averaging_down": "share"}, 1),
        (True, -1, {"averaging_down": "share", "risk_per_trade": None}, None),
        (False, -1, {"averaging_down": "share"}, 1),
        (False, -1, {"averaging_down": "share", "stack_entries": True}, 2),
        (False, 4, {"averaging_down": "share", "stack_entries": True}, 5),
    ],
)
def test_how_many_share(
    adjusts: bool, further: int, qt: dict[str, Any], entries: int | None
) -> None:
    """The first and those that may follow; nobody by default."""
    made = strategy(position_adjustment_enable=adjusts, max_entry_position_adjustment=further)
    assert entries_sharing(made, load_settings(qt).settings) == entries


@pytest.mark.parametrize(
    ("adjusts", "qt"),
    [(True, {}), (False, {"stack_entries": True, "max_positions_per_symbol": None})],
    ids=["the strategy's", "repeated signals"],
)
def test_nobody_shares_with_any_number(adjusts: bool, qt: dict[str, Any]) -> None:
    """The start is refused, with the way out."""
    made = strategy(position_adjustment_enable=adjusts)
    with pytest.raises(GuardNotInstalled, match=r"Set (max_entry|one of).* averaging_down to"):
        entries_sharing(made, load_settings({"averaging_down": "share", **qt}).settings)


@pytest.mark.parametrize(
    ("runmode", "qt", "config", "told"),
    [
        (RunMode.BACKTEST, {"trail_callback": 1.5}, {}, True),
        (RunMode.HYPEROPT, {"trail_callback": 1.5}, {}, True),
        (RunMode.BACKTEST, {"trail_callback": 1.5}, {"timeframe_detail": "1m"}, False),
        (RunMode.LIVE, {"trail_callback": 1.5}, {}, False),
        (RunMode.BACKTEST, {}, {}, False),
    ],
    ids=["backtest", "hyperopt", "detail", "live", "no trailing"],
)
def test_what_candles_make_of_a_trailing_stop(
    caplog: pytest.LogCaptureFixture,
    runmode: RunMode,
    qt: dict[str, Any],
    config: dict[str, Any],
    told: bool,
) -> None:
    """A backtest without detail says what its trailing stop is worth."""
    lines = said(caplog, strategy(runmode, config=config), **qt)
    assert [("--timeframe-detail 1m" in line) for line in lines] == [True] * told


@pytest.mark.parametrize("config", [{}, {"position_stacking": False}, {"position_stacking": True}])
def test_a_backtest_of_several_trades_a_pair_is_refused(config: dict[str, Any]) -> None:
    """A live bot has one: such a backtest tells nothing of it. The words say what to use."""
    made = strategy(RunMode.BACKTEST, config=config)
    if not config.get("position_stacking"):
        refuse_position_stacking(made)
        return
    with pytest.raises(GuardNotInstalled, match=r"--eps.* stack_entries"):
        refuse_position_stacking(made)


def frame(rows: int = 100, width: float = 0.01, **columns: Any) -> pd.DataFrame:
    """Return an analysed frame of candles that are `width` of their close wide."""
    made = pd.DataFrame({"date": pd.date_range(START, periods=rows, freq="1h")})
    made["close"], made["low"], made["high"] = 100.0, 100.0, 100.0 + 100.0 * width
    made[REGIME] = Regime.SIDEWAYS.value
    made["confidence"] = 1.0
    return made.assign(**columns)


def frames_said(
    caplog: pytest.LogCaptureFixture, made: Any, frames: dict[str, pd.DataFrame], **qt: Any
) -> list[str]:
    """Return the lines said once all frames have been analysed, twice."""
    caplog.set_level(logging.INFO)
    caplog.clear()
    first = FirstFrames(made, load_settings(qt).settings, BTC)
    first.all_seen()
    for _ in range(2):
        for pair, each in frames.items():
            first.look(pair, each)
        first.all_seen()
    return caplog.messages


def test_the_callback_is_compared_with_the_candles(caplog: pytest.LogCaptureFixture) -> None:
    """Each pair's median, the widest first; a warning where every other candle is wider."""
    frames = {BTC: frame(width=0.004), ETH: frame(width=0.021)}
    told, noise = frames_said(caplog, strategy(), frames, trail_callback=1.5)
    assert f"{ETH} 2.1 %, {BTC} 0.4 %" in told
    assert "inside the noise of 1 of 2 pairs" in noise
    assert f"({ETH} 2.1 %)" in noise
    calm = frames_said(caplog, strategy(), frames, trail_callback=3)
    assert [line[:4] for line in calm] == ["[OK]"]
    assert frames_said(caplog, strategy(), frames) == []


def test_many_pairs_make_no_long_line(caplog: pytest.LogCaptureFixture) -> None:
    """Five are named."""
    frames = {f"P{n}/USDT:USDT": frame(width=0.001 * (n + 1)) for n in range(9)}
    (told,) = frames_said(caplog, strategy(), frames, trail_callback=1.5)
    assert "P8/USDT:USDT 0.9 %" in told
    assert "and 4 narrower" in told


@pytest.mark.parametrize(
    ("changes", "qt", "told"),
    [
        ({}, {}, True),
        ({"can_short": False}, {}, False),
        ({}, {"uptrend_short_exception_conf": 0.0}, False),
    ],
    ids=["shorts", "no shorts", "gate off"],
)
def test_a_short_gate_without_confidence(
    caplog: pytest.LogCaptureFixture, changes: dict[str, Any], qt: dict[str, Any], told: bool
) -> None:
    """Its exception cannot be reached."""
    for lacking in (frame().drop(columns="confidence"), frame(confidence=float("nan"))):
        lines = frames_said(caplog, strategy(**changes), {BTC: lacking, ETH: lacking}, **qt)
        assert [("no number to column 'confidence'" in line) for line in lines] == [True] * told
        assert frames_said(caplog, strategy(**changes), {BTC: lacking, ETH: frame()}, **qt) == []


def test_short_columns_of_a_strategy_that_may_not(caplog: pytest.LogCaptureFixture) -> None:
    """Freqtrade ignores them, mostly; only where there is a signal."""
    frames = {BTC: frame(enter_short=0), ETH: frame(enter_short=1)}
    (line,) = frames_said(caplog, strategy(can_short=False), frames)
    assert "its can_short is False" in line
    assert frames_said(caplog, strategy(can_short=False), {BTC: frames[BTC]}) == []
    assert frames_said(caplog, strategy(), frames) == []


@pytest.mark.parametrize(
    ("timerange", "startup", "share"),
    [
        (None, 0, "30%"),
        (None, 20, "12%"),
        ("20240101-20240102", 0, "100%"),
        ("20240102-", 0, "8%"),
        ("20240103-", 0, None),
    ],
)
def test_a_regime_that_is_not_known_in_the_timerange(
    caplog: pytest.LogCaptureFixture, timerange: str | None, startup: int, share: str | None
) -> None:
    """Of what is tested, from when to when, and the command that brings the candles."""
    regimes = [Regime.UNKNOWN.value] * 30 + [Regime.UPTREND.value] * 70
    made = strategy(RunMode.BACKTEST, config={"timerange": timerange}, startup_candle_count=startup)
    lines = frames_said(caplog, made, {BTC: frame(**{REGIME: regimes})})
    if share is None:
        assert lines == []
        return
    (line,) = lines
    assert f"UNKNOWN in {share} of this backtest" in line
    assert f"download-data --prepend -p {BTC} -t 4h --timerange 202309" in line
    off = {"uptrend_short_exception_conf": 0.0}
    assert frames_said(caplog, made, {BTC: frame(**{REGIME: regimes})}, **off) == []


def test_workers_of_hyperopt_say_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """They would say it in each epoch."""
    frames = {ETH: frame(width=0.021).drop(columns="confidence")}
    assert frames_said(caplog, strategy(RunMode.HYPEROPT), frames, trail_callback=1.5) == []
    assert len(frames_said(caplog, strategy(RunMode.BACKTEST), frames, trail_callback=1.5)) == 3


def test_candles_that_cannot_be_read_stop_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """The entry signals of a pair do not depend on what is said of it."""
    first = FirstFrames(strategy(), load_settings().settings, BTC)
    first.look(BTC, frame().drop(columns="high"))
    assert "could not be compared" in caplog.text
