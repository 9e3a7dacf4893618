"""What reduced a position unheard: positive proof, by the exchange's order history.

A list that does not show a position proves nothing: lists lag, and have come back empty. An order
that closed the position is proof, whoever sent it: another hand, the exchange's liquidation or
deleveraging, or an exit of this bot's that a kill kept off the record.
"""

import logging
from math import inf

from freqtrade.enums import ExitType

from qt_protections.errors import withhold_secrets
from qt_protections.rules.amounts import rest
from qt_protections.snapshots import symbol_of
from qt_protections.stops.book import Held
from qt_protections.stops.line import CcxtOrder, Line
from qt_protections.stops.names import Namer, Role
from qt_protections.stops.stop import child_id, part_of

logger = withhold_secrets(logging.getLogger(__name__))

#: An order may have been sent long before it filled, and the history is asked for by sending.
_SENT_BEFORE_MS = 86_400_000


class OrderHistory:
    """Finds the orders that reduced a pair's position and that nobody has booked."""

    def __init__(self, line: Line, namer: Namer) -> None:
        """Take the exchange, and who knows this bot's orders."""
        self._line = line
        self._namer = namer

    def book_closes(self, held: Held, at_most: float = inf, *, with_exits: bool = False) -> bool:
        """Book what reduced the position of a trade.

        Args:
            held: The pair; its lock is held.
            at_most: How much others took of it, base currency. What they closed beyond that was
                somebody's own part of the position.
            with_exits: Whether exits of this bot count. Freqtrade books those, unless a kill came
                between: only who keeps Freqtrade from sending one now may ask for them.

        Returns:
            Whether there was any.

        Raises:
            LineError: If the exchange does not answer; nothing was changed then.
        """
        since_ms = held.known_since_ms
        if not held.own or not since_ms:
            return False
        self.refresh_entries(held)
        known = held.booked | self._children_of_stops(held)
        closes = self.closes(held.pair, since_ms, is_short=held.is_short)
        found = [order for order in closes if order["id"] not in known]
        exits = [order for order in found if self._is_exit(order)]
        others = [order for order in found if order not in exits]
        before = held.own
        for order in exits if with_exits else []:
            self._book(held, order, held.own)
            at_most = rest(at_most, float(order["filled"]))
        for order in others:
            amount = min(float(order["filled"]), at_most, held.own)
            self._book(held, order, amount)
            at_most = rest(at_most, amount)
        return held.own < before

    @staticmethod
    def _book(held: Held, order: CcxtOrder, amount: float) -> None:
        """Have the trade book an order as far as it closed so much, base currency."""
        if amount <= 0:
            return
        logger.warning(
            "[OK] Order %s (%s) took %s of %s: its trade books that.",
            order["id"],
            order.get("clientOrderId"),
            order["filled"],
            symbol_of(held.pair),
        )
        held.book_close(part_of(order, amount), ExitType.SOLD_ON_EXCHANGE.value)

    def closes(self, pair: str, since_ms: int, *, is_short: bool) -> list[CcxtOrder]:
        """Return the orders that reduced a position of a side since a moment, whoever sent them.

        Args:
            pair: Freqtrade's pair.
            since_ms: Epoch milliseconds by the exchange's clock; fills after it count.
            is_short: Side of the position.

        Raises:
            LineError: If the exchange does not answer.
        """
        side = "buy" if is_short else "sell"
        orders = self._line.orders_since(pair, since_ms - _SENT_BEFORE_MS)
        return [o for o in orders if o["side"] == side and _filled_since(o, since_ms)]

    def refresh_entries(self, held: Held) -> None:
        """Bring what entries under way filled up to date.

        Raises:
            LineError: If the exchange does not answer.
        """
        for intent in held.intents:
            if intent.order_id and not intent.final:
                order = self._line.find_order(held.pair, order_id=intent.order_id)
                if order is not None:
                    intent.learn(order)

    def _children_of_stops(self, held: Held) -> set[str]:
        """Return the orders the pair's stops became: those are booked by their stop's name."""
        standing = {stop.order_id for stop in (*held.stops, *held.trails)}
        known = {name for name in held.claimed | standing if not held.is_written_off(name)}
        stops = [self._line.find_stop(held.pair, order_id=order_id) for order_id in known]
        return {child_id(stop) for stop in stops if stop is not None} - {""}

    def _is_exit(self, order: CcxtOrder) -> bool:
        name = self._namer.mine(order.get("clientOrderId"))
        return name is not None and name.role in (Role.EXIT, Role.EMERGENCY_CLOSE)


def filled_ms(order: CcxtOrder) -> int:
    """Return when an order last filled, epoch milliseconds; when it was sent if nobody tells."""
    return int(order.get("lastTradeTimestamp") or order.get("timestamp") or 0)


def _filled_since(order: CcxtOrder, since_ms: int) -> bool:
    return float(order.get("filled") or 0.0) > 0 and filled_ms(order) > since_ms
