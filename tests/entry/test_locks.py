"""The guard's locks, told from everybody else's: which of them hold an entry back."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from freqtrade.enums import CandleType, RunMode
from freqtrade.persistence import PairLocks
from freqtrade.resolvers import ProtectionResolver

from qt_protections.entry import locks
from qt_protections.entry.protection_locks import ProtectionLocks
from qt_protections.errors import GuardNotInstalled
from qt_protections.market.trends import LOCAL_DISTANCE, REGIME
from qt_protections.rules.denial import DenyCode
from qt_protections.rules.regime import Regime
from tests.entry.desk import BTC, ETH, Desk

Make = Callable[..., Desk]
REGIME_LOCK, FULL_LOCK = f"{locks.GLOBAL_REGIME}: no shorts", f"{locks.SYMBOL_STACKING}: full"
LIVE_AND_TEST = pytest.mark.parametrize("runmode", [RunMode.DRY_RUN, RunMode.BACKTEST])


@pytest.fixture(autouse=True)
def _resolver() -> Iterator[None]:
    """Leave Freqtrade's loader of protections as it was."""
    before = ProtectionResolver.extra_path
    yield
    ProtectionResolver.extra_path = before


def lock(made: Desk, reason: str | None, pair: str = BTC, side: str = "*", hours: int = 2) -> None:
    """Lock a pair from now on."""
    PairLocks.lock_pair(pair, made.time + timedelta(hours=hours), reason, now=made.time, side=side)


@LIVE_AND_TEST
@pytest.mark.parametrize(
    ("pair", "side", "reason", "holds"),
    [
        (BTC, "*", "by hand", (True, True)),
        (BTC, "long", "by hand", (True, False)),
        (BTC, "short", "by hand", (False, True)),
        (ETH, "*", "by hand", (False, False)),
        ("*", "*", "by hand", (True, True)),
        (BTC, "*", None, (True, True)),
        (BTC, "*", REGIME_LOCK, (False, False)),
        (BTC, "*", FULL_LOCK, (False, False)),
        (BTC, "*", "QtGlobalRegimeOfMine: x", (True, True)),
    ],
)
def test_somebody_elses_lock_refuses_an_entry(
    desk: Make, runmode: RunMode, pair: str, side: str, reason: str | None, holds: tuple[bool, bool]
) -> None:
    """The guard's own say what its rules said once; these are asked anew."""
    made = desk(runmode)
    lock(made, reason, pair, side)
    for is_short, held in zip((False, True), holds, strict=True):
        denial = locks.denial(BTC, made.time, is_short=is_short)
        assert (denial is not None) is held
        if denial is not None:
            assert denial.code is DenyCode.PAIR_LOCKED
            assert (reason or "no reason given") in denial.text
            assert "UTC" in denial.text
    assert locks.denial(BTC, made.time + timedelta(hours=3), is_short=False) is None


def test_the_refusal_says_how_to_end_it(desk: Make) -> None:
    """By the id of the lock."""
    made = desk()
    lock(made, "by hand")
    (stands,) = PairLocks.get_pair_locks(BTC, made.time)
    denial = locks.denial(BTC, made.time, is_short=False)
    assert denial is not None
    assert f"(/unlock {stands.id})" in denial.text


@LIVE_AND_TEST
def test_a_forced_entry_heeds_a_lock_unless_told_not_to(desk: Make, runmode: RunMode) -> None:
    """Freqtrade holds back signals itself; a further entry is the strategy's own business."""
    made = desk(runmode)
    lock(made, "by hand")
    assert not made.passes()
    assert list(made.log.refused) == [(BTC, DenyCode.PAIR_LOCKED)]
    made.hold()
    assert made.passes()
    made = desk(runmode, locks_hold_forced_entries=False)
    lock(made, "by hand")
    assert made.passes()


@LIVE_AND_TEST
def test_a_start_releases_the_locks_of_an_earlier_run(desk: Make, runmode: RunMode) -> None:
    """Its settings may have been others; what somebody else locked stays so."""
    made = desk(runmode)
    for reason in (REGIME_LOCK, FULL_LOCK, "by hand", None):
        lock(made, reason, hours=5)
    assert locks.count(made.time) == 2
    locks.release(made.time)
    assert locks.count(made.time) == 0
    left = {each.reason for each in PairLocks.get_pair_locks(BTC, made.time)}
    assert left == {"by hand", None}


@LIVE_AND_TEST
@pytest.mark.parametrize(
    ("reasons", "only"),
    [
        ([], True),
        ([REGIME_LOCK], True),
        ([REGIME_LOCK, "by hand"], False),
        ([FULL_LOCK], False),
        ([None], False),
    ],
)
def test_whether_the_regime_alone_holds_a_pair(
    desk: Make, runmode: RunMode, reasons: list[str | None], only: bool
) -> None:
    """Over all pairs or this one."""
    made = desk(runmode)
    for number, reason in enumerate(reasons):
        lock(made, reason, "*" if number else BTC, "short")
    assert locks.only_regime_locks(BTC, made.time, "short") is only


def test_another_plugin_that_loads_protections_stops_the_start(desk: Make) -> None:
    """Freqtrade has room for one; a second call of the guard's is none other."""
    made = desk()
    config = made.strategy.config
    for _ in range(2):
        locks.register(config)
    assert config[locks.FOLDER_KEY].endswith("protections")
    ProtectionResolver.extra_path = "theirs"
    with pytest.raises(GuardNotInstalled, match="another plugin loads protections from 'theirs'"):
        locks.register(config)


# Asking the protections


def protections(made: Desk) -> ProtectionLocks:
    """Return who has the protections lock what they want locked."""
    gates = made.rules.gates
    return ProtectionLocks(made.strategy, made.settings, made.market, gates, live=True)


def rising(made: Desk) -> None:
    """Have the market rise for long enough to know it."""
    count, hours = 900, 4
    end = pd.Timestamp(made.time).floor("4h") - pd.Timedelta(hours=hours)
    frame = pd.DataFrame({"date": pd.date_range(end=end, periods=count, freq=f"{hours}h")})
    for column in ("open", "high", "low", "close"):
        frame[column] = 100 * 1.002 ** np.arange(count)
    frame["volume"] = 1.0
    made.exchange._klines = {(BTC, "4h", CandleType.FUTURES): frame}


def test_before_the_start_nothing_is_locked(desk: Make) -> None:
    """The strategy is asked for its protections before its bot starts."""
    made = desk(max_positions_per_symbol=1)
    made.hold()
    made_locks = protections(made)
    made_locks.ask([BTC, ETH], made.time)
    assert locks.count(made.time) == 0


def test_a_full_symbol_and_a_rising_market_are_locked(desk: Make) -> None:
    """The pairs of the symbol that holds as many as it may, and all shorts."""
    made = desk(max_positions_per_symbol=1)
    made.hold()
    rising(made)
    asked = protections(made)
    lock(made, FULL_LOCK, ETH)
    asked.start()
    assert locks.count(made.time) == 0, "those of an earlier run are gone"
    asked.ask([BTC, ETH], made.time)
    held = {(each.pair, each.side) for each in PairLocks.get_pair_locks(None, made.time)}
    assert held == {(BTC, "*"), ("*", "short")}
    assert locks.count(made.time) == 2
    assert asked._entries_held(ETH) == 0
    assert asked._entries_held(BTC) == 1


@pytest.mark.parametrize(
    ("columns", "side", "reason", "alone"),
    [
        ({LOCAL_DISTANCE: -0.05}, "short", REGIME_LOCK, True),
        ({LOCAL_DISTANCE: -0.05}, "long", REGIME_LOCK, False),
        ({LOCAL_DISTANCE: -0.05}, "short", "by hand", False),
        ({LOCAL_DISTANCE: 0.05}, "short", REGIME_LOCK, False),
        ({LOCAL_DISTANCE: -0.05, "confidence": 0.1}, "short", REGIME_LOCK, False),
    ],
    ids=["rare", "a long", "another lock", "the pair rises", "no confidence"],
)
def test_a_rare_short_passes_the_lock_of_the_regime(
    desk: Make, columns: dict[str, Any], side: str, reason: str, alone: bool
) -> None:
    """Freqtrade's locks know no exceptions: the guard looks through its own."""
    made = desk()
    made.candle(**{REGIME: Regime.UPTREND.value, **columns})
    lock(made, reason)
    assert protections(made).only_hold_rare_short(BTC, made.time, side) is alone
