"""Histories by time and number, with Binance's bounds, and each endpoint that pages."""

from typing import Any

import pytest

from qt_protections.rehearsal.api.paging import MAX_ROWS, WEEK_MS, asked_page
from qt_protections.rehearsal.api.params import Params
from qt_protections.rehearsal.api.routes_trade import all_algos, all_orders, income, user_trades
from tests.rehearsal.stage import BTC, Stage, code_of


def ask(**given: object) -> Params:
    """Return request parameters."""
    return Params({name: str(value) for name, value in given.items()})


@pytest.mark.parametrize(
    ("given", "rows"),
    [
        ({}, [*range(10, 20)]),
        ({"limit": 2}, [18, 19]),
        ({"startTime": 300}, [*range(3, 13)]),
        ({"startTime": 300, "limit": 2}, [3, 4]),
        ({"endTime": 300}, [0, 1, 2, 3]),
        ({"endTime": 300, "limit": 2}, [2, 3]),
        ({"startTime": 300, "endTime": 400}, [3, 4]),
        ({"fromId": 18}, [18, 19]),
        ({"fromId": 3, "limit": 2}, [3, 4]),
        ({"fromId": 99}, []),
        ({"startTime": 301, "endTime": 399}, []),
    ],
    ids=str,
)
def test_selection(given: dict[str, int], rows: list[int]) -> None:
    """Twenty rows, one every 100 ms, at most ten at once: bounds are inclusive."""
    page = asked_page(ask(**given), "fromId", default=10)
    assert page.select(range(20), lambda row: row * 100, lambda row: row) == rows


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"limit": 0}, -1130),
        ({"limit": -1}, -1130),
        ({"limit": "x"}, -1102),
        ({"startTime": "x"}, -1102),
        ({"startTime": 0, "endTime": WEEK_MS}, 0),
        ({"startTime": 0, "endTime": WEEK_MS + 1}, -4165),
        ({"startTime": 2, "endTime": 1}, -4165),
    ],
    ids=str,
)
def test_bounds(given: dict[str, object], code: int) -> None:
    """What cannot be a page is refused."""
    assert code_of(asked_page, ask(**given), "fromId") == code


def test_most_rows() -> None:
    """More rows than the most come in pages."""
    page = asked_page(ask(limit=5000, fromId=1), "fromId")
    assert len(page.select(range(5000), int, int)) == MAX_ROWS


@pytest.mark.parametrize(
    ("handler", "key", "name"),
    [
        (all_orders, "orderId", "orderId"),
        (all_algos, "algoId", "algoId"),
        (user_trades, "id", "fromId"),
    ],
    ids=["allOrders", "allAlgoOrders", "userTrades"],
)
def test_walk_by_number(handler: Any, key: str, name: str) -> None:
    """A history read page by page is the whole history, each row once."""
    stage = Stage()
    for _ in range(5):
        stage.algo()
        stage.order()
        stage.wait(1000)
    whole = handler(stage.venue, ask(symbol=BTC))
    seen, first = [], 0
    while rows := handler(stage.venue, ask(symbol=BTC, limit=2, **{name: first})):
        seen += rows
        first = rows[-1][key] + 1
    assert len(seen) == 5
    assert seen == whole


def test_trades_by_number_or_time() -> None:
    """UserTrades takes a number or times, not both; orderId narrows it down."""
    stage = Stage()
    order = stage.order()
    stage.order()
    assert code_of(user_trades, stage.venue, ask(symbol=BTC, fromId=1, startTime=1)) == -1128
    rows: Any = user_trades(stage.venue, ask(symbol=BTC, orderId=order.order_id))
    assert [row["orderId"] for row in rows] == [order.order_id]


def test_income_by_time() -> None:
    """Income pages by time, a hundred rows unless told otherwise, over more than a week."""
    stage = Stage()
    for _ in range(101):
        stage.venue.ledger.charge_funding(BTC, stage.venue.account.wallet / 10**6)
        stage.wait(1000)
    rows: Any = income(stage.venue, ask())
    assert len(rows) == 100
    assert rows[-1]["tranId"] - rows[0]["tranId"] == 99
    start_ms = rows[-2]["time"]
    later: Any = income(
        stage.venue, ask(startTime=start_ms, endTime=start_ms + 2 * WEEK_MS, symbol=BTC)
    )
    assert later == rows[-2:]


@pytest.mark.parametrize(
    ("given", "rows"),
    [
        ({"page": 1}, [4, 5]),
        ({"page": 2}, [2, 3]),
        ({"page": 3}, [1]),
        ({"page": 4}, []),
        ({"page": 1, "startTime": 0}, [1, 2]),
        ({"page": 3, "startTime": 0}, [5]),
        ({"page": 4, "startTime": 0}, []),
    ],
    ids=str,
)
def test_income_by_page(given: dict[str, int], rows: list[int]) -> None:
    """Pages follow each other from a start, or go back from the latest row; each oldest first."""
    stage = Stage()
    for _ in range(5):
        stage.venue.ledger.charge_funding(BTC, stage.venue.account.wallet / 10**6)
    found: Any = income(stage.venue, ask(limit=2, **given))
    assert [row["tranId"] % 10 for row in found] == rows
    assert code_of(income, stage.venue, ask(page=0)) == -1130


def test_income_kinds() -> None:
    """Every kind of income can be asked for, and they come in the order they were booked."""
    stage = Stage(balance=1000)
    stage.order(quantity="0.05")
    stage.wait(4 * 3_600_000)
    stage.mark(70_000)
    rows: Any = income(stage.venue, ask())
    kinds = [row["incomeType"] for row in rows]
    assert list(dict.fromkeys(kinds)) == [
        "COMMISSION",
        "FUNDING_FEE",
        "REALIZED_PNL",
        "INSURANCE_CLEAR",
    ]
    for kind in set(kinds):
        only: Any = income(stage.venue, ask(incomeType=kind))
        assert only == [row for row in rows if row["incomeType"] == kind]
