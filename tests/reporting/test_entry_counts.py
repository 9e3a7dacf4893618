"""What is counted of the entries, and once only."""

import logging
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from qt_protections.reporting.entry_counts import Tally
from qt_protections.reporting.operator_log import OperatorLog
from qt_protections.rules.denial import DenyCode
from qt_protections.rules.stop_price import StopBound

BTC, ETH = "BTC/USDT:USDT", "ETH/USDT:USDT"
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


def test_leverage_is_said_once_a_pair_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    """Of 1,327 lines for 108 trades one a pair is left."""
    caplog.set_level(logging.INFO)
    operator_log = OperatorLog(speaks=False)
    for number in range(1327):
        operator_log.lowered((BTC, ETH)[number % 2], 30, 12.5)
    assert [r.getMessage().split(";")[0] for r in caplog.records] == [
        "[SAFETY] BTCUSDT: leverage 30 lowered to 12.5",
        "[SAFETY] ETHUSDT: leverage 30 lowered to 12.5",
    ]
    assert operator_log.tally.lowered == {BTC: 664, ETH: 663}


def test_hyperopt_says_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """Each epoch would say it again."""
    caplog.set_level(logging.INFO)
    operator_log = OperatorLog(speaks=False, explains=False)
    operator_log.lowered(BTC, 30, 12.5)
    assert caplog.records == []
    assert operator_log.tally.lowered[BTC] == 1


def test_an_entry_is_counted_with_all_that_was_done_to_it() -> None:
    """By side, by kind, and by the setting."""
    operator_log = OperatorLog(speaks=False)
    operator_log.allowed(is_short=False, is_new=True)
    operator_log.allowed(
        is_short=True, is_new=True, cut_by=DenyCode.STAKE_TOO_SMALL, bound=StopBound.MAX_STOP
    )
    operator_log.allowed(is_short=True, is_new=False, cut_by=DenyCode.AVERAGING_DOWN)
    tally = operator_log.tally
    assert tally.allowed == {"long": 1, "short": 2}
    assert tally.further == 1
    assert tally.cut == {"risk_per_trade": 1, "averaging_down": 1}
    assert tally.clamped == {"max_stop": 1}
    operator_log.begin()
    assert (tally.allowed.total(), tally.further, tally.cut.total()) == (0, 0, 0)


def test_candles_count_where_an_entry_could_have_gone_out() -> None:
    """What was removed in the warm-up or at the very last candle let nothing in anyway."""
    closes = pd.Series([NOON + timedelta(hours=hour) for hour in range(-1, 4)])
    tally = Tally(removed={BTC: {"a": closes, "b": closes[:1]}, ETH: {"a": closes[:2]}})
    assert tally.removed_within(NOON, NOON + timedelta(hours=3)) == {"a": 4}
