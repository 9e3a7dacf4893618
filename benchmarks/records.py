"""What Freqtrade's database says of its trades and their orders."""

import sqlite3
from collections import Counter, defaultdict
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple


class TradeBooks(NamedTuple):
    """A trade as the bot's books have it.

    Attributes:
        number: Its number.
        symbol: Exchange name.
        open: Whether it is open.
        profit: USDT, fees and funding included; 0 while it is open, or if it never was filled.
        fees: What of it are fees, USDT. Freqtrade has one ratio for all entries of a trade and one
            for all its exits, also where the exchange charged makers less than takers.
        order_ids: The exchange's numbers of its orders.
    """

    number: int
    symbol: str
    open: bool
    profit: float
    fees: float
    order_ids: frozenset[str]


def trades(database: Path) -> list[dict[str, Any]]:
    """Return all trades: symbol, whether open, exit reason, base units (negative for a short)."""
    rows = _rows(database, "select pair, is_open, exit_reason, amount, is_short from trades")
    return [
        {
            "symbol": _symbol(pair),
            "open": bool(is_open),
            "exit": why,
            "amount": -amount if is_short else amount,
        }
        for pair, is_open, why, amount, is_short in rows
    ]


def order_ids(database: Path) -> list[str]:
    """Return the exchange's ids of every order on record, in the order they were recorded."""
    return [str(name) for (name,) in _rows(database, "select order_id from orders order by id")]


def trade_books(database: Path) -> list[TradeBooks]:
    """Return all trades with their profits and orders, oldest first."""
    orders: defaultdict[int, set[str]] = defaultdict(set)
    values: defaultdict[int, Counter[str]] = defaultdict(Counter)
    query = (
        "select ft_trade_id, order_id, ft_order_side, filled, coalesce(average, price) from orders"
    )
    for number, order_id, side, filled, price in _rows(database, query):
        orders[number].add(str(order_id))
        values[number][side] += (filled or 0) * (price or 0)
    query = (
        "select id, pair, is_open, close_profit_abs, is_short, fee_open, fee_close"
        " from trades order by id"
    )
    found = []
    for number, pair, is_open, profit, is_short, fee_open, fee_close in _rows(database, query):
        entered = values[number].pop("sell" if is_short else "buy", 0)
        fees = entered * (fee_open or 0) + sum(values[number].values()) * (fee_close or 0)
        ids = frozenset(orders[number])
        found.append(TradeBooks(number, _symbol(pair), bool(is_open), profit or 0.0, fees, ids))
    return found


def differences(
    held: dict[str, Decimal], trades: list[dict[str, Any]]
) -> dict[str, dict[str, float]]:
    """Return the symbols of which the exchange and the bot's open trades hold different amounts.

    Args:
        held: The exchange's positions in base units, negative for shorts.
        trades: As `trades` returns them.
    """
    known: defaultdict[str, Decimal] = defaultdict(Decimal)
    for trade in trades:
        if trade["open"]:
            known[trade["symbol"]] += Decimal(str(trade["amount"]))
    return {
        symbol: {"exchange": float(held.get(symbol, 0)), "bot": float(known[symbol])}
        for symbol in sorted({*held, *known})
        if held.get(symbol, Decimal(0)) != known[symbol]
    }


def _symbol(pair: str) -> str:
    return pair.split(":", maxsplit=1)[0].replace("/", "")


def _rows(database: Path, query: str) -> list[tuple[Any, ...]]:
    if not database.exists():
        return []
    with closing(sqlite3.connect(f"{database.resolve().as_uri()}?mode=ro", uri=True)) as connection:
        return connection.execute(query).fetchall()
