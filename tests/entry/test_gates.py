"""The entry gates of a running bot: what they read, whom they refuse, and what they say."""

from collections.abc import Callable
from datetime import timedelta

import pandas as pd
import pytest
from freqtrade.enums import RunMode

from qt_protections.market.trends import LOCAL_DISTANCE, REGIME
from qt_protections.rules.denial import Denial, DenyCode, deny
from qt_protections.rules.exposure import Exposure
from qt_protections.rules.regime import Regime
from tests.entry.desk import BTC, ETH, Desk

Make = Callable[..., Desk]
LIVE_AND_TEST = pytest.mark.parametrize("runmode", [RunMode.DRY_RUN, RunMode.BACKTEST])
UP, UNKNOWN = Regime.UPTREND.value, Regime.UNKNOWN.value


def judged(made: Desk, pair: str = BTC, *, is_short: bool = False) -> Denial | None:
    """Return why the gates refuse an entry; None if they do not."""
    return made.rules.gates.entry(pair, made.time, is_short=is_short)


@LIVE_AND_TEST
@pytest.mark.parametrize(
    ("columns", "qt", "code", "rare"),
    [
        ({}, {}, None, 0),
        ({REGIME: UP}, {}, DenyCode.SHORT_IN_UPTREND, 0),
        ({REGIME: UNKNOWN}, {}, DenyCode.SHORT_REGIME_UNKNOWN, 0),
        ({REGIME: UP, LOCAL_DISTANCE: -0.1}, {}, None, 1),
        ({REGIME: UP, LOCAL_DISTANCE: -0.1, "confidence": 0.6}, {}, DenyCode.SHORT_IN_UPTREND, 0),
        ({REGIME: UP}, {"uptrend_short_exception_conf": 0.0}, None, 0),
    ],
    ids=["sideways", "uptrend", "unknown", "rare", "no confidence", "gate off"],
)
def test_a_short_is_judged_by_the_newest_candle(
    desk: Make,
    runmode: RunMode,
    columns: dict[str, object],
    qt: dict[str, object],
    code: DenyCode | None,
    rare: int,
) -> None:
    """A long of the same candle passes; the rare short is counted as one."""
    made = desk(runmode, **qt)
    made.candle(**columns)
    denial = judged(made, is_short=True)
    assert (None if denial is None else denial.code) is code
    assert [code for _, code in made.log.refused] == ([] if code is None else [code])
    assert made.log.tally.rare_shorts == rare
    assert judged(made) is None


def test_an_old_candle_says_nothing_live(desk: Make) -> None:
    """A backtest's newest candle is the signal's, however long ago."""
    for runmode, refused in ((RunMode.DRY_RUN, True), (RunMode.BACKTEST, False)):
        made = desk(runmode)
        made.candle(hours_ago=4.0)
        assert (judged(made, is_short=True) is not None) is refused


@LIVE_AND_TEST
def test_what_cannot_be_judged_is_refused(
    desk: Make, runmode: RunMode, caplog: pytest.LogCaptureFixture
) -> None:
    """Live a long, too: where its candle cannot be read something is wrong."""
    made = desk(runmode)
    made.candle(**{LOCAL_DISTANCE: "far"})
    denial = judged(made, is_short=True)
    assert denial is not None
    assert denial.code is DenyCode.GATE_FAILED
    assert denial.is_failure
    assert f"The entry gate failed for {BTC}." in caplog.messages
    assert (judged(made) is None) is (runmode is RunMode.BACKTEST)


class Moody:
    """A rule of a user's own, which likes no shorts of Ether."""

    def check(self, entry: object, now: object) -> Denial | None:
        """Judge an entry."""
        is_disliked = (entry.pair, entry.is_short) == (ETH, True)  # type: ignore[attr-defined]
        return deny("moody", "not today") if is_disliked else None


@LIVE_AND_TEST
def test_a_users_own_rule_is_asked_last(desk: Make, runmode: RunMode) -> None:
    """Of what none of the guard's objects to."""
    made = desk(runmode, rules=[Moody()])
    assert judged(made, BTC, is_short=True) is None
    assert judged(made, ETH) is None
    denial = judged(made, ETH, is_short=True)
    assert denial is not None
    assert denial.code == "moody"
    made.candle(ETH, **{REGIME: UP})
    denial = judged(made, ETH, is_short=True)
    assert denial is not None
    assert denial.code is DenyCode.SHORT_IN_UPTREND


@LIVE_AND_TEST
def test_a_symbol_is_counted_over_all_its_pairs(desk: Make, runmode: RunMode) -> None:
    """What waits, and what somebody opened by hand in another coin."""
    made = desk(runmode)
    made.hold(1.0, waiting=1.0)
    made.stops.beside.append(Exposure("BTC/USDC:USDC", False, 1.0, 1.0, 0.9, is_foreign=True))
    made.stops.beside.append(Exposure(ETH, False, 1.0, 1.0, 0.9, entries=1, is_foreign=True))
    assert made.rules.gates.entries_held(BTC) == 3
    assert made.rules.gates.entries_by_symbol() == {"BTC": 3, "ETH": 1}
    denial = judged(made)
    assert denial is not None
    assert denial.code is DenyCode.SYMBOL_FULL
    assert judged(made, ETH) is None


@pytest.mark.parametrize(
    ("columns", "passes"),
    [
        ({}, True),
        ({REGIME: UP}, False),
        ({REGIME: UP, LOCAL_DISTANCE: -0.1}, True),
        ({LOCAL_DISTANCE: "far"}, False),
    ],
)
def test_whether_a_short_would_pass(
    desk: Make, columns: dict[str, object], passes: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """Not where it cannot be judged; nobody asked for an entry, so none is refused."""
    made = desk()
    made.candle(**columns)
    assert made.rules.gates.short_passes(BTC) is passes
    assert made.log.refused == {}
    assert ("The short gate failed" in caplog.text) is ("far" in columns.values())


def frame(made: Desk, **columns: object) -> pd.DataFrame:
    """Return two candles that ask for a short in an uptrend, the second with given columns."""
    rows = [
        {
            "date": pd.Timestamp(made.time - timedelta(hours=2 - number)),
            "enter_short": 1,
            REGIME: UP,
            LOCAL_DISTANCE: 0.1,
            "confidence": 0.9,
            **(columns if number else {}),
        }
        for number in range(2)
    ]
    return pd.DataFrame(rows)


@pytest.mark.parametrize(
    ("columns", "code"),
    [
        ({}, DenyCode.SHORT_IN_UPTREND),
        ({REGIME: UNKNOWN}, DenyCode.SHORT_REGIME_UNKNOWN),
        ({LOCAL_DISTANCE: -0.1}, None),
        ({"enter_short": 0}, None),
    ],
)
def test_a_short_taken_from_the_newest_candle_is_said(
    desk: Make, columns: dict[str, object], code: DenyCode | None
) -> None:
    """Freqtrade sees no signal there, so nobody else would say why; older ones are no news."""
    made = desk()
    left = made.rules.gates.signals(frame(made, **columns), BTC)
    assert left["enter_short"].iloc[0] == 0
    assert [said for _, said in made.log.refused] == ([] if code is None else [code])
    assert made.log.tally.removed == {}, "that is for the summary of a backtest"


def test_a_backtest_counts_the_shorts_that_it_takes_out(desk: Make) -> None:
    """By rule, with the moment their candles closed; anew with each analysis."""
    made = desk(RunMode.BACKTEST)
    for _ in range(2):
        made.rules.gates.signals(frame(made, **{REGIME: UNKNOWN}), BTC)
    removed = made.log.tally.removed[BTC]
    closes = {code: [each.to_pydatetime() for each in when] for code, when in removed.items()}
    assert closes == {
        "short_in_uptrend": [made.time - timedelta(hours=1)],
        "short_regime_unknown": [made.time],
    }
    assert made.log.refused == {}
    made.rules.gates.signals(frame(made, enter_short=0).iloc[1:], BTC)
    assert made.log.tally.removed == {}


@pytest.mark.parametrize("qt", [{}, {"uptrend_short_exception_conf": 0.0}], ids=["on", "off"])
def test_what_the_gate_leaves_alone(desk: Make, qt: dict[str, object]) -> None:
    """A strategy without shorts, and with the gate off all of them."""
    made = desk(**qt)
    given = frame(made)
    if not qt:
        given = given.drop(columns="enter_short").assign(enter_long=1)
    pd.testing.assert_frame_equal(made.rules.gates.signals(given.copy(), BTC), given)
