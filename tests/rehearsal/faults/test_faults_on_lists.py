"""Faults that concern lists: told empty, told in part, told as they were."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qt_protections.rehearsal.faults.past_orders import PastOrders
from tests.rehearsal.stage import BTC, ETH, Stage
from tests.rehearsal.struck import ALGO, LIMIT, ORDER, Struck, fault

RISK, ACCOUNT, BALANCE = "/fapi/v3/positionRisk", "/fapi/v3/account", "/fapi/v3/balance"
ALGOS, ORDERS = "/fapi/v1/openAlgoOrders", "/fapi/v1/openOrders"
HISTORY = "/fapi/v1/allAlgoOrders"
ETH_STOP = {"symbol": ETH, "triggerPrice": "2990", "quantity": "0.1"}
KEEP_MS = 3000


def rows(struck: Struck, path: str) -> list[Any]:
    """Return the rows of a list, those of positions where it is the account."""
    content = struck.ask("GET", path, **({"symbol": BTC} if path == HISTORY else {})).content
    return list(content["positions"] if path == ACCOUNT else content)


def in_use(text: str) -> Struck:
    """Return an exchange with two positions, two stops and a resting order."""
    struck = Struck(text)
    struck.stop()
    struck.stop(**ETH_STOP)
    struck.entry()
    struck.entry(symbol=ETH, quantity="0.1")
    struck.ask("POST", ORDER, **LIMIT)
    return struck


def test_omit_leaves_lists_empty() -> None:
    """HTTP 200 and no row, in every list of what is held and live; trading goes by what is."""
    struck = in_use(fault("omit"))
    for path in (RISK, ACCOUNT, BALANCE, ALGOS, ORDERS):
        assert (path, rows(struck, path)) == (path, [])
    account = struck.ask("GET", ACCOUNT).content
    assert (account["assets"], account["totalWalletBalance"] != "0") == ([], True)
    assert len(rows(struck, HISTORY)) == 1
    assert len(struck.stops) == 2
    assert struck.faults()[0]["reason"] == f"GET {RISK} answered with 0 of 2 rows"
    assert len(struck.faults()) == 6


@pytest.mark.parametrize(
    ("keys", "left"),
    [
        ({"endpoints": [f"GET {ALGOS}"]}, [2, 0]),
        ({"endpoints": [f"GET {HISTORY}"]}, [2, 2]),
        ({"symbols": [ETH]}, [1, 1]),
        ({"for_s": 20}, [0, 0]),
        ({"at_s": 5}, [2, 2]),
        ({"times": 1}, [0, 2]),
        ({"rate": 0.0}, [2, 2]),
    ],
    ids=str,
)
def test_omit_is_bounded(keys: dict[str, object], left: list[int]) -> None:
    """Endpoint, rows of a symbol, time, rate and number of strikes."""
    struck = in_use(fault("omit", **keys))
    assert [len(rows(struck, path)) for path in (RISK, ALGOS)] == left


def test_omit_a_share() -> None:
    """Each row is missing by chance, and the lists that had none missing are no strikes."""
    struck = Struck(fault("omit", share=0.3, endpoints=[f"GET {ALGOS}"]))
    for _ in range(10):
        struck.stop()
    counts = [len(rows(struck, ALGOS)) for _ in range(60)]
    assert sum(counts) / 600 == pytest.approx(0.7, abs=0.08)
    assert len(struck.faults()) == sum(count < 10 for count in counts)


def test_an_empty_list_is_no_strike() -> None:
    """Nothing is missing where there is nothing."""
    struck = Struck(fault("omit", endpoints=[f"GET {RISK}", f"GET {ALGOS}"]))
    assert [rows(struck, RISK), rows(struck, ALGOS), struck.faults()] == [[], [], []]


def test_list_lag() -> None:
    """Orders ended since are listed as they lived, and new ones are missing."""
    struck = Struck(fault("list_lag", behind_ms=2000))
    first = struck.stop().content["algoId"]
    plain = struck.ask("POST", ORDER, **LIMIT).content["orderId"]
    assert [rows(struck, ALGOS), rows(struck, ORDERS)] == [[], []]
    struck.stage.wait(2000)
    assert struck.faults()[-1]["reason"] == f"GET {ORDERS} answered as 2000 ms ago"
    count = len(struck.faults())
    assert [row["algoId"] for row in rows(struck, ALGOS)] == [first]
    assert len(struck.faults()) == count
    assert struck.ask("DELETE", ALGO, algoId=first).status == 200
    assert struck.ask("DELETE", ORDER, symbol=BTC, orderId=plain).status == 200
    struck.stop()
    ((stop,), (order,)) = (rows(struck, path) for path in (ALGOS, ORDERS))
    assert (stop["algoId"], stop["algoStatus"]) == (first, "NEW")
    assert (order["orderId"], order["status"]) == (plain, "NEW")
    assert struck.ask("GET", ALGO, algoId=first).content["algoStatus"] == "CANCELED"
    struck.stage.wait(2000)
    assert [row["algoId"] for row in rows(struck, ALGOS)] == [first + 1]
    assert rows(struck, ORDERS) == []


def test_list_lag_shows_a_fired_stop() -> None:
    """Its status and number of child are those of the time before it fired."""
    struck = Struck(fault("list_lag", behind_ms=5000))
    struck.stop()
    struck.entry()
    struck.stage.wait(5000)
    struck.stage.tick(99_400)
    assert struck.stops == []
    (row,) = rows(struck, ALGOS)
    assert (row["algoStatus"], row["actualOrderId"], row["triggerTime"]) == ("NEW", "", 0)


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 1500), st.sampled_from(["stop", "order", "end", "fire"])),
        max_size=12,
    ),
    st.integers(0, 12),
)
def test_the_lists_are_what_they_were(acts: list[tuple[int, str]], back: int) -> None:
    """At any moment within reach they hold the orders that lived then, and then those of now."""
    stage = Stage()
    venue = stage.venue
    past = PastOrders(venue, KEEP_MS)

    def listed() -> tuple[list[int], list[int]]:
        stops = [algo.algo_id for algo in venue.conditional.live()]
        return stops, [order.order_id for order in venue.desk.open_orders()]

    states = [(stage.now_ms, listed())]
    for wait_ms, act in acts:
        stage.wait(wait_ms)
        _act(stage, act)
        states.append((stage.now_ms, listed()))
    within_reach = [ms for ms, _ in states if ms > stage.now_ms - KEEP_MS]
    at_ms = within_reach[-1 - back % len(within_reach)]
    expected = [state for ms, state in states if ms <= at_ms][-1]
    with past.shown(at_ms):
        assert listed() == expected
    assert listed() == states[-1][1]
    for index, endpoint in enumerate((ALGOS, ORDERS)):
        assert past.has_changed(endpoint, at_ms) is (expected[index] != states[-1][1][index])


def _act(stage: Stage, act: str) -> None:
    desk, stops = stage.venue.desk, stage.venue.conditional
    if act == "stop":
        stage.algo()
    elif act == "order":
        stage.order(type="LIMIT", price="90000", timeInForce="GTC")
    elif act == "end":
        for algo in stops.live()[:1]:
            stops.cancel(algo.algo_id, None)
        for order in desk.open_orders()[:1]:
            desk.cancel(BTC, order.order_id, None)
    elif not desk.open_orders():
        stage.order(quantity="0.01")
        stage.tick(99_400)
        stage.tick(100_000)
