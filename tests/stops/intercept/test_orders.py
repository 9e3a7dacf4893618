"""Freqtrade's questions about orders are answered so that nothing is booked twice."""

from datetime import timedelta
from pathlib import Path

import pytest
from freqtrade.exceptions import TemporaryError
from freqtrade.persistence import Trade

from qt_protections.stops.intercept.orders import OrderInterceptor
from qt_protections.stops.reconciliation.trade_writer import add_stop
from qt_protections.stops.state.stop import Stop
from tests.stops.guards import Guards
from tests.stops.offline import offline_exchange
from tests.stops.paper import BTC, LOST


def test_what_a_stop_became_is_told_under_the_stops_id(
    on_paper: Guards, tmp_path: Path, trade: Trade
) -> None:
    """Whichever trade has the stop on record: another must not book it as an exit of its own."""
    stop = on_paper.paper.stray_stop(BTC, 1.0, 98.0)
    on_paper.paper.size[BTC] = 1.0
    add_stop(trade, Stop.of(BTC, on_paper.paper.stops[stop]))
    Trade.commit()
    on_paper.paper.trigger(stop)
    row = trade.select_order_by_order_id(stop)
    assert row is not None
    row.ft_is_open, row.order_filled_date = False, trade.open_date_utc - timedelta(seconds=15)
    Trade.commit()
    other = on_paper.paper.orders[on_paper.paper.enter(BTC, 1.0)]
    made = offline_exchange(tmp_path, "binance", "futures")
    made.fetch_orders = lambda *_: list(on_paper.paper.orders.values())  # type: ignore[method-assign]
    OrderInterceptor(made, on_paper.cover)
    child, entry = made.fetch_orders(BTC, trade.open_date_utc)
    assert (child["id"], child["status"], child["filled"]) == (stop, "closed", 1.0)
    assert entry == other


def test_silence_about_a_stop_leaves_the_search_for_the_next_loop(
    on_paper: Guards, tmp_path: Path, trade: Trade
) -> None:
    """Freqtrade rolls back and asks again."""
    exchange = offline_exchange(tmp_path, "binance", "futures")
    OrderInterceptor(exchange, on_paper.cover)
    stop = on_paper.paper.stray_stop(BTC, 1.0, 98.0)
    add_stop(trade, Stop.of(BTC, on_paper.paper.stops[stop]))
    Trade.commit()
    on_paper.paper.before["find_stop"].append(LOST)
    with pytest.raises(TemporaryError):
        exchange.fetch_orders(BTC, trade.open_date_utc)
