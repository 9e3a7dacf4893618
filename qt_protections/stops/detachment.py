"""What of a guarded bot stands on the exchange, and what plain Freqtrade makes of that.

Plain Freqtrade knows the orders that an open trade has on record, and no others. It does not know
the exchange's own trailing stops: left alive, one closes the position, or a later one of the pair.
Nothing that protects goes: a stop that may be the only one of a position stays, whoever knows it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from freqtrade.persistence import Trade

from qt_protections.errors import without_secrets
from qt_protections.stops.reconciliation.trade_writer import add_stop
from qt_protections.stops.state.client_ids import Name, Role, parse
from qt_protections.stops.state.stop import Stop
from qt_protections.stops.venue.protocol import CcxtOrder, Position, RequestError, Venue

#: Sizes closer than this ratio are one and the same.
_SAME = 1e-6
_KINDS = {
    Role.ENTRY: "entry",
    Role.STOP: "stop",
    Role.TRAILING: "trailing stop",
    Role.EMERGENCY_CLOSE: "close",
    Role.EXIT: "exit",
}


class Verdict(StrEnum):
    """What becomes of an order."""

    STAYS = "stays"
    RECORDED = "stays, put on record"
    WITHDRAWN = "withdrawn"
    YOURS = "left to you"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Judged:
    """One order of the bot's.

    Attributes:
        kind: What the order is.
        pair: Freqtrade's.
        order_id: The exchange's.
        amount: Base currency.
        price: Trigger or limit, quote currency; None where it has none yet.
        verdict: What becomes of the order.
        why: The reason, in words.
        trade_id: Of the open trade that the order belongs to; None without one.
    """

    kind: str
    pair: str
    order_id: str
    amount: float
    price: float | None
    verdict: Verdict
    why: str
    trade_id: int | None = None
    order: CcxtOrder = field(default_factory=dict, repr=False, compare=False)

    @property
    def is_conditional(self) -> bool:
        """Whether the order waits for a trigger."""
        return self.kind in (_KINDS[Role.STOP], _KINDS[Role.TRAILING])


@dataclass(frozen=True, slots=True)
class Known:
    """An open trade as Freqtrade has it on record; `orders` are the ids of what stands for it."""

    trade_id: int
    pair: str
    is_short: bool
    orders: frozenset[str]

    @classmethod
    def of(cls, trade: Trade) -> "Known":
        """Read a trade."""
        ids = frozenset(order.order_id for order in trade.orders if order.ft_is_open)
        return cls(trade.id, trade.pair, trade.is_short, ids)


@dataclass(frozen=True, slots=True)
class Found:
    """What the exchange shows of the account, and the database of the trades.

    Attributes:
        stops: All live conditional orders.
        orders: All live orders of the book.
        positions: By pair.
        held: Pairs with a position by another of the exchange's lists.
        trades: The open ones, by pair.
    """

    stops: Sequence[CcxtOrder]
    orders: Sequence[CcxtOrder]
    positions: dict[str, Position]
    held: set[str]
    trades: dict[str, Known]


def look(venue: Venue, trades: Iterable[Known]) -> Found:
    """Ask the exchange; a weight of 90 on Binance.

    Raises:
        RequestError: If it does not answer.
    """
    # Positions last: an entry that fills in between has its stop on the first list still.
    stops, orders = venue.open_stops(), venue.open_orders()
    positions, held = venue.positions(), venue.account_positions()
    return Found(stops, orders, positions, held, {known.pair: known for known in trades})


def judge(found: Found, bot: str, *, may_arrive: bool = False) -> list[Judged]:
    """Return what becomes of each order that one bot placed.

    Args:
        found: What there is.
        bot: The bot's identity in its client ids.
        may_arrive: Whether an entry that the bot sent last may still arrive: its stop stays.
    """
    own = [
        (name, order)
        for order in (*found.orders, *found.stops)
        if (name := parse(order.get("clientOrderId"))) is not None and name.bot == bot
    ]
    return [_judged(found, own, name, order, may_arrive) for name, order in own]


def act(venue: Venue, judged: Sequence[Judged]) -> list[Judged]:
    """Do what was judged, and return what became of each order."""
    return [_done(venue, each) for each in judged]


def _judged(
    found: Found,
    own: Sequence[tuple[Name, CcxtOrder]],
    name: Name,
    order: CcxtOrder,
    may_arrive: bool,
) -> Judged:
    known = found.trades.get(order["symbol"])
    verdict, why = _verdict(found, own, name, order, known, may_arrive)
    return Judged(
        _KINDS[name.role],
        order["symbol"],
        str(order["id"]),
        float(order.get("amount") or 0.0),
        _price(order),
        verdict,
        why,
        None if known is None else known.trade_id,
        order,
    )


def _verdict(
    found: Found,
    own: Sequence[tuple[Name, CcxtOrder]],
    name: Name,
    order: CcxtOrder,
    known: Known | None,
    may_arrive: bool,
) -> tuple[Verdict, str]:
    if name.role is Role.TRAILING:
        return Verdict.WITHDRAWN, "plain Freqtrade does not know it"
    if known is not None and str(order["id"]) in known.orders:
        return Verdict.STAYS, f"on record of trade {known.trade_id}, which adopts it"
    if name.role is not Role.STOP:
        return Verdict.WITHDRAWN, "no open trade has it on record"
    if known is not None and known.is_short == (order["side"] == "buy"):
        if _is_covered(found, own, known):
            return Verdict.WITHDRAWN, f"other stops on record cover trade {known.trade_id}"
        return Verdict.RECORDED, f"trade {known.trade_id} knows it from now on"
    return _of_nobody(found, order["symbol"], may_arrive)


def _of_nobody(found: Found, pair: str, may_arrive: bool) -> tuple[Verdict, str]:
    """Judge a stop on a pair whose open trade, if there is one, is of the other side."""
    if pair in found.held or pair in found.positions:
        return Verdict.YOURS, "it may protect the position, which no open trade accounts for"
    if may_arrive:
        return (
            Verdict.YOURS,
            "its entry may still arrive: the bot has just ended, or did not write down when",
        )
    return Verdict.WITHDRAWN, "there is no position that it protects"


def _is_covered(found: Found, own: Sequence[tuple[Name, CcxtOrder]], known: Known) -> bool:
    """Whether the stops that a trade has on record protect all of the pair's position."""
    position = found.positions.get(known.pair)
    if position is None:
        return False  # an entry waits, or the list lacks the position: nobody knows
    recorded = [
        float(order.get("amount") or 0.0)
        for name, order in own
        if name.role is Role.STOP and str(order["id"]) in known.orders
    ]
    return sum(recorded) >= position.amount * (1 - _SAME)


def _done(venue: Venue, each: Judged) -> Judged:
    try:
        if each.verdict is Verdict.RECORDED:
            _record(each)
        elif each.verdict is Verdict.WITHDRAWN:
            return _withdraw(venue, each)
    except RequestError as error:
        why = f"the exchange did not take that: {without_secrets(str(error))}"
        return replace(each, verdict=Verdict.FAILED, why=why)
    return each


def _withdraw(venue: Venue, each: Judged) -> Judged:
    if not each.is_conditional:
        venue.cancel_order(each.pair, each.order_id)
        return each
    was_there = venue.cancel(each.pair, each.order_id)
    return each if was_there else replace(each, why=f"{each.why}; it was gone already")


def _record(each: Judged) -> None:
    trade = Trade.get_trades([Trade.id == each.trade_id]).first()
    if trade is not None:
        add_stop(trade, Stop.of(each.pair, each.order, each.amount, each.price or 0.0))
        Trade.commit()


def _price(order: CcxtOrder) -> float | None:
    prices: list[Any] = [order.get(name) for name in ("stopPrice", "triggerPrice", "price")]
    return next((float(price) for price in prices if price), None)
