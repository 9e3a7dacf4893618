"""Faults that concern orders and positions: hidden, withdrawn, cancelled, refused, told late."""

from decimal import Decimal

import pytest

from qt_protections.rehearsal.engine.orders import AlgoStatus, OrderStatus
from tests.rehearsal.stage import BTC, ETH
from tests.rehearsal.struck import ALGO, LIMIT, ORDER, STOP, Struck, fault

STALE = fault("stale", unseen_ms=500)


def test_stale_lookups() -> None:
    """A young order is unknown to lookups, absent from lists, and known later."""
    struck = Struck(STALE)
    stop, order = struck.stop().content, struck.ask("POST", ORDER, **LIMIT).content
    lookups: list[tuple[str, dict[str, object]]] = [
        (ALGO, {"algoId": stop["algoId"]}),
        (ORDER, {"symbol": BTC, "orderId": order["orderId"]}),
    ]
    lists = ["/fapi/v1/openAlgoOrders", "/fapi/v1/openOrders"]
    assert [struck.ask("GET", path, **key).code for path, key in lookups] == [-2013, -2013]
    assert [struck.ask("GET", path).content for path in lists] == [[], []]
    assert [event.get("algo_id") for event in struck.faults()][::2] == [stop["algoId"]] * 2
    struck.stage.wait(500)
    assert [struck.ask("GET", path, **key).status for path, key in lookups] == [200, 200]
    assert [len(struck.ask("GET", path).content) for path in lists] == [1, 1]
    assert len(struck.faults()) == 4


def test_stale_cancels() -> None:
    """Cancels know every order, unless the script names them: then -2011, and the order lives."""
    struck = Struck(STALE)
    assert struck.ask("DELETE", ALGO, algoId=struck.stop().content["algoId"]).status == 200
    struck = Struck(fault("stale", unseen_ms=500, endpoints=["DELETE *"]))
    algo_id = struck.stop().content["algoId"]
    assert struck.ask("DELETE", ALGO, algoId=algo_id).code == -2011
    assert len(struck.stops) == len(struck.faults()) == 1
    assert struck.ask("DELETE", ALGO, algoId=1).code == -2011
    assert struck.ask("DELETE", ALGO).code == -1102
    assert struck.ask("GET", ALGO, algoId=algo_id).status == 200
    struck.stage.wait(500)
    assert struck.ask("DELETE", ALGO, algoId=algo_id).status == 200


@pytest.mark.parametrize(
    ("outcome", "status", "kind"),
    [
        ("reject", AlgoStatus.REJECTED, "stop_withdrawn"),
        ("expire", AlgoStatus.EXPIRED, "stop_expired"),
    ],
)
def test_withdraw(outcome: str, status: AlgoStatus, kind: str) -> None:
    """An accepted stop is gone some time later, and covers no more from that moment on."""
    struck = Struck(fault("withdraw", after_ms=1500, outcome=outcome, reason="Margin."))
    algo_id = struck.stop().content["algoId"]
    struck.entry()
    algo = struck.stage.venue.conditional.algos[algo_id]
    struck.stage.wait(1499)
    assert (algo.status, struck.faults()) == (AlgoStatus.NEW, [])
    struck.stage.wait(501)
    assert (algo.status, algo.reason) == (status, "Margin.")
    told, ended = struck.stage.venue.journal.events[-2:]
    assert (told.kind, told.cause, told.algo_id, ended.kind) == ("fault", "withdraw", algo_id, kind)
    assert struck.stage.venue.report().positions[0].naked_s == 0.5


def test_withdraw_leaves_what_is_done() -> None:
    """An order that is cancelled already is not rejected as well."""
    struck = Struck(fault("withdraw"))
    struck.ask("DELETE", ALGO, algoId=struck.stop().content["algoId"])
    struck.stage.wait(2000)
    assert struck.faults() == []


def test_cancel_after_acceptance() -> None:
    """Someone else cancels a stop, and a plain order where the script says so."""
    for orders, stops, resting in [("conditional", 0, 1), ("plain", 1, 0), ("all", 0, 0)]:
        struck = Struck(fault("cancel", after_ms=700, orders=orders))
        struck.stop()
        struck.ask("POST", ORDER, **LIMIT)
        struck.stage.wait(699)
        assert (len(struck.stops), len(struck.stage.venue.desk.open_orders())) == (1, 1)
        struck.stage.wait(1)
        assert (len(struck.stops), len(struck.stage.venue.desk.open_orders())) == (stops, resting)
        assert len(struck.faults()) == 2 - stops - resting


@pytest.mark.parametrize(
    ("keys", "left"),
    [({}, [BTC]), ({"orders": "all"}, []), ({"orders": "all", "symbols": [ETH]}, [BTC, BTC])],
    ids=["stops", "all", "one-symbol"],
)
def test_cancel_at_a_moment(keys: dict[str, object], left: list[str]) -> None:
    """Everything live at the moment is cancelled, of one symbol or of all."""
    struck = Struck(fault("cancel", at_s=5, **keys))
    venue = struck.stage.venue
    struck.stop()
    struck.stop(symbol=ETH, triggerPrice="2990", quantity="0.1")
    plain = struck.ask("POST", ORDER, **LIMIT).content["orderId"]
    struck.stage.wait(4999)
    assert len(struck.stops) == 2
    struck.stage.wait(1)
    live = [algo.request.symbol for algo in struck.stops]
    assert live + [order.request.symbol for order in venue.desk.open_orders()] == left
    assert all(algo.status in {"NEW", "CANCELED"} for algo in venue.conditional.algos)
    stops = venue.report().summary.stops
    assert (stops.canceled, stops.withdrawn) == (0, 2 - len(struck.stops))
    gone = venue.desk.orders[plain].status is OrderStatus.CANCELED
    assert gone is (BTC not in left)
    struck.stop()
    struck.stage.wait(10_000)
    assert len(struck.stops) == len([s for s in live if s == BTC]) + 1


def test_moments_come_again() -> None:
    """With `every_s` a moment comes again, until it has come as often as allowed."""
    struck = Struck(fault("cancel", at_s=5, every_s=10, times=2))
    left = []
    for _ in range(4):
        struck.stop()
        struck.stage.wait(10_000)
        left.append(len(struck.stops))
    assert left == [0, 0, 1, 2]


def test_refused_stops_are_counted() -> None:
    """A refusal of the script's is one of the exchange: the report counts it."""
    struck = Struck(fault("refuse", code=-4509))
    assert struck.stop().code == -4509
    assert struck.stage.venue.report().summary.stops.rejections == {"-4509": 1}
    assert struck.entry().status == 200


def test_refusals_need_good_standing() -> None:
    """A badly signed or malformed request is refused for what it is."""
    struck = Struck(fault("refuse", code=-4509))
    assert struck.ask("POST", ALGO, late_ms=60_000, **STOP).code == -1021
    assert struck.stop(quantity="x").code == -1102
    assert struck.faults() == []
    assert struck.stage.venue.report().summary.stops.rejections == {"-1102": 1}


def test_position_lag() -> None:
    """Positions and balances are told as they were; trading goes by what is."""
    struck = Struck(fault("position_lag", behind_ms=2000))
    risk, account = "/fapi/v3/positionRisk", "/fapi/v3/account"
    before = struck.ask("GET", account).content["totalWalletBalance"]
    assert struck.faults() == []
    struck.entry()
    assert struck.ask("GET", risk).content == []
    assert struck.ask("GET", account).content["totalWalletBalance"] == before
    assert struck.stage.amount() == Decimal("0.01")
    struck.stage.wait(1500)
    struck.entry()
    struck.stage.wait(500)
    (position,) = struck.ask("GET", risk).content
    assert position["positionAmt"] == "0.01"
    assert struck.entry(side="SELL", quantity="0.02", reduceOnly="true").status == 200
    struck.stage.wait(2000)
    assert struck.ask("GET", risk).content == []
    assert {event["cause"] for event in struck.faults()} == {"position_lag"}
    assert len(struck.faults()) == 3
