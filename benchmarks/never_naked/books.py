"""The bot's books against the exchange's, position by position."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

from benchmarks.never_naked.walk import ZERO, Event, Fill, Ledger
from benchmarks.records import TradeBooks

#: USDT. Freqtrade keeps its books in floats and rounds profits to eight digits.
CENT = Decimal("0.01")


@dataclass
class Holding:
    """A position from flat to flat, and what it brought.

    Attributes:
        symbol: Exchange name.
        entries: Numbers of the orders that opened or increased it.
        profit: USDT so far, funding included and fees not.
        fees: USDT so far.
        closed: Whether it is flat again.
    """

    symbol: str
    entries: set[str] = field(default_factory=set)
    profit: Decimal = ZERO
    fees: Decimal = ZERO
    closed: bool = False


class Account(NamedTuple):
    """Trades and positions that belong together, and what each side says they brought.

    Attributes:
        symbol: Exchange name.
        trades: Numbers of the bot's trades.
        positions: How many positions of the exchange.
        bot: USDT, by the bot's closed trades, without the fees it reckons with.
        exchange: USDT, by the exchange's fills, without fees.
        bot_fees: USDT.
        exchange_fees: USDT.
    """

    symbol: str
    trades: list[int]
    positions: int
    bot: Decimal
    exchange: Decimal
    bot_fees: Decimal
    exchange_fees: Decimal

    @property
    def differs(self) -> bool:
        """Whether profits differ by a cent or more; how Freqtrade reckons fees is its own."""
        return abs(self.bot - self.exchange) >= CENT


def holdings(events: Iterable[Event]) -> list[Holding]:
    """Return all positions of a journal, in the order of their opening."""
    ledger, found, standing = Ledger(), list[Holding](), dict[str, Holding]()
    for event in events:
        fill = ledger.take(event)
        if fill is not None:
            _book(fill, found, standing)
        elif event["kind"] == "funding" and event["symbol"] in standing:
            standing[event["symbol"]].profit -= Decimal(event["fee"])
    return found


def _book(fill: Fill, found: list[Holding], standing: dict[str, Holding]) -> None:
    event, symbol = fill.event, fill.event["symbol"]
    if not fill.before:
        standing[symbol] = Holding(symbol)
        found.append(standing[symbol])
    holding = standing[symbol]
    if fill.enters:
        holding.entries.add(str(event["order_id"]))
    holding.profit += Decimal(event.get("realized") or 0)
    holding.fees += Decimal(event.get("fee") or 0)
    if not fill.after:
        holding.closed = True
        del standing[symbol]


def accounts(positions: Sequence[Holding], books: Sequence[TradeBooks]) -> list[Account]:
    """Return what can be compared: trades and positions that share entry orders, all closed.

    A trade may span several positions (closed by hand and entered again before the bot knew), and
    a position several trades. What shares no order with anything stands alone: a position that no
    trade knows, or a trade that claims a profit without a position.

    Args:
        positions: As `holdings` returns them.
        books: The bot's trades.
    """
    owner = {order_id: trade for trade in books for order_id in trade.order_ids}
    group: dict[int, int] = {trade.number: trade.number for trade in books}
    members: defaultdict[int | None, list[Holding]] = defaultdict(list)
    alone = []
    for position in positions:
        trades = sorted({owner[name].number for name in position.entries if name in owner})
        if not trades:
            alone.append(position)
            continue
        roots = {_root(group, number) for number in trades}
        for root in roots:
            group[root] = min(roots)
        members[trades[0]].append(position)
    together: defaultdict[int, tuple[list[TradeBooks], list[Holding]]] = defaultdict(
        lambda: ([], [])
    )
    for trade in books:
        trades_of, positions_of = together[_root(group, trade.number)]
        trades_of.append(trade)
        positions_of += members[trade.number]
    found = [_account(*both) for both in together.values()]
    found += [_account([], [position]) for position in alone]
    return [account for account in found if account is not None]


def _root(group: dict[int, int], number: int) -> int:
    while group[number] != number:
        number = group[number]
    return number


def _account(trades: list[TradeBooks], positions: list[Holding]) -> Account | None:
    """Return the two sums, None as long as something is open."""
    if any(trade.open for trade in trades) or not all(p.closed for p in positions):
        return None
    symbol = trades[0].symbol if trades else positions[0].symbol
    bot_fees = sum((Decimal(str(trade.fees)) for trade in trades), ZERO)
    return Account(
        symbol,
        [trade.number for trade in trades],
        len(positions),
        sum((Decimal(str(trade.profit)) for trade in trades), bot_fees),
        sum((position.profit for position in positions), ZERO),
        bot_fees,
        sum((position.fees for position in positions), ZERO),
    )
