"""What trades hold, what their waiting entries may add, and what they have paid."""

from collections.abc import Callable

import pytest
from freqtrade.enums import RunMode
from freqtrade.persistence import Trade

from qt_protections.portfolio.trades import (
    exposures,
    fees_paid,
    filled,
    one_r,
    open_trade,
    open_trades,
)
from qt_protections.rules.exposure import Exposure
from tests.entry.desk import BTC, ETH, Desk

Make = Callable[..., Desk]
LIVE_AND_TEST = pytest.mark.parametrize("runmode", [RunMode.DRY_RUN, RunMode.BACKTEST])


def no_plan(_trade: object) -> float | None:
    """Plan no stop."""
    return None


@LIVE_AND_TEST
def test_a_trade_is_filled_once_any_of_its_entry_has(desk: Make, runmode: RunMode) -> None:
    """Until then an entry opens the position, and adds to none."""
    made = desk(runmode)
    assert (open_trade(BTC), filled(open_trade(BTC))) == (None, None)
    waits, holds = made.hold(0.0, waiting=1.0), made.hold(0.1, ETH, waiting=0.9)
    assert open_trade(BTC) is waits
    assert filled(open_trade(BTC)) is None
    assert filled(open_trade(ETH)) is open_trade(ETH) is holds


@LIVE_AND_TEST
def test_open_trades_are_what_freqtrade_says_they_are(desk: Make, runmode: RunMode) -> None:
    """Of a pair, and all; a backtest has lists of both."""
    made = desk(runmode)
    made.hold(0.1)
    made.hold(0.2, ETH)
    for pair in (None, BTC, ETH, "SOL/USDT:USDT"):
        assert list(open_trades(pair)) == Trade.get_trades_proxy(pair=pair, is_open=True)
    assert [len(open_trades(pair)) for pair in (None, BTC, "SOL/USDT:USDT")] == [2, 1, 0]


@pytest.mark.parametrize(
    ("is_short", "stop", "first", "distance"),
    [(False, 99.0, 98.0, 2.0), (True, 101.0, 102.0, 2.0), (False, 97.0, 0.0, 3.0)],
    ids=["long", "short", "no first stop"],
)
def test_one_r_is_the_way_to_the_first_stop(
    desk: Make, is_short: bool, stop: float, first: float, distance: float
) -> None:
    """A stop that has moved since changes nothing."""
    trade = desk(RunMode.BACKTEST).hold(is_short=is_short)
    trade.stop_loss, trade.initial_stop_loss = stop, first
    assert one_r(trade) == pytest.approx(distance)


@LIVE_AND_TEST
def test_a_trade_holds_what_filled(desk: Make, runmode: RunMode) -> None:
    """At its average, its stop, and by how many entries."""
    made = desk(runmode)
    made.hold(2.0, is_short=True, stop=103.0)
    assert exposures(no_plan) == [Exposure(BTC, True, 2.0, 100.0, 103.0, 1)]


@LIVE_AND_TEST
@pytest.mark.parametrize(("planned", "stop"), [(97.0, 97.0), (None, 98.0)])
def test_a_waiting_entry_counts_as_if_it_had_filled(
    desk: Make, runmode: RunMode, planned: float | None, stop: float
) -> None:
    """With the stop that it will have; Freqtrade knows that only once the entry has filled."""
    made = desk(runmode)
    made.hold(0.0, waiting=3.0)
    assert exposures(lambda _: planned) == [Exposure(BTC, False, 3.0, 100.0, stop, 1)]


@LIVE_AND_TEST
def test_a_further_entry_that_waits_moves_the_average(desk: Make, runmode: RunMode) -> None:
    """The stop is the trade's, whatever is planned: a position is there."""
    made = desk(runmode)
    trade = made.hold(1.0, waiting=3.0)
    trade.orders[1].price = trade.orders[1].ft_price = 104.0
    (held,) = exposures(lambda _: 50.0)
    assert held == Exposure(BTC, False, 4.0, 103.0, 98.0, 2)


@LIVE_AND_TEST
def test_an_exit_is_no_entry(desk: Make, runmode: RunMode) -> None:
    """Nor is an entry that was cancelled empty."""
    made = desk(runmode)
    trade = made.hold(1.0, waiting=3.0)
    trade.orders[1].ft_order_side = trade.exit_side
    assert exposures(no_plan) == [Exposure(BTC, False, 1.0, 100.0, 98.0, 1)]
    trade.orders[1].ft_order_side, trade.orders[1].ft_is_open = trade.entry_side, False
    assert exposures(no_plan) == [Exposure(BTC, False, 1.0, 100.0, 98.0, 1)]


def test_an_entry_of_nothing_has_the_price_of_its_trade(desk: Make) -> None:
    """Freqtrade may have such an order for a moment."""
    made = desk()
    trade = made.hold(0.0, waiting=1.0)
    trade.orders[0].amount = trade.orders[0].ft_amount = 0.0
    (held,) = exposures(no_plan)
    assert (held.amount, held.entry, held.entries) == (0.0, 100.0, 1)


@LIVE_AND_TEST
def test_fees_are_paid_on_what_filled(desk: Make, runmode: RunMode) -> None:
    """A fee that is not known yet counts as none."""
    made = desk(runmode)
    paid, unknown = made.hold(2.0), made.hold(1.0, ETH)
    waits = made.hold(0.0, "SOL/USDT:USDT", waiting=1.0)
    paid.fee_open = waits.fee_open = 0.001
    unknown.fee_open = None
    assert fees_paid() == pytest.approx(0.2)
