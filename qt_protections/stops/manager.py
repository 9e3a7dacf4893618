"""Keeps every position covered: places what is missing, cancels what is left over.

It works on what the book knows and touches no trade of Freqtrade's, so that any thread may call it
the moment something happens. What a trade has yet to learn waits in the book for the bot's loop.
"""

import logging
from math import inf
from time import monotonic

from qt_protections.errors import withhold_secrets
from qt_protections.rules.pairs import symbol_of
from qt_protections.rules.retry_policy import Purpose
from qt_protections.rules.stop_plan import RequiredStop, parts
from qt_protections.stops.close_booking import CloseBooking
from qt_protections.stops.emergency import EmergencyClose
from qt_protections.stops.order_history import OrderHistory
from qt_protections.stops.outcomes import StopOutcomes
from qt_protections.stops.placer import Placer, Unplaced
from qt_protections.stops.state.acts import left_over, missing
from qt_protections.stops.state.client_ids import Namer
from qt_protections.stops.state.pair import PairState
from qt_protections.stops.state.pair_states import PairStates
from qt_protections.stops.state.stop import StopStatus, child_id, stop_status
from qt_protections.stops.venue.protocol import StopOrder, Venue

logger = withhold_secrets(logging.getLogger(__name__))


class StopManager:
    """Covers positions, and closes what cannot be covered.

    Attributes:
        book: What is known of each pair.
        venue: Where orders go.
        namer: Gives orders their client ids.
        placer: Sends what protects.
        history: Which orders reduced a position.
        closes: Books what such orders closed.
        outcomes: Finds out what became of stops.
        naked_deadline_s: Seconds after its first failed stop at which an uncovered position is
            closed at market.
    """

    def __init__(
        self,
        book: PairStates,
        venue: Venue,
        namer: Namer,
        placer: Placer,
        naked_deadline_s: float = 5.0,
    ) -> None:
        """Take the tools, see the attributes."""
        self.book = book
        self.venue = venue
        self.namer = namer
        self.naked_deadline_s = naked_deadline_s
        self.history = OrderHistory(venue, namer)
        self.closes = CloseBooking(venue, self.history)
        self.outcomes = StopOutcomes(venue, self.history, self.closes, self.reconcile_stops)
        self.placer = placer
        self._emergency = EmergencyClose(placer, self.closes)

    def reconcile_stops(self, held: PairState) -> bool:
        """Place what is missing, then cancel what is left over; return whether all is well."""
        with held.lock:
            if missing(held) is not None and not self._cover(held):
                return False
            if held.is_covered:
                held.trouble.naked_since = None
            return self._cancel_left_over(held)

    def _cancel_left_over(self, held: PairState) -> bool:
        """Cancel what protects nothing, one by one; return whether all of that is gone.

        A cancel may find that its stop has fired, upon which others are needed: what is left over
        is worked out anew before each.
        """
        tried: set[str] = set()
        is_gone = True
        while todo := left_over(held) - tried:
            order_id = min(todo)
            tried.add(order_id)
            is_gone = self.outcomes.cancel(held, order_id) and is_gone
        return is_gone

    def place_missing(self, held: PairState, purpose: Purpose, until: float = inf) -> None:
        """Place stops until what is needed is covered; more than one if one may not be so large.

        Raises:
            Unplaced: If one was not accepted.
        """
        most = parts(held.required_stop) if held.required_stop is not None else 0
        for _ in range(most):
            todo = missing(held)
            if todo is None:
                return
            self.place(held, todo, purpose, until)

    def place(
        self, held: PairState, need: RequiredStop, purpose: Purpose, until: float = inf
    ) -> None:
        """Place one stop.

        Args:
            held: The pair; its lock is held.
            need: Size and trigger.
            purpose: What the stop is for.
            until: When to stop trying, on this process's monotonic clock.

        Raises:
            Unplaced: If the exchange did not accept the stop.
        """
        order = StopOrder(held.pair, need.is_short, need.amount, need.trigger, held.leverage)
        placed = self.placer.stop(order, purpose, until)
        held.stops = [*held.stops, placed.stop]
        held.trigger, held.trigger_inferred = placed.stop.trigger, False
        held.steps, held.latency_ms = list(placed.steps), placed.latency_ms
        held.trouble.passed_since = None
        held.touch()
        if stop_status(placed.stop.order) is StopStatus.TRIGGERED:
            self.outcomes.fired(held, placed.stop.order_id, child_id(placed.stop.order))

    def _cover(self, held: PairState) -> bool:
        """Cover a position; close it if no stop stands in time.

        What keeps a stop from standing decides nothing: silence, a throttle and a ban leave the
        position as naked as a refusal. A definite refusal closes the position at once, everything
        else when `naked_deadline` is over.
        """
        self.book.of(held.pair)  # with the most one order may be, as the exchange has that now
        if not held.is_covered and held.trouble.naked_since is None:
            held.trouble.naked_since = monotonic()
        began = monotonic() if held.trouble.naked_since is None else held.trouble.naked_since
        until = began + self.naked_deadline_s
        try:
            self.place_missing(held, Purpose.STOP_OF_POSITION, until)
        except Unplaced as refusal:
            held.steps = list(refusal.steps)
            if self._suffices(held):
                self._say_uncovered(held, refusal)
                return True
            if refusal.unanswered and monotonic() < until:
                logger.error(  # noqa: TRY400  the reason is in the text
                    "[ALERT] %s is not covered, the exchange does not answer: %s. Trying again; "
                    "closing at market in %.1f s.",
                    symbol_of(held.pair),
                    refusal,
                    until - monotonic(),
                )
                return False
            self._emergency_close(held, str(refusal))
            return False
        return True

    @staticmethod
    def _say_uncovered(held: PairState, refusal: Unplaced) -> None:
        if held.external.position is None and not held.trade_deleted:
            logger.warning("No stop of %s beyond what stands: %s", held.pair, refusal)
            return
        logger.error(
            "[ALERT] %s, a position without a trade, takes no stop: %s. It is left open.",
            symbol_of(held.pair),
            refusal,
        )

    def _suffices(self, held: PairState) -> bool:
        """Whether what filled of ours is covered; entries that could add to it are called off."""
        if not held.is_covered:
            return False
        self.closes.call_off(held)
        return True

    def does_not_fire(self, held: PairState) -> None:
        """Close a position whose stop does not trigger though the price is beyond."""
        self._emergency_close(held, "the price is beyond its stop, which does not trigger")
        self.reconcile_stops(held)

    def _emergency_close(self, held: PairState, why: str) -> None:
        """Close at market at once; but nobody else's position.

        A stop that fired unheard has closed what would be closed once more, of somebody else's.
        """
        standing = held.stops
        for stop in standing:
            # The close goes out all the same if nobody answers.
            self.outcomes.try_to_ask_after(held, stop)
        need = held.own_required_stop
        if need is None or held.stops != standing:
            return  # the rest was seen to as one of them turned out to be over
        self._emergency.close(held, need, why)
