"""What reduced a position unheard: positive proof, by the exchange's order history.

A list that does not show a position proves nothing: lists lag, and have come back empty. An order
that closed the position is proof, whoever sent it: another hand, the exchange's liquidation or
deleveraging, or an exit of this bot's that a kill kept off the record.
"""

import logging
from collections.abc import Callable, Collection
from dataclasses import replace
from functools import partial
from math import inf
from time import monotonic

from freqtrade.enums import ExitType

from qt_protections.errors import withhold_secrets
from qt_protections.rules.pairs import symbol_of
from qt_protections.stops.state.booking import book_close
from qt_protections.stops.state.client_ids import Namer
from qt_protections.stops.state.fill_allocation import (
    FilledOrder,
    Holding,
    TradeFills,
    allocate,
    is_closed,
    over,
    own_part,
)
from qt_protections.stops.state.pair import PairState
from qt_protections.stops.state.records import is_on_record
from qt_protections.stops.state.stop import filled_ms, part_of
from qt_protections.stops.stop_children import StopChildren
from qt_protections.stops.venue.protocol import CcxtOrder, RequestError, Venue

logger = withhold_secrets(logging.getLogger(__name__))

#: An order may have been sent long before it filled, and the history is asked for by sending.
_SENT_BEFORE_MS = 86_400_000
#: Seconds between two questions for the orders of a pair, and once something was heard of one.
_ASK_EVERY_S = 5.0
_ASK_AGAIN_S = 1.0
#: Sums of lots may differ in their last binary digits.
_SAME = 1e-6


class OrderHistory:
    """Asks for the orders that reduced a pair's position, and books those that nobody has booked.

    `stops/state/fill_allocation.py` tells how much of a trade each of them closed.
    """

    def __init__(self, venue: Venue, namer: Namer) -> None:
        """Take the exchange, and who knows this bot's orders."""
        self._venue = venue
        self._namer = namer
        self._stops = StopChildren(venue)
        self._ask_at: dict[str, float] = {}

    def is_due(self, held: PairState) -> bool:
        """Whether a pair's orders may be asked for again: each time costs request weight."""
        return monotonic() >= self._ask_at.get(held.pair, 0.0)

    def heard(self, held: PairState) -> None:
        """Let a pair's orders be asked for soon: an order was heard to have filled."""
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
            at_most: How much others took of the trade, base currency. What others closed beyond
                that was their own part of the position.
            shown: The position, base currency, where the position is certain. What others held when
                the trade began follows from the position; else from the orders of the day before.
            with_exits: Whether exits of this bot count. Freqtrade books those, unless a kill came
                between: only who keeps Freqtrade from sending an exit now may ask for them.

        Returns:
            Whether there was any close; False as well where it is too early to ask, and while
            nobody tells what a stop became beside somebody's own part.

        Raises:
            RequestError: If the exchange does not answer; nothing was changed then.
        """
        since_ms = held.known_since_ms
        if not held.own or not since_ms or not self.is_due(held):
            return False
        self.refresh_entries(held)
        own, fills = held.own, self._fills(held, since_ms)
        if shown is not None:
            fills = fills.by_position(shown, partial(is_on_record, pair=held.pair))
        if self._may_be_of_a_stop(held, fills, _asked_after(held)):
            return False
        self._book_closes(held, fills, at_most, with_exits=with_exits)
        return held.own < own

    def book_heard(self, held: PairState, show: Callable[[], float | None]) -> bool:
        """Book what others were heard to close, if it is certain whose part that was.

        Others leave first what is theirs. How much that was when the trade began follows from the
        position now and from all that has filled since, and it follows from the orders of the day
        before. A list that is old or empty tells otherwise than those orders, and so does what
        others hold for longer. The list of positions tells of that once it shows less than the
        trade has.

        Args:
            held: The pair; its lock is held.
            show: Tells the position, base currency, negative on the other side; None if nobody
                tells.

        Returns:
            Whether that was certain; False as well while the orders lack what was heard, or nobody
            tells whether a stop became one of them.

        Raises:
            RequestError: If the exchange does not answer; nothing was changed then.
        """
        since_ms = held.known_since_ms
        if not held.own or not since_ms:
            return True
        self.refresh_entries(held)
        fills = self._fills(held, since_ms)
        if fills.lacks(held.ledger.heard):
            return False
        shown = show()
        if shown is not None and abs(fills.others_by(shown) - fills.others) > _SAME:
            return False
        stops = [stop.order_id for stop in held.all_stops]
        if self._may_be_of_a_stop(held, fills, [*stops, *_asked_after(held)]):
            return False
        self._book_closes(held, replace(fills, is_certain=shown is not None))
        return True

    def is_closed(self, held: PairState, amount: float, since_ms: int, *, is_short: bool) -> bool:
        """Whether the orders since a moment took the whole of a position.

        Args:
            held: The pair; its lock is held.
            amount: The position at that moment, base currency.
            since_ms: Epoch milliseconds by the exchange's clock; fills after it count.
            is_short: The side of the position.

        Raises:
            RequestError: If the exchange does not answer.
        """
        if not since_ms or not self.is_due(held):
            return False
        orders = self._filled_orders(held, since_ms, since_ms)
        closing = "buy" if is_short else "sell"
        return is_closed(amount, [FilledOrder(o, closes=o["side"] == closing) for o in orders])

    def book(self, held: PairState, order: CcxtOrder) -> None:
        """Have the trade book a close of this bot that no record has; the pair's lock is held."""
        if held.own > 0 and float(order["filled"]) and str(order["id"]) not in held.ledger.booked:
            _book(held, order, held.own)

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

    def try_to_refresh_entries(self, held: PairState) -> bool:
        """Bring what entries filled up to date; return whether the exchange answered."""
        try:
            self.refresh_entries(held)
        except RequestError as error:
            logger.warning("Could not ask for entries of %s: %s", symbol_of(held.pair), error)
            return False
        return True

    def children(self, pair: str, order_ids: Collection[str]) -> dict[str, str]:
        """Return the orders that stops of a pair became, and which stop each order was.

        Raises:
            RequestError: If the exchange does not answer.
        """
        return self._stops.children(pair, order_ids)

    def _fills(self, held: PairState, since_ms: int) -> TradeFills:
        """Return what filled before and since a trade began, epoch milliseconds."""
        since_ms = max(since_ms, self._stops.unknown_until_ms(held))
        known = self._known(held)
        orders = self._filled_orders(held, since_ms - _SENT_BEFORE_MS, since_ms)
        return TradeFills.split([self._seen(held, order, known) for order in orders], since_ms)

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

    def _seen(self, held: PairState, order: CcxtOrder, known: Collection[str] = ()) -> FilledOrder:
        """Return an order as the trade sees it; `known` are the orders on the bot's record."""
        name = self._namer.mine(order.get("clientOrderId"))
        return FilledOrder(
            order,
            closes=order["side"] == ("buy" if held.is_short else "sell"),
            role=None if name is None else name.role,
            booked=own_part(order, held.ledger.parts) if str(order["id"]) in known else None,
        )

    def _known(self, held: PairState) -> set[str]:
        """Return the orders that the book accounts for."""
        entries = {pending.order_id for pending in held.pending_entries}
        standing = {stop.order_id for stop in held.all_stops}
        # What these stops became is booked by the stop's name, so it is no close of its own.
        known = (held.ledger.known_to_freqtrade | standing) - held.ledger.written_off.keys()
        return held.ledger.booked | entries | self.children(held.pair, known).keys()

    def _may_be_of_a_stop(self, held: PairState, fills: TradeFills, stops: Collection[str]) -> bool:
        """Whether an order may be what a stop became, and that would make a difference.

        A stop closes the trade first, and another hand closes what is its own first.
        """
        return fills.is_shared and self._stops.is_any_untold(held.pair, stops)

    def _book_closes(
        self,
        held: PairState,
        fills: TradeFills,
        at_most: float = inf,
        *,
        with_exits: bool = False,
    ) -> None:
        """Book what orders closed of a trade, and settle the stops that became one of them."""
        of_stops = self.children(held.pair, held.ledger.written_off)
        holding = Holding(held.own, held.base if held.trade_deleted else 0.0)
        closes = allocate(fills, holding, of_stops, at_most=at_most, with_exits=with_exits)
        for order, amount in closes:
            _book(held, order, amount)
        for each in over(fills.since):
            if each.booked is None and each.closes and each.order_id in of_stops:
                held.ledger.written_off[of_stops[each.order_id]] = 0.0  # that is settled


def _book(held: PairState, order: CcxtOrder, amount: float) -> None:
    """Have the trade book an order as far as the order closed so much, base currency."""
    logger.warning(
        "[OK] Order %s (%s) took %s of %s: its trade books that.",
        order["id"],
        order.get("clientOrderId"),
        min(float(order["filled"]), amount),
        symbol_of(held.pair),
    )
    if amount < float(order["filled"]):
        held.ledger.parts[str(order["id"])] = amount
    book_close(held, part_of(order, amount), ExitType.SOLD_ON_EXCHANGE.value)


def _asked_after(held: PairState) -> list[str]:
    """Return the stops that were dropped without what became of them, as long as that is asked."""
    return [name for name, until in held.ledger.written_off.items() if until > monotonic()]


def _filled_since(order: CcxtOrder, since_ms: int) -> bool:
    return float(order.get("filled") or 0.0) > 0 and filled_ms(order) > since_ms
