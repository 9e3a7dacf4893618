"""Open orders, and what is listed in their place."""

from decimal import Decimal

import pytest

from qt_protections.rehearsal.engine.order_store import OrderStore
from qt_protections.rehearsal.engine.orders import Order, OrderRequest, OrderType
from qt_protections.rehearsal.errors import VenueError
from qt_protections.rehearsal.market.book import Side

BTC, ETH = "BTCUSDT", "ETHUSDT"


def order(number: int, symbol: str) -> Order:
    """Return an order that rests."""
    request = OrderRequest(symbol, Side.BUY, OrderType.LIMIT, Decimal(1), f"o{number}", Decimal(9))
    return Order(request, number, 0, 0, request.quantity)


def stored(*orders: Order) -> OrderStore[Order]:
    """Return a store with open orders."""
    store = OrderStore[Order](lambda order: not order.is_open)
    for each in orders:
        store.add(each.order_id, each.request.client_id, each)
        store.has_opened(each.order_id, each)
    return store


def test_open_orders_are_listed_by_symbol_oldest_first() -> None:
    """An order that ended is found by number and name, and listed no more."""
    first, other, last = order(1, BTC), order(2, ETH), order(3, BTC)
    store = stored(first, other, last)
    assert (store.open(), store.open(BTC)) == ([first, other, last], [first, last])
    store.has_ended(1)
    store.has_ended(1)
    assert (store.open(BTC), store.get(1), store.named("o1")) == ([last], first, first)


def test_what_a_list_shows_comes_back_even_after_an_error() -> None:
    """An answer may lag; the orders themselves do not."""
    now, before = order(1, BTC), order(2, BTC)
    store = stored(now)

    def fail() -> None:
        with store.shown_as({2: before}):
            assert store.open() == [before]
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert store.open() == [now]


def test_an_order_that_is_set_aside_comes_back_in_its_place_if_refused() -> None:
    """An amendment that is refused leaves the order where it queued."""
    first, last = order(1, BTC), order(2, BTC)
    store = stored(first, last)

    def amend(code: int | None) -> None:
        with store.set_aside(1):
            assert store.open() == [last]
            if code is not None:
                raise VenueError(code)

    with pytest.raises(VenueError):
        amend(-2019)
    assert store.open() == [first, last]
    amend(None)
    assert store.open() == [last]
