"""Stops that follow the price: tighter ones, looser ones, and trailing stops beside the stop."""

import logging
from dataclasses import replace

from qt_protections.errors import withhold_secrets
from qt_protections.rules.amounts import subtract_exact
from qt_protections.rules.pairs import symbol_of
from qt_protections.rules.retry_policy import Purpose, Step
from qt_protections.rules.stop_plan import covered, parts, tightest
from qt_protections.stops.manager import StopManager
from qt_protections.stops.placer import Unplaced
from qt_protections.stops.state.pair import PairState
from qt_protections.stops.venue.protocol import TrailingOrder

logger = withhold_secrets(logging.getLogger(__name__))


class StopMover:
    """Moves the stop of a position that has one: the new stop first, then the old one goes."""

    def __init__(self, manager: StopManager) -> None:
        """Take who covers positions."""
        self._manager = manager

    def move(self, held: PairState, trigger: float) -> bool:
        """Move the stop to a tighter trigger: the new one first, then the old one goes.

        Returns:
            Whether the new one stands. If not, the old one does.
        """
        with held.lock:
            before = held.trigger
            if held.required_stop is None or not self._manager.reconcile_stops(held):
                return False
            held.tighten(trigger)
            try:
                self._manager.place_missing(held, Purpose.STOP_MOVE)
            except Unplaced as refusal:
                held.trigger = before
                logger.warning("Stop of %s stays at %s: %s", held.pair, before, refusal)
                return False
            return self._manager.reconcile_stops(held)

    def loosen(self, held: PairState, trigger: float) -> bool:
        """Move the stop away from the price: the new one first, then the old one goes.

        Of several stops the tightest counts. So whatever ends this half-way leaves the old one.

        Returns:
            Whether the new one alone stands. If not, the old one does.
        """
        with held.lock:
            before, need = held.trigger, held.required_stop
            if need is None or not self._manager.reconcile_stops(held):
                return False
            old = [stop.order_id for stop in held.same_side_stops]
            try:
                left = need.amount
                for _ in range(parts(need)):
                    amount = min(left, need.largest)
                    part = replace(need, amount=amount, trigger=trigger)
                    self._manager.place(held, part, Purpose.STOP_MOVE)
                    left = subtract_exact(left, amount)
            except Unplaced as refusal:
                held.trigger = before
                logger.warning("Stop of %s stays at %s: %s", held.pair, before, refusal)
                self._manager.reconcile_stops(held)
                return False
            if all([self._manager.outcomes.cancel(held, order_id) for order_id in old]):
                return self._manager.reconcile_stops(held)
            self._manager.reconcile_stops(held)
            if standing := [stop.trigger for stop in held.unfired]:
                held.trigger = tightest(held.is_short, *standing)  # the last one may be the looser
            return False

    def trail(
        self, held: PairState, amount: float, callback_pct: float, activation: float | None
    ) -> bool:
        """Place a trailing stop beside the stop; return False if asking again is no use.

        The pair's lock is free meanwhile: the stop may need another while this one waits.
        """
        order = TrailingOrder(held.pair, held.is_short, amount, callback_pct, activation)
        try:
            trail = self._manager.placer.trailing(order)
        except Unplaced as refusal:
            logger.warning(
                "No trailing stop for %s, its stop stays: %s", symbol_of(held.pair), refusal
            )
            held.trailing_unsupported = refusal.step is Step.DISABLE
            return refusal.unanswered or refusal.passing
        logger.info(
            "[OK] Trailing stop placed for %s: order ID %s, callback %s %%",
            symbol_of(held.pair),
            trail.order_id,
            callback_pct,
        )
        with held.lock:
            if held.stop_of(trail.order_id) is None:  # else a look was faster
                held.trailing_stops.append(trail)
            held.touch()
            if held.required_stop is None:
                self._manager.reconcile_stops(held)
        return True

    def place_once(self, held: PairState) -> None:
        """Place a stop for the whole need; if it is refused, Freqtrade's own loop sees to it."""
        if held.required_stop is None or covered(held.required_stop, held.standing):
            return
        try:
            self._manager.place_missing(held, Purpose.STOP_OF_POSITION)
        except Unplaced as refusal:
            logger.warning("No stop for %s yet: %s", symbol_of(held.pair), refusal)
