"""In a backtest a trade begins with the stop its entry was sized by; Freqtrade takes it on."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from ccxt import TICK_SIZE
from freqtrade.persistence import LocalTrade, Order

from qt_protections.stops.simulated.initial_stop import SimulatedStops

PAIR = "BTC/USDT:USDT"
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def opened(*, is_short: bool) -> LocalTrade:
    """Return a trade without an entry, its stop at the strategy's -0.6: 2 % of price."""
    trade = LocalTrade(
        pair=PAIR,
        stake_amount=100.0,
        amount=0.0,
        open_rate=10_000.0,
        open_date=NOW,
        fee_open=0.0005,
        fee_close=0.0005,
        is_open=True,
        exchange="binance",
        is_short=is_short,
        leverage=30.0,
        price_precision=0.1,
        precision_mode_price=TICK_SIZE,
        amount_precision=0.001,
        precision_mode=TICK_SIZE,
        contract_size=1.0,
        orders=[],
    )
    trade.adjust_stop_loss(10_000.0, -0.6, initial=True)
    return trade


def fill(stops: SimulatedStops, trade: LocalTrade, price: float) -> None:
    """Fill an entry of one unit as a backtest does, which moves the stop along."""
    order = Order(
        ft_order_side=trade.entry_side,
        side=trade.entry_side,
        ft_pair=PAIR,
        ft_is_open=True,
        order_id=str(len(trade.orders)),
        ft_amount=1.0,
        ft_price=price,
        price=price,
        average=price,
        amount=1.0,
        status="open",
    )
    trade.orders.append(order)
    order.close_bt_order(NOW, trade)
    stops.set(trade)
    trade.recalc_trade_from_orders()


@pytest.fixture
def stops() -> SimulatedStops:
    """The stops of a strategy with a stoploss of -0.6, and a plan of 1 %."""
    strategy: Any = SimpleNamespace(stoploss=-0.6)
    made = SimulatedStops(strategy)
    made.plan(PAIR, 0.01)
    return made


@pytest.mark.parametrize("is_short", [False, True], ids=["long", "short"])
def test_an_entry_into_a_gain_moves_the_stop_along(stops: SimulatedStops, is_short: bool) -> None:
    """Freqtrade works the stop out anew: the planned 1 % from the new average."""
    trade = opened(is_short=is_short)
    first = 10_100.0 if is_short else 9_900.0
    fill(stops, trade, 10_000.0)
    assert trade.stop_loss == pytest.approx(first)
    fill(stops, trade, 9_800.0 if is_short else 10_200.0)
    assert trade.open_rate == pytest.approx(9_900.0 if is_short else 10_100.0)
    assert trade.stop_loss == pytest.approx(9_999.0)
    assert trade.initial_stop_loss == pytest.approx(first)


@pytest.mark.parametrize("is_short", [False, True], ids=["long", "short"])
def test_an_entry_into_a_loss_moves_no_stop(stops: SimulatedStops, is_short: bool) -> None:
    """From the new average the stop would be looser."""
    trade = opened(is_short=is_short)
    fill(stops, trade, 10_000.0)
    fill(stops, trade, 10_050.0 if is_short else 9_950.0)
    assert trade.stop_loss == pytest.approx(10_100.0 if is_short else 9_900.0)
    assert not trade.is_stop_loss_trailing


def test_a_stop_that_has_moved_stays_where_it_went(stops: SimulatedStops) -> None:
    """What the strategy made of it before the second entry counts, not the plan."""
    trade = opened(is_short=False)
    fill(stops, trade, 10_000.0)
    trade.adjust_stop_loss(10_200.0, -0.3)
    moved = trade.stop_loss
    assert moved == pytest.approx(10_098.0)
    fill(stops, trade, 10_200.0)
    assert trade.stop_loss == moved
    assert trade.is_stop_loss_trailing


def test_the_next_trade_of_a_pair_begins_anew(stops: SimulatedStops) -> None:
    """Its first entry has the plan's stop, wherever the last trade's stood."""
    fill(stops, opened(is_short=False), 10_000.0)
    trade = opened(is_short=False)
    trade.adjust_stop_loss(10_000.0, -0.6, initial=True)
    stops.plan(PAIR, 0.005)
    fill(stops, trade, 10_000.0)
    assert trade.stop_loss == pytest.approx(9_950.0)
