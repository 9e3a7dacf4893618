"""The bot's books against the exchange's, from literal journals and trades."""

import sqlite3
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest

from benchmarks.never_naked.books import accounts, holdings
from benchmarks.never_naked.walk import Event
from benchmarks.records import TradeBooks, trade_books
from tests.never_naked.journals import BTC, ETH, filled, sold


def trade(number: int, profit: float, *order_ids: str, is_open: bool = False) -> TradeBooks:
    """Return a trade of the bot's that reckons with fees of 2 USDT, as the exchange does."""
    fees = 2.0 if profit else 0.0
    return TradeBooks(number, BTC, is_open, profit, fees, frozenset(order_ids))


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
    ("events", "brought", "closed"),
    [
        (ONE, [(10, 2)], [True]),
        (TWO, [(10, 2), (20, 2)], [True, True]),
        ([bought(1, 1)], [(0, 1)], [False]),
        ([bought(1, 1), funding(2, "0.5"), gave(3, 2, "10"), funding(4, "9")], [(9.5, 2)], [True]),
        ([bought(1, 1, quantity="2"), gave(2, 2, "10"), gave(3, 3, "5")], [(15, 3)], [True]),
        (
            [bought(1, 1), bought(2, 9, symbol=ETH), gave(3, 2, "10")],
            [(10, 2), (0, 1)],
            [True, False],
        ),
    ],
    ids=["one", "two", "open", "funding", "in-parts", "two-symbols"],
)
def test_what_positions_brought(
    events: list[Event], brought: list[tuple[float, float]], closed: list[bool]
) -> None:
    """Profit and fees, from flat to flat."""
    found = holdings(events)
    assert [(float(position.profit), float(position.fees)) for position in found] == brought
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
        (TWO, [trade(1, 28.0, "1", "3")], [([1], 2, False)]),
        (
            [bought(1, 1), bought(2, 3), gave(3, 4, "30", quantity="2")],
            [trade(1, 9.0, "1"), trade(2, 17.0, "3")],
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
    """In USDT, as each side has them; fees apart, and no reason to differ."""
    books = [TradeBooks(1, BTC, False, 6.5, 3.5, frozenset({"1"}))]
    (account,) = accounts(holdings(ONE), books)
    assert (account.symbol, account.bot, account.exchange) == (BTC, Decimal("10.0"), Decimal(10))
    assert (account.bot_fees, account.exchange_fees) == (Decimal("3.5"), Decimal(2))
    assert not account.differs


def test_books_of_a_database(tmp_path: Path) -> None:
    """Fees are reckoned as Freqtrade does: a ratio for the entries, and one for the exits."""
    database = tmp_path / "trades.sqlite"
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.executescript(
            """
            create table trades
                (id, pair, is_open, close_profit_abs, is_short, fee_open, fee_close);
            create table orders (ft_trade_id, order_id, ft_order_side, filled, average, price);
            insert into trades values (1, 'BTC/USDT:USDT', 0, 5.0, 1, 0.01, 0.02);
            insert into trades values (2, 'ETH/USDT:USDT', 1, null, 0, null, null);
            insert into orders values (1, 11, 'sell', 2.0, 100.0, 99.0);
            insert into orders values (1, 12, 'buy', 0.5, 80.0, null);
            insert into orders values (1, 13, 'stoploss', 1.5, null, 60.0);
            insert into orders values (1, 14, 'stoploss', 0.0, null, 60.0);
            """
        )
    first, second = trade_books(database)
    assert (first.symbol, first.open, first.profit) == (BTC, False, 5.0)
    assert first.fees == pytest.approx(200 * 0.01 + (40 + 90) * 0.02)
    assert first.order_ids == {"11", "12", "13", "14"}
    assert second == TradeBooks(2, ETH, True, 0.0, 0.0, frozenset())
