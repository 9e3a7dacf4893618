"""What reduced a position unheard: positive proof, by the exchange's order history.

A list that does not show a position proves nothing: lists lag, and have come back empty. An order
that closed the position is proof, whoever sent it: another hand, the exchange's liquidation or
deleveraging, or an exit of this bot's that a kill kept off the record.
"""

import logging
from collections.abc import Callable, Collection, Sequence
from math import inf
from time import monotonic

from freqtrade.enums import ExitType

from qt_protections.errors import withhold_secrets
from qt_protections.rules.amounts import subtract_exact, sum_exact
from qt_protections.rules.pairs import symbol_of
from qt_protections.stops.state.client_ids import Namer, Role
from qt_protections.stops.state.pair import PairState
from qt_protections.stops.state.records import is_on_record
from qt_protections.stops.state.stop import StopStatus, child_id, filled_ms, part_of, stop_status
from qt_protections.stops.state.unbooked_fill import OF_ENTRIES
from qt_protections.stops.venue.protocol import CcxtOrder, Venue

logger = withhold_secrets(logging.getLogger(__name__))

#: An order may have been sent long before it filled, and the history is asked for by sending.
_SENT_BEFORE_MS = 86_400_000
#: Seconds between two questions for the orders of a pair, and once something was heard of one.
_ASK_EVERY_S = 5.0
_ASK_AGAIN_S = 1.0
#: Sums of lots may differ in their last binary digits.
_SAME = 1e-6


class OrderHistory:
    """Finds the orders that reduced a pair's position and that nobody has booked."""

    def __init__(self, venue: Venue, namer: Namer) -> None:
        """Take the exchange, and who knows this bot's orders."""
        self._venue = venue
        self._namer = namer
        self._ask_at: dict[str, float] = {}

    def is_due(self, held: PairState) -> bool:
        """Whether a pair's orders may be asked for again: each time costs request weight."""
        return monotonic() >= self._ask_at.get(held.pair, 0.0)

    def heard(self, held: PairState) -> None:
        """Let a pair's orders be asked for soon: one was heard to have filled."""
        soon = self._ask_at.get(held.pair, 0.0) - _ASK_EVERY_S + _ASK_AGAIN_S
        self._ask_at[held.pair] = max(soon, 0.0)

    def book_closes(
        self,
        held: PairState,
        at_most: float = inf,
        *,
        shown: float | None = None,
        with_exits: bool = False,
    ) -> bool:
        """Book what reduced the position of a trade.

        Args:
            held: The pair; its lock is held.
            at_most: How much others took of it, base currency. What they closed beyond that was
                somebody's own part of the position.
            shown: The position, base currency, where that is certain. What others held when the
                trade began follows from it; else from the orders of the day before.
            with_exits: Whether exits of this bot count. Freqtrade books those, unless a kill came
                between: only who keeps Freqtrade from sending one now may ask for them.

        Returns:
            Whether there was any; False as well where it is not due to ask, and while nobody tells
            what a stop became beside somebody's own part.

        Raises:
            RequestError: If the exchange does not answer; nothing was changed then.
        """
        since_ms = held.known_since_ms
        if not held.own or not since_ms or not self.is_due(held):
            return False
        self.refresh_entries(held)
        own = held.own
        known, before, since = self._seen(held, since_ms)
        others = subtract_exact(_entered(held, before))
        if shown is not None:
            at_begin = sum_exact(shown, -_entered(held, since))
            others, since = (
                subtract_exact(at_begin),
                [*self._turned(held, before, -at_begin), *since],
            )
        if self._may_be_of_a_stop(held, since, others, _asked_after(held)):
            return False
        self._book_closes(
            held,
            since,
            known,
            others,
            at_most,
            is_certain=shown is not None,
            with_exits=with_exits,
        )
        return held.own < own

    def book_heard(self, held: PairState, show: Callable[[], float | None]) -> bool:
        """Book what others were heard to close, if it is certain whose that was.

        Others leave first what is theirs. How much that was when the trade began follows from the
        position now and from all that has filled since, and it follows from the orders of the day
        before. A list that is old or empty tells otherwise than those orders, and so does what
        others hold for longer: of that the list of positions tells once less is there than the
        trade has.

        Args:
            held: The pair; its lock is held.
            show: Tells the position, base currency, negative on the other side; None if nobody
                tells.

        Returns:
            Whether it was certain; False as well while the orders lack what was heard, or nobody
            tells whether it is what a stop became.

        Raises:
            RequestError: If the exchange does not answer; nothing was changed then.
        """
        since_ms = held.known_since_ms
        if not held.own or not since_ms:
            return True
        self.refresh_entries(held)
        known, before, since = self._seen(held, since_ms)
        others = subtract_exact(_entered(held, before))
        if not held.heard.keys() <= {str(order["id"]) for order in since}:
            return False
        shown = show()
        if shown is not None and abs(sum_exact(shown, -_entered(held, since)) - others) > _SAME:
            return False
        stops = [stop.order_id for stop in held.all_stops]
        if self._may_be_of_a_stop(held, since, others, [*stops, *_asked_after(held)]):
            return False
        self._book_closes(held, since, known, others, is_certain=shown is not None)
        return True

    def _seen(
        self, held: PairState, since_ms: int
    ) -> tuple[set[str], list[CcxtOrder], list[CcxtOrder]]:
        """Return what the book accounts for, and what filled before and since a trade began.

        What is left of the orders of the day before was others': earlier trades of the pair have
        left nothing, whoever closed them.
        """
        since_ms = max(since_ms, self._stops_unknown_until_ms(held))
        known = self._known(held)
        orders = self._filled_orders(held, since_ms - _SENT_BEFORE_MS, since_ms)
        # Its first entry may have filled in the millisecond in which that was sent.
        since = [o for o in orders if filled_ms(o) > since_ms or o["id"] in known]
        before = [o for o in orders if filled_ms(o) <= since_ms and o["id"] not in known]
        return known, before, since

    def _turned(
        self, held: PairState, before: Sequence[CcxtOrder], amount: float
    ) -> list[CcxtOrder]:
        """Return entries of this bot's on the other side that the first entry of a trade closed.

        A kill kept them off the record, and a list that did not show them let the other side in.

        Args:
            held: The pair.
            before: What filled before the trade began.
            amount: What stood on the other side then, base currency.
        """
        found: list[CcxtOrder] = []
        closing = _closing_side(held.is_short)
        entries = [o for o in before if o["side"] == closing and self._role(o) is Role.ENTRY]
        for order in reversed(entries):
            if amount > 0 and not is_on_record(str(order["id"]), held.pair):
                found.insert(0, part_of(order, amount))
                amount = subtract_exact(amount, float(order["filled"]))
        return found

    def _may_be_of_a_stop(
        self, held: PairState, orders: Sequence[CcxtOrder], others: float, stops: Collection[str]
    ) -> bool:
        """Whether it matters that orders may be what a stop became of which nobody tells.

        A stop closes the trade first, another hand what is its own.
        """
        entries = [o for o in orders if o["side"] != _closing_side(held.is_short)]
        is_shared = others > 0 or any(self._role(order) is None for order in entries)
        return is_shared and any(
            _is_untold(self._venue.find_stop(held.pair, order_id=name)) for name in stops
        )

    def _book_closes(
        self,
        held: PairState,
        orders: Sequence[CcxtOrder],
        known: Collection[str],
        others: float,
        at_most: float = inf,
        *,
        is_certain: bool,
        with_exits: bool = False,
    ) -> None:
        """Book what orders closed of a trade beside what others held when it began.

        If that is certain, others who sold more than there was hold the other side from then on.
        """
        of_stops = self.children(held.pair, held.written_off)
        counted = [o for o in orders if o["id"] in known]
        least = -inf if is_certain else 0.0
        for order in _over(orders):
            filled, role = float(order["filled"]), self._role(order)
            if order["id"] in known:
                others = max(least, sum_exact(others, -filled, _own_part(held, order)))
            elif order["side"] != _closing_side(held.is_short):
                others = sum_exact(others, filled if role is None else 0.0)
            elif role is not None or order["id"] in of_stops:
                if with_exits or role is not Role.EXIT:
                    self._book(held, order, held.own)
                    at_most = subtract_exact(at_most, filled)
                if order["id"] in of_stops:
                    held.written_off[of_stops[order["id"]]] = 0.0  # that is settled
            else:
                own = subtract_exact(held.own, _added_since(held, order, counted))
                amount = min(subtract_exact(filled, max(others, 0.0)), at_most, own, held.own)
                others = max(least, sum_exact(others, -filled, amount))
                self._book(held, order, amount)
                at_most = subtract_exact(at_most, amount)

    def is_closed(self, held: PairState, amount: float, since_ms: int) -> bool:
        """Whether the orders since a moment took the whole of a position.

        Args:
            held: The pair; its lock is held.
            amount: The position at that moment, base currency.
            since_ms: Epoch milliseconds by the exchange's clock; fills after it count.

        Raises:
            RequestError: If the exchange does not answer.
        """
        if not since_ms or not self.is_due(held):
            return False
        for order in _over(self._filled_orders(held, since_ms, since_ms)):
            filled = float(order["filled"])
            closes = order["side"] == _closing_side(held.is_short)
            amount = subtract_exact(amount, filled) if closes else sum_exact(amount, filled)
        return not amount

    def _filled_orders(self, held: PairState, from_ms: int, since_ms: int) -> list[CcxtOrder]:
        """Return the orders that filled something, as they filled; those that rest as well.

        Args:
            held: The pair.
            from_ms: Since when fills count, epoch milliseconds by the exchange's clock.
            since_ms: The moment that is asked about.
        """
        self._ask_at[held.pair] = monotonic() + _ASK_EVERY_S
        orders = self._venue.orders_since(held.pair, since_ms - _SENT_BEFORE_MS)
        return sorted((o for o in orders if _filled_since(o, from_ms)), key=filled_ms)

    def book(self, held: PairState, order: CcxtOrder) -> None:
        """Have the trade book a close of this bot's that it does not know of; the lock is held."""
        if float(order["filled"]) and str(order["id"]) not in held.booked:
            self._book(held, order, held.own)

    @staticmethod
    def _book(held: PairState, order: CcxtOrder, amount: float) -> None:
        """Have the trade book an order as far as it closed so much, base currency."""
        if amount <= 0:
            return
        logger.warning(
            "[OK] Order %s (%s) took %s of %s: its trade books that.",
            order["id"],
            order.get("clientOrderId"),
            min(float(order["filled"]), amount),
            symbol_of(held.pair),
        )
        if amount < float(order["filled"]):
            held.parts[str(order["id"])] = amount
        held.book_close(part_of(order, amount), ExitType.SOLD_ON_EXCHANGE.value)

    def refresh_entries(self, held: PairState) -> None:
        """Bring what entries under way filled up to date.

        Raises:
            RequestError: If the exchange does not answer.
        """
        for pending in held.pending_entries:
            if pending.order_id and not pending.is_final:
                order = self._venue.find_order(held.pair, order_id=pending.order_id)
                if order is not None:
                    pending.learn(order)

    def _known(self, held: PairState) -> set[str]:
        """Return the orders that the book accounts for."""
        entries = {pending.order_id for pending in held.pending_entries}
        standing = {stop.order_id for stop in held.all_stops}
        # What became of those is booked by their stop's name.
        known = (held.known_to_freqtrade | standing) - held.written_off.keys()
        return held.booked | entries | self.children(held.pair, known).keys()

    def children(self, pair: str, order_ids: Collection[str]) -> dict[str, str]:
        """Return the orders that stops of a pair became, and which stop each was.

        Args:
            pair: Freqtrade's pair.
            order_ids: The stops; of each the exchange is asked once.

        Raises:
            RequestError: If the exchange does not answer.
        """
        found = {name: self._venue.find_stop(pair, order_id=name) for name in order_ids}
        told = [(name, stop) for name, stop in found.items() if stop is not None]
        return {child: name for name, stop in told if (child := child_id(stop))}

    def _stops_unknown_until_ms(self, held: PairState) -> int:
        """Return until when an order may be what a booked stop became, epoch milliseconds.

        A stop is on record by its own id. One the exchange tells of no more hides what came before.
        """
        unknown = [name for name, at_ms in held.booked_stops.items() if at_ms]
        for child, order_id in self.children(held.pair, unknown).items():
            held.became(order_id, child)
        return max(held.booked_stops.values(), default=0)

    def _role(self, order: CcxtOrder) -> Role | None:
        """Return what an order of this bot is for; None for anybody else's."""
        name = self._namer.mine(order.get("clientOrderId"))
        return None if name is None else name.role


def _asked_after(held: PairState) -> list[str]:
    """Return the stops that were dropped without what became of them, as long as that is asked."""
    return [name for name, until in held.written_off.items() if until > monotonic()]


def _is_untold(stop: CcxtOrder | None) -> bool:
    """Whether nobody tells what became of a stop."""
    return stop is None or (stop_status(stop) is StopStatus.TRIGGERED and not child_id(stop))


def _over(orders: Sequence[CcxtOrder]) -> list[CcxtOrder]:
    """Return those that are over: one that rests fills on, and may be its owner's to cancel."""
    return [order for order in orders if order.get("status") != "open"]


def _entered(held: PairState, orders: Sequence[CcxtOrder]) -> float:
    """Return what orders added to the side of a trade, base currency; negative if they closed."""
    closing = _closing_side(held.is_short)
    return sum_exact(
        *(-float(o["filled"]) if o["side"] == closing else float(o["filled"]) for o in orders)
    )


def _own_part(held: PairState, order: CcxtOrder) -> float:
    """Return how much of an order that is accounted for was this bot's, base currency."""
    filled, name = float(order["filled"]), str(order["id"])
    # What a close took of entries that no trade has yet is this bot's as well.
    parts = [held.parts[each] for each in (name, f"{name}{OF_ENTRIES}") if each in held.parts]
    return min(filled, sum_exact(*parts)) if parts else filled


def _added_since(held: PairState, order: CcxtOrder, counted: Sequence[CcxtOrder]) -> float:
    """Return what a trade holds more than when an order filled, base currency.

    Args:
        held: The pair.
        order: The order.
        counted: Those that the trade accounts for. Entries count by when they were sent: an order
            closed nothing of one that was sent later.
    """
    over_ms, closing = filled_ms(order), _closing_side(held.is_short)
    entries = [o for o in counted if o["side"] != closing and int(o["timestamp"] or 0) > over_ms]
    closes = [o for o in counted if o["side"] == closing and filled_ms(o) > over_ms]
    return sum_exact(
        *(float(each["filled"]) for each in entries), *(-_own_part(held, o) for o in closes)
    )


def _closing_side(is_short: bool) -> str:
    return "buy" if is_short else "sell"


def _filled_since(order: CcxtOrder, since_ms: int) -> bool:
    return float(order.get("filled") or 0.0) > 0 and filled_ms(order) > since_ms
