"""The one door every order leaves by: an entry passes it only with its stop live in front.

It stands in for `create_order` of the exchange object the bot trades with, so signals, forced
entries, position adjustments and replaced orders all meet it. Reduce-only orders pass untouched.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from freqtrade.constants import NON_OPEN_EXCHANGE_STATES
from freqtrade.exceptions import InvalidOrderException
from freqtrade.exchange import Exchange

from qt_protections.errors import EntryRefused
from qt_protections.snapshots import symbol_of
from qt_protections.stops import protective_stop
from qt_protections.stops.protective_stop import ProtectiveStop, StopPlan
from qt_protections.stops.waiting import WaitingStops

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class EntryOrder:
    """An entry on its way out; amount in base currency, rate in quote currency."""

    pair: str
    is_short: bool
    amount: float
    rate: float
    leverage: float


class EntryDoor:
    """Callable with the signature of `Exchange.create_order`."""

    def __init__(
        self,
        exchange: Exchange,
        plan_stop: Callable[[EntryOrder], StopPlan],
        waiting: WaitingStops,
        order_types: dict[str, Any],
    ) -> None:
        self._exchange = exchange
        self._create_order = exchange.create_order
        self._plan_stop = plan_stop
        self._waiting = waiting
        self._order_types = order_types

    def __call__(self, **order: Any) -> Any:
        """Send an order; an entry only behind its stop.

        Raises:
            EntryRefused: If a rule objects or the stop was not accepted; no entry was sent then.
        """
        if order.get("reduceOnly"):
            return self._create_order(**order)
        plan = self._plan_stop(
            EntryOrder(
                pair=order["pair"],
                is_short=order["side"] == "sell",
                amount=order["amount"],
                rate=order["rate"],
                leverage=order["leverage"],
            )
        )
        stop = protective_stop.place(self._exchange, plan, self._order_types)
        with self._waiting.entry_in_flight(stop):
            try:
                entry = self._create_order(**order)
            except BaseException as error:
                self._settle_failed_entry(stop, error)
                raise
            if entry.get("filled"):
                self._make_sure(stop)
            elif entry.get("status") in NON_OPEN_EXCHANGE_STATES:
                self._waiting.give_up(stop)
        return entry

    def _settle_failed_entry(self, stop: ProtectiveStop, error: BaseException) -> None:
        """Withdraw the stop of an entry that was certainly refused; keep any other.

        A flat account proves nothing right after a lost answer: the order may rest, or the position
        lag behind. The sweep gives the stop up once nothing of the kind is left.
        """
        if isinstance(error, InvalidOrderException):
            self._waiting.give_up(stop)
            return
        logger.error(
            "[ALERT] Entry of %s ended unknown (%s): its stop %s stays until the exchange shows "
            "neither a position nor an open order.",
            symbol_of(stop.plan.pair),
            error,
            stop.order_id,
        )

    def _make_sure(self, stop: ProtectiveStop) -> None:
        """Replace a stop that was consumed before the fill; raise nothing, the entry happened."""
        try:
            if not self._was_consumed(stop):
                return
            logger.warning("Stop %s of %s was gone before the fill.", stop.order_id, stop.plan.pair)
            self._waiting.forget(stop)
            self._cover_or_close(stop.plan)
        except Exception:
            # Freqtrade looks after the stop in its next loop, as it does without the guard.
            logger.exception("[ALERT] Could not make sure of the stop of %s.", stop.plan.pair)

    def _was_consumed(self, stop: ProtectiveStop) -> bool:
        if protective_stop.is_live(self._exchange, stop):
            return False
        # Triggered after the fill it did its work: the account is flat, and the trade will see it.
        return protective_stop.position_size(self._exchange, stop.plan.pair) > 0

    def _cover_or_close(self, plan: StopPlan) -> None:
        try:
            stop = protective_stop.place(self._exchange, plan, self._order_types)
        except EntryRefused as refusal:
            self._emergency_close(plan, str(refusal))
        else:
            self._waiting.add(stop)

    def _emergency_close(self, plan: StopPlan, why: str) -> None:
        """Close at market; Freqtrade then finds the closing order on the exchange by itself."""
        logger.error("[ALERT] EMERGENCY CLOSE %s: %s", symbol_of(plan.pair), why)
        self._create_order(
            pair=plan.pair,
            ordertype="market",
            side="buy" if plan.is_short else "sell",
            amount=plan.amount,
            rate=plan.trigger,
            leverage=plan.leverage,
            reduceOnly=True,
        )
