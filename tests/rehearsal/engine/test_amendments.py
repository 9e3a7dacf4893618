"""Amended orders: what changes, what stays, and what is refused."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qt_protections.rehearsal.api.params import Params, amend_request
from qt_protections.rehearsal.api.routes_trade import order_amendments, put_order
from qt_protections.rehearsal.engine.amendments import MAX_AMENDMENTS
from qt_protections.rehearsal.engine.orders import Order, OrderStatus
from tests.rehearsal.stage import BTC, ETH, Stage, code_of

RESTING = {"type": "LIMIT", "timeInForce": "GTC", "price": "99000", "quantity": "0.1"}


def amend(stage: Stage, order: Order, **changed: object) -> Order:
    """Amend an order: the same side, price and size, except for what is given."""
    values = {
        "symbol": BTC,
        "side": order.request.side,
        "orderId": order.order_id,
        "price": order.request.price,
        "quantity": order.quantity,
    }
    given_ = {key: str(value) for key, value in (values | changed).items() if value is not None}
    return stage.venue.amendments.amend(amend_request(Params(given_)))


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"price": "98000"}, 0),
        ({"quantity": "0.2"}, 0),
        ({}, -5027),
        ({"price": None}, -1102),
        ({"quantity": None}, -1102),
        ({"orderId": None}, -1102),
        ({"orderId": 1}, -2013),
        ({"orderId": None, "origClientOrderId": "other", "price": "98000"}, -2013),
        ({"orderId": None, "origClientOrderId": "mine", "price": "98000"}, 0),
        ({"symbol": "ETHUSDT", "price": "98000"}, -2013),
        ({"side": "SELL", "price": "98000"}, -1130),
        ({"side": "HOLD", "price": "98000"}, -1117),
        ({"price": "98000.05"}, -4014),
        ({"price": "105000.1"}, -4016),
        ({"quantity": "0.0105"}, -1111),
        ({"quantity": "211"}, -4005),
        ({"quantity": "0.001"}, -5029),
        ({"quantity": "0.001", "reduceOnly": "true"}, -5047),
        ({"quantity": "9"}, -2019),
    ],
    ids=str,
)
def test_rules(changed: dict[str, object], code: int) -> None:
    """Each rule answers with its own code, and a refusal leaves the order as it was."""
    stage = Stage()
    order = stage.order(**RESTING, newClientOrderId="mine")
    older = stage.venue.desk.open_orders()
    assert code_of(amend, stage, order, **changed) == code
    if code:
        assert (order.request.price, order.quantity) == (Decimal(99_000), Decimal("0.1"))
        assert stage.venue.desk.open_orders() == older
        assert order.amendments == []


def test_it_keeps_its_name_and_its_fills_and_loses_its_place() -> None:
    """Number, name and fills stay; the queue begins anew, behind our own other order as well."""
    stage = Stage()
    order = stage.order(**RESTING | {"price": "99990"}, newClientOrderId="mine")
    other = stage.order(**RESTING | {"price": "99990"})
    stage.tick(99_990, volume=float(order.ahead) * 2 + 0.1)
    assert order.executed == Decimal("0.05")
    amend(stage, order, quantity="0.3")
    assert (order.request.client_id, order.executed) == ("mine", Decimal("0.05"))
    assert (order.status, order.quantity) == (OrderStatus.PARTIALLY_FILLED, Decimal("0.3"))
    assert stage.venue.desk.open_orders() == [other, order]
    assert stage.venue.desk.find(BTC, None, "mine") is order
    stage.tick(99_980)
    assert (order.status, stage.amount()) == (OrderStatus.FILLED, Decimal("0.4"))


def test_queue_begins_anew() -> None:
    """What was ahead of it is ahead of it again."""
    stage = Stage()
    order = stage.order(**RESTING)
    ahead = order.ahead
    stage.tick(99_000, volume=float(ahead))
    assert order.ahead < ahead
    stage.tick(100_000)
    amend(stage, order, quantity="0.11")
    assert order.ahead == ahead


@pytest.mark.parametrize(
    ("tif", "changed", "status"),
    [
        ("GTC", {"quantity": "0.05"}, OrderStatus.CANCELED),
        ("GTC", {"quantity": "0.04"}, OrderStatus.CANCELED),
        ("GTX", {"price": "100100"}, OrderStatus.CANCELED),
        ("GTC", {"price": "100100"}, OrderStatus.FILLED),
    ],
    ids=["filled-already", "more-than-filled", "post-only-would-take", "takes"],
)
def test_amendments_that_end_an_order(
    tif: str, changed: dict[str, str], status: OrderStatus
) -> None:
    """A size that is filled, and a price a post-only order would take at, cancel it."""
    stage = Stage()
    order = stage.order(**RESTING | {"price": "99990", "timeInForce": tif})
    stage.tick(99_990, volume=float(order.ahead) * 2 + 0.1)
    stage.tick(100_000)
    amend(stage, order, **changed)
    assert order.status is status
    assert len(order.amendments) == (status is OrderStatus.FILLED)
    assert stage.venue.desk.open_orders() == []
    assert code_of(amend, stage, order, price="98000") == -2013


def test_a_reduction_stays_capped() -> None:
    """A reduce-only order is amended to the position at most."""
    stage = Stage()
    stage.order(quantity="0.1")
    order = stage.order(**RESTING | {"side": "SELL", "price": "101000"}, reduceOnly="true")
    amend(stage, order, price="102000", quantity="0.5")
    assert order.quantity == Decimal("0.1")


def test_a_small_reduction_must_be_said_to_be_one() -> None:
    """The minimum value counts for a reduce-only order too, unless the amendment says so."""
    stage = Stage()
    stage.order(symbol=ETH, quantity="0.1")
    limit = RESTING | {"symbol": ETH, "side": "SELL", "price": "3100"}
    order = stage.order(**limit, reduceOnly="true")
    small = {"symbol": ETH, "quantity": "0.005"}
    assert code_of(amend, stage, order, **small) == -5029
    amend(stage, order, **small, reduceOnly="true")
    assert order.quantity == Decimal("0.005")


def test_its_own_margin_is_free_for_it() -> None:
    """An order that binds nearly all of the wallet can still be moved."""
    stage = Stage(balance=510)
    order = stage.order(**RESTING)
    assert stage.venue.desk.margin.available < 100
    amend(stage, order, price="99500")
    assert order.request.price == 99_500


def test_history() -> None:
    """Amendments are listed latest first, with what they changed, 50 unless told otherwise."""
    stage = Stage()
    order = stage.order(**RESTING)
    asked = {"symbol": BTC, "orderId": str(order.order_id)}
    empty: Any = order_amendments(stage.venue, Params(asked))
    for step in range(60):
        amend(stage, order, price=98_000 + step)
    rows: Any = order_amendments(stage.venue, Params(asked))
    assert (empty, len(rows)) == ([], 50)
    assert rows[0]["amendment"] == {
        "price": {"before": "98058", "after": "98059"},
        "origQty": {"before": "0.1", "after": "0.1"},
        "count": 60,
    }
    first: Any = order_amendments(stage.venue, Params(asked | {"limit": "100"}))
    assert first[-1]["amendment"]["price"] == {"before": "99000", "after": "98000"}
    assert code_of(order_amendments, stage.venue, Params(asked | {"orderId": "1"})) == -2013


def test_not_more_often_than_documented() -> None:
    """After 10,000 amendments the order has to be replaced."""
    stage = Stage()
    order = stage.order(**RESTING)
    for step in range(MAX_AMENDMENTS):
        amend(stage, order, price=99_999 - step % 2)
    assert code_of(amend, stage, order, price="90000") == -5026


def test_its_own_number_comes_back() -> None:
    """The client's number for the amendment is in the answer."""
    stage = Stage()
    order = stage.order(**RESTING)
    asked = {"symbol": BTC, "side": "BUY", "orderId": str(order.order_id), "modifyId": "7"}
    answer: Any = put_order(stage.venue, Params(asked | {"price": "98000", "quantity": "0.1"}))
    assert (answer["modifyId"], answer["price"], answer["pair"]) == (7, "98000", BTC)
    too_long = Params(asked | {"price": "97000", "quantity": "0.1", "modifyId": str(2**63)})
    assert code_of(put_order, stage.venue, too_long) == -1102
    assert order.request.price == Decimal(98_000)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(9900, 10_100), st.integers(1, 60)), max_size=12))
def test_fills_are_never_lost(changes: list[tuple[int, int]]) -> None:
    """Whatever is amended, the position is the sum of the fills, and fits the order's size."""
    stage = Stage()
    order = stage.order(**RESTING | {"price": "99990"})
    for tens, size in changes:
        code_of(amend, stage, order, price=tens * 10, quantity=Decimal(size) / 100)
        stage.tick(99_990, volume=1.0)
        assert order.executed == stage.amount()
        assert order.executed <= order.quantity
