"""Freqtrade's questions about orders are answered so that nothing is booked twice."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from freqtrade.exceptions import TemporaryError
from freqtrade.persistence import Trade

from qt_protections.stops.intercept.orders import OrderInterceptor
from qt_protections.stops.reconciliation.trade_writer import add_stop
from qt_protections.stops.state.stop import Stop
from qt_protections.stops.state.unbooked_fill import OF_ENTRIES
from tests.stops.guards import Guards, guards
from tests.stops.intercept.records import put_on_record
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


@pytest.fixture
def exchange(on_paper: Guards, tmp_path: Path, database: None) -> Any:
    """Freqtrade's exchange object, which asks on paper, with the guard in front."""
    made: Any = offline_exchange(tmp_path, "binance", "futures")
    orders = on_paper.paper.orders

    def cancel(order_id: str, *_: Any) -> dict[str, Any]:
        on_paper.paper.cancel_order(BTC, order_id)
        return dict(orders[order_id])

    made.fetch_order = lambda order_id, *_: dict(orders[order_id])
    made.cancel_order = cancel
    made.fetch_orders = lambda *_: list(orders.values())
    OrderInterceptor(made, on_paper.cover)
    return made


@pytest.mark.parametrize("on_paper", [guards("on_fill")], ids=["stops on the fill"])
def test_what_freqtrade_is_told_of_an_entry_is_known_here(on_paper: Guards, exchange: Any) -> None:
    """It acts on that before any event is heard: what filled is covered first."""
    entry = on_paper.rest()
    on_paper.paper.fill(entry, 1.0)
    assert not on_paper.paper.is_covered(BTC)
    assert exchange.fetch_order(entry, BTC)["filled"] == 1.0
    assert on_paper.paper.is_covered(BTC)


def test_an_entry_that_freqtrade_cancels_takes_its_stop_along(
    on_paper: Guards, exchange: Any
) -> None:
    """The next entry asks for another price, and its stop stands elsewhere."""
    entry = on_paper.rest()
    assert on_paper.live() != []
    assert exchange.cancel_order(entry, BTC)["status"] == "canceled"
    assert on_paper.live() == []


@pytest.mark.parametrize(
    ("amount", "suffix", "filled"), [(0.4, "", 0.4), (0.4, OF_ENTRIES, 0.4), (5.0, "", 1.0)]
)
def test_a_close_counts_as_far_as_it_closed_the_trade(
    on_paper: Guards, exchange: Any, trade: Trade, amount: float, suffix: str, filled: float
) -> None:
    """The rest was somebody else's; each part is told under the name that is on record."""
    on_paper.paper.size[BTC] = 1.0
    order_id = on_paper.paper.enter(BTC, -1.0)
    put_on_record(trade, order_id + suffix, amount)
    told = exchange.fetch_order(order_id + suffix, BTC)
    assert (told["id"], told["filled"]) == (order_id + suffix, filled)


def test_an_entry_counts_whole(on_paper: Guards, exchange: Any, trade: Trade) -> None:
    """Whatever the trade's record says of its amount; so does an order that no trade has."""
    order_id = on_paper.paper.enter(BTC, 1.0)
    assert exchange.fetch_order(order_id, BTC)["filled"] == 1.0
    put_on_record(trade, order_id, 0.4, is_entry=True)
    assert exchange.fetch_order(order_id, BTC)["filled"] == 1.0


@pytest.mark.parametrize("how", ["stands", "forgotten", "booked"])
def test_an_order_of_the_book_keeps_its_own_name(
    on_paper: Guards, exchange: Any, trade: Trade, how: str
) -> None:
    """Where the stop on record became none, or what it became is booked by its own name."""
    stop = on_paper.paper.stray_stop(BTC, 1.0, 98.0)
    on_paper.paper.size[BTC] = 1.0
    add_stop(trade, Stop.of(BTC, on_paper.paper.stops[stop]))
    if how == "booked":
        on_paper.paper.trigger(stop)
        child = on_paper.paper.stops[stop]["info"]["actualOrderId"]
        put_on_record(trade, child, 1.0, filled=1.0)
    else:
        child = on_paper.paper.enter(BTC, -1.0)
        on_paper.paper.untold |= {stop} if how == "forgotten" else set()
    Trade.commit()
    (told,) = exchange.fetch_orders(BTC, trade.open_date_utc)
    assert (told["id"], told["filled"]) == (child, 1.0)
