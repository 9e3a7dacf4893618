"""What a fault does to orders that were accepted, and what the journal says of faults."""

from typing import Unpack

from qt_protections.rehearsal.engine.forced_closes import ForcedCloses
from qt_protections.rehearsal.engine.orders import AlgoOrder, AlgoStatus, Order
from qt_protections.rehearsal.faults.entry import Entry
from qt_protections.rehearsal.faults.kinds.exchange import Adl
from qt_protections.rehearsal.faults.kinds.order_life import Cancel, Withdraw
from qt_protections.rehearsal.journal import EventKind, Facts
from qt_protections.rehearsal.venue import Venue

MAX_NOTED = 300


def note(venue: Venue, entry: Entry, what: str, symbol: str = "", **facts: Unpack[Facts]) -> None:
    """Write down that a fault struck.

    Args:
        venue: The exchange.
        entry: The fault.
        what: What it did, beginning with the endpoint if it struck a request.
        symbol: Exchange name, empty if it concerns none.
        facts: The order it concerns, and the code it was answered with.
    """
    facts["cause"], facts["reason"] = entry.kind, what[:MAX_NOTED]
    venue.journal.add(EventKind.FAULT, symbol[:MAX_NOTED], **facts)


def withdraw(venue: Venue, entry: Withdraw, algo: AlgoOrder) -> None:
    """Reject a conditional order, or let it expire, if it still waits for its trigger."""
    if algo.status is AlgoStatus.NEW:
        note(venue, entry, entry.outcome, algo.request.symbol, algo_id=algo.algo_id)
        expires = entry.outcome == "expire"
        status = AlgoStatus.EXPIRED if expires else AlgoStatus.REJECTED
        venue.conditional.withdraw(algo.algo_id, entry.reason, status)


def cancel_algo(venue: Venue, entry: Cancel, algo: AlgoOrder) -> None:
    """Cancel a conditional order as another client would, if it still waits for its trigger."""
    if algo.status is AlgoStatus.NEW:
        note(venue, entry, "canceled", algo.request.symbol, algo_id=algo.algo_id)
        venue.conditional.withdraw(algo.algo_id, "", AlgoStatus.CANCELED)


def cancel_order(venue: Venue, entry: Cancel, order: Order) -> None:
    """Cancel a plain order as another client would, if it still rests."""
    if order.is_open:
        symbol = order.request.symbol
        note(venue, entry, "canceled", symbol, order_id=order.order_id)
        venue.desk.cancel(symbol, order.order_id, None)


def deleverage(venue: Venue, entry: Adl, symbol: str) -> None:
    """Close a part of the position in `symbol` as auto-deleveraging does."""
    order = ForcedCloses(venue.desk).deleverage(symbol, entry.part)
    said = f"closed {order.executed:f} at {order.average_price:f}"
    note(venue, entry, said, symbol, order_id=order.order_id, client_id=order.request.client_id)
