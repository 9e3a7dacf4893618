"""Where no exchange keeps stops, nothing stands beside the trades, and nothing limits."""

from collections.abc import Callable
from math import inf

import pytest
from freqtrade.enums import RunMode

from qt_protections.portfolio.account import Account
from qt_protections.portfolio.stop_view import NoStops
from qt_protections.rules.clock import check_clock
from qt_protections.rules.exposure import Exposure
from qt_protections.rules.stop_count import check_stop_count
from tests.entry.desk import BTC, Desk

Make = Callable[..., Desk]


def test_nothing_stands_in_the_way_of_an_entry() -> None:
    """No clock to differ, no unsettled entry, no count of stops, no spread."""
    view = NoStops()
    assert check_clock(view.clock_skew_s()) is None
    assert not view.unsettled(BTC)
    assert check_stop_count(1e9, view.largest(BTC), view.free_stops()) is None
    assert (view.largest(BTC), view.free_stops()) == (inf, inf)
    assert view.quote(BTC) is None


@pytest.mark.parametrize("runmode", [RunMode.DRY_RUN, RunMode.BACKTEST])
def test_the_trades_are_all_there_is(desk: Make, runmode: RunMode) -> None:
    """With the stops that Freqtrade has on record."""
    made = desk(runmode)
    made.hold(0.0, waiting=2.0, stop=97.0)
    account = Account(made.strategy, made.settings, NoStops)
    assert account.all_exposures() == [Exposure(BTC, False, 2.0, 100.0, 97.0, 1)]
