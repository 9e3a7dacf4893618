"""Taking in what stops and closes filled: the size to cover shrinks, and the trade has to book."""

from qt_protections.rules.amounts import subtract_exact, sum_exact
from qt_protections.stops.state.pair import PairState
from qt_protections.stops.state.stop import Stop, StopKind, as_booked, filled_ms, part_of
from qt_protections.stops.state.unbooked_fill import EMERGENCY, TRAILED, UnbookedFill
from qt_protections.stops.venue.protocol import CcxtOrder


def own_part(held: PairState, order: CcxtOrder, *, is_told: bool = False) -> CcxtOrder:
    """Return a stop's order as far as it closed this bot's trade.

    A stop covers what is on the pair, a stranger's part with it. It closes nothing of what is
    entered later, nor of what is held on the other side.

    Args:
        held: The pair.
        order: What the stop became.
        is_told: Whether the exchange was asked after the fill what the entries under way have
            filled. The stop closed no more than that, though no list has shown a stranger's part.
    """
    if order["side"] != ("buy" if held.is_short else "sell"):
        return part_of(order, 0.0)
    later = [
        pending.unbooked for pending in held.pending_entries if pending.at_ms > filled_ms(order)
    ]
    own = subtract_exact(held.own, *later)
    if later and not held.trade_deleted:
        return part_of(order, own)
    sent = [pending.order_id for pending in held.pending_entries]
    if is_told and sent and all(sent):
        return part_of(order, own)
    return order if held.external.position is None or not own else part_of(order, own)


def book_fill(held: PairState, stop: Stop, child: CcxtOrder) -> float:
    """Take in what a triggered stop's order filled, and return how much; base currency."""
    amount = float(child.get("filled") or 0.0)
    reason = TRAILED if stop.kind is StopKind.TRAILING else ""
    of_entries = _reduce(held, str(child["id"]), amount)
    if of_entries < amount and stop.order_id in held.ended_orders:
        held.ended_orders[stop.order_id] = as_booked(
            stop.order, part_of(child, subtract_exact(amount, of_entries))
        )
    if amount or not reason:
        held.ledger.add(UnbookedFill(child, reason, stop), of_entries)
    return amount


def book_close(held: PairState, order: CcxtOrder, reason: str = EMERGENCY) -> None:
    """Take in what an exit at market filled that its trade does not know of."""
    of_entries = _reduce(held, str(order["id"]), float(order.get("filled") or 0.0))
    held.ledger.add(UnbookedFill(order, reason), of_entries)
    held.touch()


def _reduce(held: PairState, order_id: str, amount: float) -> float:
    """Take what was closed off the size to cover; return how much of that entries filled."""
    held.ledger.heard.pop(order_id, None)
    held.base, further = subtract_exact(held.base, amount), subtract_exact(amount, held.base)
    of_entries = 0.0
    for pending in held.pending_entries:
        of_entries = sum_exact(of_entries, pending.close(subtract_exact(further, of_entries)))
    return of_entries


def begin_anew(held: PairState) -> None:
    """Forget what was known of an earlier position of the pair."""
    held.opened_ms, held.trouble.naked_since = 0, None
    held.trade_id = None
    held.ledger.begin_anew()


def forget_closes_of_trade(held: PairState) -> None:
    """Forget what closed a trade that is over: the next trade of the pair has no part in it."""
    held.ledger.forget_closes_of_trade(closed_entries=held.closed_entries)


def forget_trade(held: PairState) -> None:
    """Forget what a trade that was deleted had on record: nothing is booked any more."""
    forget_closes_of_trade(held)
    held.trade_id, held.ledger.on_record = None, frozenset()
    held.ledger.forget_orders()
