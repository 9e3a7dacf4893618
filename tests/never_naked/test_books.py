"""The bot's books against the exchange's, from literal journals and trades."""

from decimal import Decimal

import pytest

from benchmarks.never_naked.books import accounts, holdings
from benchmarks.never_naked.walk import Event
from benchmarks.records import TradeBooks
from tests.never_naked.journals import BTC, ETH, filled, sold


def trade(number: int, profit: float, *order_ids: str, is_open: bool = False) -> TradeBooks:
    """Return a trade of the bot's."""
    return TradeBooks(number, BTC, is_open, profit, frozenset(order_ids))


def bought(ms: int, order_id: int, **changes: object) -> Event:
    """Return a buying fill that cost a fee of 1 USDT."""
    return filled(ms, order_id, fee="1", realized="0") | changes


def gave(ms: int, order_id: int, realized: str, **changes: object) -> Event:
    """Return a selling fill that brought so much and cost a fee of 1 USDT."""
    return sold(ms, order_id, fee="1", realized=realized) | changes


ONE = [bought(1, 1), gave(2, 2, "10")]
TWO = [*ONE, bought(3, 3), gave(4, 4, "20")]


def funding(ms: int, fee: str) -> Event:
    """Return a payment for the position."""
    return {"kind": "funding", "ms": ms, "symbol": BTC, "fee": fee}


@pytest.mark.parametrize(
    ("events", "nets", "closed"),
    [
        (ONE, [8], [True]),
        (TWO, [8, 18], [True, True]),
        ([bought(1, 1)], [-1], [False]),
        ([bought(1, 1), funding(2, "0.5"), gave(3, 2, "10"), funding(4, "9")], [7.5], [True]),
        ([bought(1, 1, quantity="2"), gave(2, 2, "10"), gave(3, 3, "5")], [12], [True]),
        ([bought(1, 1), bought(2, 9, symbol=ETH), gave(3, 2, "10")], [8, -1], [True, False]),
    ],
    ids=["one", "two", "open", "funding", "in-parts", "two-symbols"],
)
def test_what_positions_brought(events: list[Event], nets: list[float], closed: list[bool]) -> None:
    """Profit less fees and funding, from flat to flat."""
    found = holdings(events)
    assert [float(position.net) for position in found] == nets
    assert [position.closed for position in found] == closed


@pytest.mark.parametrize(
    ("events", "books", "expected"),
    [
        (ONE, [trade(1, 8.0, "1", "2")], [([1], 1, False)]),
        (ONE, [trade(1, 8.0049, "1", "2")], [([1], 1, False)]),
        (ONE, [trade(1, 8.01, "1", "2")], [([1], 1, True)]),
        (ONE, [trade(1, 8.0, "1")], [([1], 1, False)]),
        (TWO, [trade(1, 8.0, "1"), trade(2, 18.0, "3")], [([1], 1, False), ([2], 1, False)]),
        (TWO, [trade(1, 18.0, "1"), trade(2, 8.0, "3")], [([1], 1, True), ([2], 1, True)]),
        (TWO, [trade(1, 26.0, "1", "3")], [([1], 2, False)]),
        (
            [bought(1, 1), bought(2, 3), gave(3, 4, "30", quantity="2")],
            [trade(1, 9.0, "1"), trade(2, 18.0, "3")],
            [([1, 2], 1, False)],
        ),
        (ONE, [], [([], 1, True)]),
        ([], [trade(1, 3.0, "1")], [([1], 0, True)]),
        ([], [trade(1, 0.0, "1")], [([1], 0, False)]),
        (ONE, [trade(1, 0.0, "1", is_open=True)], []),
        ([bought(1, 1)], [trade(1, 8.0, "1")], []),
    ],
    ids=[
        "equal",
        "less-than-a-cent",
        "a-cent",
        "exit-not-on-record",
        "each-its-own",
        "mixed-up",
        "a-trade-of-two-positions",
        "a-position-of-two-trades",
        "unknown-position",
        "profit-of-nothing",
        "never-filled",
        "trade-open",
        "position-open",
    ],
)
def test_accounts(
    events: list[Event], books: list[TradeBooks], expected: list[tuple[list[int], int, bool]]
) -> None:
    """What shares an entry order is compared as a whole, once all of it is closed."""
    found = accounts(holdings(events), books)
    assert [(a.trades, a.positions, a.differs) for a in found] == expected


def test_accounts_name_both_sums() -> None:
    """In USDT, as each side has them."""
    (account,) = accounts(holdings(ONE), [trade(1, 9.5, "1")])
    assert (account.symbol, account.bot, account.exchange) == (BTC, Decimal("9.5"), Decimal(8))
