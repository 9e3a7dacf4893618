"""Where Freqtrade's own handling of stops meets the guard's.

Freqtrade places, asks after and cancels stops by itself, in its loop. On an exchange the guard
watches, the functions it does so with are answered here: a stop is never doubled because an answer
was missing, and never cancelled while it is all that covers a position.
"""

import logging
from typing import Any

from freqtrade.exceptions import InvalidOrderException, TemporaryError
from freqtrade.exchange import Exchange

from qt_protections.rules.cover import covered
from qt_protections.snapshots import open_trade, symbol_of
from qt_protections.stops.book import Held
from qt_protections.stops.keeper import Keeper
from qt_protections.stops.line import CcxtOrder, LineError
from qt_protections.stops.stop import Fate, child_id, fate

logger = logging.getLogger(__name__)


class StopDesk:
    """Stands in for `create_stoploss`, `fetch_stoploss_order` and `cancel_stoploss_order`."""

    def __init__(self, exchange: Exchange, keeper: Keeper) -> None:
        """Take their places."""
        self._keeper = keeper
        exchange.create_stoploss = self.create  # type: ignore[method-assign, assignment]
        exchange.fetch_stoploss_order = self.fetch  # type: ignore[method-assign]
        exchange.cancel_stoploss_order = self.cancel  # type: ignore[method-assign]

    def create(
        self, pair: str, amount: float, stop_price: float, side: str, leverage: float, **_: Any
    ) -> CcxtOrder:
        """Return the stop that stands already, or place one.

        Raises:
            TemporaryError: If none could be placed; the watch goes on trying, or has closed.
        """
        held = self._keeper.book.of(pair)
        with held.lock:
            held.is_short, held.leverage = side == "buy", leverage
            unbooked = sum(fill.amount for fill in held.fills)
            held.base = max(held.base, amount - unbooked)
            held.tighten(stop_price)
            self._keeper.mend(held)
            if held.cover is None or (held.need and not covered(held.need, held.standing)):
                raise TemporaryError(f"no stop could be placed for {pair}: see the log above")
            if held.cover.order_id in held.claimed:
                raise TemporaryError(
                    f"stop {held.cover.order_id} of {pair} is live, though it was not found"
                )
            held.claimed |= {held.cover.order_id}
            return held.cover.order

    def fetch(self, order_id: str, pair: str, params: dict[str, Any] | None = None) -> CcxtOrder:
        """Return a stop; what the exchange cannot tell of is answered as it was last known.

        Raises:
            InvalidOrderException: If neither the exchange nor the guard knows it.
            TemporaryError: If the exchange does not answer, and the guard does not know it.
        """
        held = self._keeper.book.of(pair)
        known, failure = held.stop_of(order_id), None
        try:
            order = self._keeper.line.find_stop(pair, order_id=order_id)
            if order is not None and fate(order) is Fate.TRIGGERED:
                return self._executed(pair, order)
        except LineError as error:
            logger.warning("Could not ask after stop %s of %s: %s", order_id, pair, error)
            order, failure = None, error
        if order is not None:
            if fate(order) is Fate.GONE:
                self._keeper.lost(held, order_id, str(order["status"]))
            return order
        if known is not None:
            return known.order
        if failure is not None and order_id not in held.dropped:
            raise TemporaryError(f"stop {order_id} of {pair}: {failure}") from failure
        raise InvalidOrderException(f"Stop {order_id} of {pair} was not found.")

    def cancel(self, order_id: str, pair: str, params: dict[str, Any] | None = None) -> CcxtOrder:
        """Cancel a stop, unless it is all that covers an open position.

        Returns:
            Nothing Freqtrade takes for an answer: it asks for the order next.
        """
        held = self._keeper.book.of(pair)
        with held.lock:
            held.touch()
            self._learn(held)
            if not self._keeper.may_cancel(held, order_id):
                logger.info(
                    "Stop %s of %s stays: nothing else covers the position.",
                    order_id,
                    symbol_of(pair),
                )
            else:
                self._keeper.cancel(held, order_id)  # one that stays is cancelled in the next loop
        return {}

    @staticmethod
    def _learn(held: Held) -> None:
        """See what the pair's trade has to protect: after a start nobody else has looked yet."""
        trade = open_trade(held.pair)
        if trade is None or not trade.is_open:
            held.base = 0.0
        elif held.need is None and not held.flat and not held.fills:
            held.is_short, held.leverage = trade.is_short, trade.leverage or 1.0
            held.base, held.trigger = trade.amount, trade.stop_loss

    def _executed(self, pair: str, stop: CcxtOrder) -> CcxtOrder:
        """Return the order a triggered stop became under the stop's id, as Freqtrade books it."""
        child_of_stop = child_id(stop)
        child = (
            self._keeper.line.find_order(pair, order_id=child_of_stop) if child_of_stop else None
        )
        if child is None:
            return {**stop, "status": "open"}  # a trigger alone is no fill
        return {
            **child,
            "id": stop["id"],
            "id_stop": child["id"],
            "type": "stoploss",
            "stopPrice": stop.get("stopPrice"),
            "status_stop": "triggered",
        }
