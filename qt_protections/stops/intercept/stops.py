"""Where Freqtrade's own handling of stops meets the guard's.

Freqtrade places, asks after and cancels stops by itself, in its loop. On an exchange that the guard
watches, this module answers the functions that Freqtrade calls for that. A missing answer never
doubles a stop, and the last cover of a position is never cancelled.
"""

import logging
from collections.abc import Callable
from time import monotonic
from typing import Any

from freqtrade.exceptions import InsufficientFundsError, TemporaryError
from freqtrade.exchange import Exchange

from qt_protections.errors import withhold_secrets
from qt_protections.portfolio.trades import open_trade
from qt_protections.rules.amounts import subtract_exact
from qt_protections.rules.pairs import symbol_of
from qt_protections.rules.stop_plan import covered
from qt_protections.stops.entry_cover import EntryCover
from qt_protections.stops.intercept.fired_stops import FiredStops
from qt_protections.stops.monitor.hearing import Hearing
from qt_protections.stops.reconciliation.order_sequence import note_fill_on_record
from qt_protections.stops.state.acts import may_cancel
from qt_protections.stops.state.pair import PairState
from qt_protections.stops.state.stop import StopStatus, as_booked, stop_status
from qt_protections.stops.venue.protocol import CcxtOrder, Rank, RequestError

logger = withhold_secrets(logging.getLogger(__name__))

#: Seconds for which a comparison answers for a stop: while its end would be heard, and while the
#: watch polls. The watch looks more often; where its looks fail, Freqtrade's question would too.
_HEARD_S, _POLLED_S = 60.0, 30.0


class StopInterceptor:
    """Stands in for `create_stoploss`, `fetch_stoploss_order` and `cancel_stoploss_order`."""

    def __init__(
        self,
        exchange: Exchange,
        cover: EntryCover,
        has_looked: Callable[[], bool],
        hearing: Hearing,
    ) -> None:
        """Take the places of the exchange's functions.

        Args:
            exchange: The bot's exchange.
            cover: Keeps entries covered, and positions by its manager.
            has_looked: Whether book and exchange have been compared since the start.
            hearing: Whether the end of a stop would have been heard.
        """
        self._hearing = hearing
        self._cover = cover
        self._manager = cover.manager
        self._outcomes = cover.manager.outcomes
        self._has_looked = has_looked
        self._fired = FiredStops(cover.manager)
        exchange.create_stoploss = self.create  # type: ignore[method-assign, assignment]
        exchange.fetch_stoploss_order = self.fetch  # type: ignore[method-assign]
        exchange.cancel_stoploss_order = self.cancel  # type: ignore[method-assign]

    def create(
        self, pair: str, amount: float, stop_price: float, side: str, leverage: float, **_: Any
    ) -> CcxtOrder:
        """Return the stop that stands already, or place one.

        Raises:
            InsufficientFundsError: If nothing is left to protect; Freqtrade then asks for the fill.
            TemporaryError: If no stop could be placed. The watch goes on trying, or has closed the
                position.
        """
        held = self._manager.book.of(pair)
        with held.lock:
            held.is_short, held.leverage = side == "buy", leverage
            held.base = max(
                held.base,
                subtract_exact(amount, *(fill.amount for fill in held.ledger.unbooked_fills)),
            )
            held.tighten(stop_price)
            self._manager.reconcile_stops(held)
            if held.required_stop is None:
                raise InsufficientFundsError(f"the position of {pair} is closed already")
            if held.active_stop is None or not covered(held.required_stop, held.standing):
                raise TemporaryError(f"no stop could be placed for {pair}: see the log above")
            known = held.ledger.known_to_freqtrade
            unknown = [stop for stop in held.same_side_stops if stop.order_id not in known]
            if not unknown:
                raise TemporaryError(
                    f"stop {held.active_stop.order_id} of {pair} is live, though it was not found"
                )
            new = unknown[-1]  # the next loop puts any others beside this one on record
            held.ledger.known_to_freqtrade = known | {new.order_id}
            return new.order

    def fetch(self, order_id: str, pair: str, params: dict[str, Any] | None = None) -> CcxtOrder:
        """Return a stop; without word from the exchange, as the stop was last known.

        Freqtrade books next what filled. The fill's place among the trade's fills is made before.

        Raises:
            TemporaryError: If the exchange does not answer, and the guard does not know the stop.
        """
        told = self._fetch(order_id, pair)
        note_fill_on_record(pair, told)
        return told

    def _fetch(self, order_id: str, pair: str) -> CcxtOrder:
        held = self._manager.book.of(pair)
        if (known := self._heard_of(held, order_id)) is not None:
            return known
        try:
            order = self._manager.venue.find_stop(pair, order_id=order_id)
            if order is not None and stop_status(order) is StopStatus.TRIGGERED:
                if self._fired.is_booked_by_child(held, order):
                    return as_booked(order, None)
                self._fired.take_in(held, order)
                return self._fired.executed(held, order)
        except RequestError as error:
            logger.warning("Could not ask after stop %s of %s: %s", order_id, pair, error)
            return _last_known(held, order_id, error)
        if order is None:
            return _last_known(held, order_id, None)
        if stop_status(order) is StopStatus.GONE:
            self._outcomes.lost(held, order_id, str(order["status"]))
        return order

    def _heard_of(self, held: PairState, order_id: str) -> CcxtOrder | None:
        """Return a stop that is known to be live; None if the exchange has to be asked.

        Freqtrade asks after each stop in each loop. The stream would have told of an end, and the
        watch looks for events that got lost as often as Freqtrade asks. Near the limit of what the
        exchange allows nobody looks: then Freqtrade's own question goes out, up to nearer still.
        """
        venue = self._manager.venue
        if not venue.has_room(Rank.COMPARE) and venue.has_room(Rank.ASK):
            return None
        stop, hearing = held.stop_of(order_id), self._hearing
        fresh_s = _HEARD_S if hearing.is_whole_since(held.looked) else _POLLED_S
        if stop is None or stop.track.is_in_doubt:
            return None
        is_fresh = monotonic() - held.looked < fresh_s
        return stop.order if hearing.is_attended and is_fresh else None

    def cancel(self, order_id: str, pair: str, params: dict[str, Any] | None = None) -> CcxtOrder:
        """Cancel a stop, unless it is all that covers an open position.

        Returns:
            An empty dict; Freqtrade then fetches the order itself.
        """
        held = self._manager.book.of(pair)
        with held.lock:
            held.touch()
            if not self._has_looked():
                # Freqtrade books what happened while no bot ran. An entry that filled after its
                # trade was closed is a position all the same, which no trade tells of yet.
                logger.info("Stop %s of %s stays until the first look.", order_id, symbol_of(pair))
                return {}
            if open_trade(pair) is None:
                held.base = 0.0
            if not may_cancel(held, order_id):
                logger.info(
                    "Stop %s of %s stays: nothing else covers the position.",
                    order_id,
                    symbol_of(pair),
                )
                return {}
            self._outcomes.cancel(held, order_id)  # one that stays is cancelled in the next loop
            if held.required_stop is None:
                # What stood beside it must not hit the next position.
                self._manager.reconcile_stops(held)
        return {}


def _last_known(held: PairState, order_id: str, failure: RequestError | None) -> CcxtOrder:
    if (known := held.stop_of(order_id)) is not None:
        return known.order
    if order_id in held.ended_orders:
        return held.ended_orders[order_id]
    if failure is not None:
        raise TemporaryError(f"stop {order_id} of {held.pair}: {failure}") from failure
    # One the exchange has forgotten: were it live after all, the next look finds it by its name.
    gone = {"id": order_id, "symbol": held.pair, "type": "stoploss", "amount": held.base}
    return as_booked({**gone, "fee": {}, "info": {}}, None)
