"""Faults that concern stops: dead on arrival, asleep, fired without a child anybody knows."""

import pytest

from tests.rehearsal.ear import Ear
from tests.rehearsal.stage import BTC, ETH
from tests.rehearsal.struck import ALGO, ORDER, Struck, fault

ETH_STOP = {"symbol": ETH, "triggerPrice": "2990", "quantity": "0.1"}


def listening(text: str) -> tuple[Struck, Ear]:
    """Return an exchange, and a listener to its user data stream."""
    struck = Struck(text)
    return struck, Ear(struck.streams, struck.stage.venue.listen_keys.open())


def algo_updates(ear: Ear) -> list[dict[str, object]]:
    """Return what the stream said of conditional orders since the last call."""
    return [message["o"] for message in ear.take() if message["e"] == "ALGO_UPDATE"]


@pytest.mark.parametrize(
    ("keys", "status", "told"),
    [
        ({}, "REJECTED", ["REJECTED"]),
        ({"outcome": "expire", "reason": "Gone."}, "EXPIRED", ["EXPIRED"]),
        ({"told": False}, "REJECTED", []),
    ],
    ids=["reject", "expire", "silent"],
)
def test_dead_on_arrival(keys: dict[str, object], status: str, told: list[str]) -> None:
    """HTTP 200, and the order was never live; the report counts a refusal."""
    struck, ear = listening(fault("dead_on_arrival", times=1, **keys))
    answer = struck.stop()
    assert (answer.status, answer.content["algoStatus"], struck.stops) == (200, status, [])
    algo_id = answer.content["algoId"]
    assert struck.ask("GET", ALGO, algoId=algo_id).content["algoStatus"] == status
    assert struck.ask("GET", "/fapi/v1/openAlgoOrders").content == []
    assert struck.ask("DELETE", ALGO, algoId=algo_id).code == -2011
    assert [o["X"] for o in algo_updates(ear)] == told
    (noted,) = struck.faults()
    assert (noted["reason"], noted["algo_id"]) == (f"POST {ALGO} answered {status}", algo_id)
    struck.entry()
    struck.stage.wait(700)
    report = struck.stage.venue.report()
    assert (report.summary.stops.accepted, report.summary.stops.rejections) == (0, {"dead": 1})
    assert (report.positions[0].naked_s, report.orphans) == (0.7, [])
    assert struck.stop(clientAlgoId=answer.content["clientAlgoId"]).content["algoStatus"] == "NEW"


def test_a_refused_stop_is_not_dead_on_arrival() -> None:
    """The exchange's own refusal stands, and is no strike."""
    struck = Struck(fault("dead_on_arrival", times=1))
    assert struck.stop(triggerPrice="100500").code == -2021
    assert struck.faults() == []
    assert struck.stop().content["algoStatus"] == "REJECTED"


def test_sleep() -> None:
    """A stop is listed as live while the price is beyond its trigger, and fires at the end."""
    struck = Struck(fault("sleep", at_s=5, for_s=10))
    struck.stop()
    struck.entry()
    struck.stage.wait(5000)
    struck.stage.tick(99_400)
    struck.stage.wait(7000)
    (row,) = struck.ask("GET", "/fapi/v1/openAlgoOrders").content
    assert (row["algoStatus"], struck.stage.amount() > 0) == ("NEW", True)
    struck.stage.wait(2000)
    assert (struck.stage.amount(), struck.stops) == (0, [])
    assert [event["reason"] for event in struck.faults()] == ["triggers ignore the price"]


def test_sleep_is_bound_to_symbols_and_time() -> None:
    """Other stops fire, a price that came back fires nothing, and sleep comes again."""
    struck = Struck(fault("sleep", at_s=1, for_s=10, every_s=20, symbols=[BTC]))
    struck.stop()
    struck.stop(**ETH_STOP)
    struck.entry()
    struck.entry(symbol=ETH, quantity="0.1")
    struck.stage.wait(1000)
    struck.stage.tick(2985, ETH)
    struck.stage.tick(99_400)
    assert (struck.stage.amount(ETH), struck.stage.amount() > 0) == (0, True)
    struck.stage.tick(100_000)
    struck.stage.wait(18_000)
    assert struck.stage.amount() > 0
    struck.stage.tick(99_400)
    assert struck.stage.amount() > 0
    struck.stage.wait(12_000)
    assert (struck.stage.amount(), len(struck.faults())) == (0, 2)


HIDES = [("name", "", 200, 1), ("order", "some", -2013, 0), ("both", "", -2013, 0)]


@pytest.mark.parametrize(("hides", "name", "code", "listed"), HIDES, ids=[h[0] for h in HIDES])
def test_child_unknown(hides: str, name: str, code: int, listed: int) -> None:
    """The child is executed; answers and events do not name it, or lookups do not know it."""
    struck, ear = listening(fault("child_unknown", hides=hides, hidden_ms=3000))
    algo_id = struck.stop().content["algoId"]
    struck.entry()
    ear.take()
    struck.stage.tick(99_400)
    assert struck.stage.amount() == 0
    child = struck.stage.venue.conditional.algos[algo_id].child
    assert child is not None

    def seen() -> tuple[object, ...]:
        stop = struck.ask("GET", ALGO, algoId=algo_id).content
        (row,) = struck.ask("GET", "/fapi/v1/allAlgoOrders", symbol=BTC).content
        order = struck.ask("GET", ORDER, symbol=BTC, orderId=child.order_id)
        orders = struck.ask("GET", "/fapi/v1/allOrders", symbol=BTC).content
        assert stop["algoStatus"] == row["algoStatus"] == "FINISHED"
        assert stop["actualOrderId"] == row["actualOrderId"]
        return stop["actualOrderId"], order.code or order.status, len(orders) - 1

    number = str(child.order_id)
    assert seen() == (name and number, code, listed)
    told = algo_updates(ear)
    assert [o["X"] for o in told] == ["TRIGGERING", "TRIGGERED", "FINISHED"]
    assert [o["ai"] for o in told] == ["", name and number, name and number]
    (noted,) = struck.faults()
    assert (noted["algo_id"], noted["order_id"]) == (algo_id, child.order_id)
    struck.stage.wait(3000)
    assert seen() == (number, 200, 1)


def test_child_unknown_to_the_end_of_its_time() -> None:
    """Without `hidden_ms` a child stays hidden while the fault lasts, another symbol's never."""
    struck = Struck(fault("child_unknown", for_s=10, symbols=[BTC]))
    ids = [struck.stop().content["algoId"], struck.stop(**ETH_STOP).content["algoId"]]
    struck.entry()
    struck.entry(symbol=ETH, quantity="0.1")
    struck.stage.tick(99_400)
    struck.stage.tick(2985, ETH)

    def named() -> list[bool]:
        return [struck.ask("GET", ALGO, algoId=i).content["actualOrderId"] != "" for i in ids]

    assert named() == [False, True]
    struck.stage.wait(8000)
    assert named() == [True, True]
