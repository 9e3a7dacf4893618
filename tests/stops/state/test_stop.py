"""What an order of the exchange says of the stop that it is, or became."""

from math import inf
from typing import Any

import pytest

from qt_protections.stops.state.stop import (
    Stop,
    StopKind,
    StopStatus,
    as_booked,
    child_id,
    filled_ms,
    guard_of,
    part_of,
    stop_status,
)
from tests.stops.paper import BTC

ANSWER = {"id": 7, "side": "sell", "amount": 2.0, "stopPrice": 98.0}


@pytest.mark.parametrize(
    ("answer", "stop"),
    [
        (ANSWER, (False, 2.0, 98.0)),
        ({**ANSWER, "side": "buy"}, (True, 2.0, 98.0)),
        ({**ANSWER, "stopPrice": None, "triggerPrice": 97.0}, (False, 2.0, 97.0)),
        ({"id": 7, "side": "sell"}, (False, 1.0, 95.0)),
    ],
    ids=["as it stands", "of a short", "by its other name", "as it was asked for"],
)
def test_an_answer_is_read(answer: dict[str, Any], stop: tuple[bool, float, float]) -> None:
    """What the exchange left out is what was asked for."""
    read = Stop.of(BTC, answer, 1.0, 95.0)
    assert (read.is_short, read.amount, read.trigger) == stop
    assert (read.order_id, read.kind) == ("7", StopKind.FIXED)


def test_a_trailing_stop_has_no_trigger_of_its_own() -> None:
    """The price of its answer is where it begins."""
    trailing = Stop.trailing(BTC, ANSWER)
    assert (trailing.kind, trailing.amount, trailing.trigger) == (StopKind.TRAILING, 2.0, 0.0)


@pytest.mark.parametrize(
    ("info", "reduces", "amount"),
    [
        ({"orderType": "STOP_MARKET"}, True, 2.0),
        ({"orderType": "STOP"}, True, 2.0),
        ({"orderType": "STOP_MARKET"}, False, None),
        ({"orderType": "STOP_MARKET", "closePosition": "true"}, False, inf),
        ({"orderType": "TAKE_PROFIT_MARKET"}, True, None),
        ({"orderType": "TRAILING_STOP_MARKET"}, True, None),
    ],
)
def test_what_guards_a_position(info: dict[str, Any], reduces: bool, amount: float | None) -> None:
    """A reduce-only stop does, whoever placed it, and one that closes all there is."""
    order = {**ANSWER, "amount": None if amount == inf else 2.0, "reduceOnly": reduces}
    guard = guard_of(BTC, order | {"info": info})
    assert (None if guard is None else guard.amount) == amount


@pytest.mark.parametrize(
    ("status", "meant"),
    [
        ("open", StopStatus.LIVE),
        ("closed", StopStatus.TRIGGERED),
        ("triggered", StopStatus.TRIGGERED),
        ("rejected", StopStatus.GONE),
        ("canceled", StopStatus.GONE),
        (None, StopStatus.GONE),
    ],
)
def test_what_became_of_it(status: str | None, meant: StopStatus) -> None:
    """Only what is open protects."""
    assert stop_status({"status": status}) is meant


def test_a_child_is_named_once_it_is_known() -> None:
    """Before the trigger there is none."""
    assert child_id({"info": {"actualOrderId": 5}}) == "5"
    assert child_id({"info": {"actualOrderId": ""}}) == child_id({}) == ""


def test_a_stop_is_booked_by_its_own_name() -> None:
    """With its child's fill; one that ended without a child filled nothing."""
    child = {"id": "8", "status": "closed", "filled": 2.0, "average": 97.9}
    booked = as_booked(ANSWER, child)
    assert (booked["id"], booked["id_stop"], booked["filled"]) == (7, "8", 2.0)
    assert (booked["average"], booked["stopPrice"], booked["type"]) == (97.9, 98.0, "stoploss")
    ended = as_booked(ANSWER, None)
    assert (ended["status"], ended["filled"], ended["remaining"]) == ("canceled", 0.0, 2.0)


def test_a_part_of_an_order() -> None:
    """At most what was filled; less than that is whole for whoever books it."""
    order = {"id": "8", "filled": 2.0, "amount": 3.0}
    assert part_of(order, 5.0) is order
    part = part_of(order, 0.5)
    assert (part["filled"], part["amount"], part["remaining"]) == (0.5, 0.5, 0.0)


def test_when_an_order_filled() -> None:
    """When it was sent, if nobody tells."""
    assert filled_ms({"lastTradeTimestamp": 9, "timestamp": 3}) == 9
    assert filled_ms({"lastTradeTimestamp": None, "timestamp": 3}) == 3
    assert filled_ms({}) == 0
