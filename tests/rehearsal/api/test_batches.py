"""Several orders in one request."""

import json
from typing import Any

import pytest

from qt_protections.rehearsal.api.params import Params
from qt_protections.rehearsal.api.routes_trade import TRADE_ROUTES
from qt_protections.rehearsal.journal import EventKind
from tests.rehearsal.stage import BTC, Stage, code_of

LIMIT = {
    "symbol": BTC,
    "side": "BUY",
    "type": "LIMIT",
    "timeInForce": "GTC",
    "price": 90000,
    "quantity": 0.01,
}


def send(stage: Stage, method: str, **given: object) -> Any:
    """Send a batch; lists travel as JSON."""
    texts = {key: v if isinstance(v, str) else json.dumps(v) for key, v in given.items()}
    return TRADE_ROUTES[method, "v1/batchOrders"].handler(stage.venue, Params(texts))


def test_each_order_is_answered_on_its_own() -> None:
    """Good orders are placed though others of the batch are refused; refusals are noted."""
    stage = Stage()
    stop = LIMIT | {"type": "STOP_MARKET", "stopPrice": 80_000}
    orders: list[object] = [LIMIT, LIMIT | {"price": 90_000.05}, stop, "nonsense"]
    market = {"symbol": BTC, "side": "BUY", "type": "MARKET", "quantity": "0.02"}
    orders.append(market | {"reduceOnly": False, "newOrderRespType": "RESULT"})
    placed, off_tick, wrong_place, unread, filled = send(stage, "POST", batchOrders=orders)
    assert (placed["status"], filled["status"]) == ("NEW", "FILLED")
    assert [row["code"] for row in (off_tick, wrong_place, unread)] == [-4014, -4120, -1102]
    kinds = [event.kind for event in stage.venue.journal.events if event.code is not None]
    rejected = EventKind.ORDER_REJECTED
    assert kinds == [rejected, EventKind.STOP_REJECTED, rejected]


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({}, -1102),
        ({"batchOrders": []}, -4082),
        ({"batchOrders": [LIMIT] * 6}, -4082),
        ({"batchOrders": LIMIT}, -1102),
        ({"batchOrders": "[{"}, -1102),
        ({"batchOrders": "[" * 100_000}, -1102),
        ({"batchOrders": [LIMIT] * 5}, 0),
    ],
    ids=["none", "empty", "six", "no-list", "no-json", "deep", "five"],
)
def test_what_is_no_batch(given: dict[str, object], code: int) -> None:
    """A batch is a JSON list of one to five orders."""
    assert code_of(send, Stage(), "POST", **given) == code


def test_amending_and_cancelling() -> None:
    """Orders are amended and cancelled in lists, by number and by name."""
    stage = Stage()
    made = send(stage, "POST", batchOrders=[LIMIT | {"newClientOrderId": n} for n in "abc"])
    change = {"symbol": BTC, "side": "BUY", "quantity": 0.02, "price": 91_000}
    changes = [change | {"orderId": row["orderId"]} for row in made[:2]] + [change | {"orderId": 1}]
    amended = send(stage, "PUT", batchOrders=changes)
    assert [row.get("code", row.get("price")) for row in amended] == ["91000", "91000", -2013]
    numbers = [made[0]["orderId"], 1]
    gone = send(stage, "DELETE", symbol=BTC, orderIdList=numbers)
    assert [row.get("code", row.get("status")) for row in gone] == ["CANCELED", -2011]
    gone = send(stage, "DELETE", symbol=BTC, origClientOrderIdList=["b", "c", "d"])
    assert [row.get("code", row.get("status")) for row in gone] == ["CANCELED", "CANCELED", -2011]
    assert stage.venue.desk.open_orders() == []


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({}, -1102),
        ({"orderIdList": [1] * 11}, -4032),
        ({"orderIdList": "1,2"}, -1102),
        ({"orderIdList": [1] * 10}, 0),
    ],
    ids=["none", "eleven", "no-json", "ten"],
)
def test_what_cannot_be_cancelled(given: dict[str, object], code: int) -> None:
    """At most ten orders are cancelled at once."""
    assert code_of(send, Stage(), "DELETE", symbol=BTC, **given) == code
