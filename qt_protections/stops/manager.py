"""Keeps every position covered: places what is missing, cancels what is left over.

It works on what the book knows and touches no trade of Freqtrade's, so that any thread may call it
the moment something happens. What a trade has yet to learn waits in the book for the bot's loop.
"""

import logging
import re
from dataclasses import replace
from math import inf
from time import monotonic

from qt_protections.errors import EntryRefused, withhold_secrets
from qt_protections.rules.amounts import subtract_exact
from qt_protections.rules.denial import DenyCode, deny
from qt_protections.rules.entries import ApprovedEntry
from qt_protections.rules.pairs import symbol_of
from qt_protections.rules.retry_policy import Purpose, Refusal, Step
from qt_protections.rules.stop_plan import RequiredStop, covered, parts, plan
from qt_protections.settings import StopPlacement
from qt_protections.stops.close_booking import HISTORY_LAGS_S, CloseBooking
from qt_protections.stops.order_history import OrderHistory
from qt_protections.stops.placer import Placer, Unplaced
from qt_protections.stops.state.client_ids import Namer, Role
from qt_protections.stops.state.pair import PairState
from qt_protections.stops.state.pair_states import PairStates
from qt_protections.stops.state.pending_entry import PendingEntry
from qt_protections.stops.state.phases import StopEvent
from qt_protections.stops.state.stop import Stop, StopKind, StopStatus, child_id, stop_status
from qt_protections.stops.state.unbooked_fill import EMERGENCY
from qt_protections.stops.venue.protocol import (
    CcxtOrder,
    CloseOrder,
    RequestError,
    StopOrder,
    TrailingOrder,
    Venue,
)

logger = withhold_secrets(logging.getLogger(__name__))

#: Seconds for which a pair's stops are placed on the fill after the exchange refused one before it.
#: The refusal may have been for a passing state.
_ON_FILL_FOR_S = 900.0
#: Seconds between two lines in the log about a position that can neither be covered nor closed.
_SAY_EVERY_S = 10.0
#: Seconds a triggered stop counts as cover while the order that it became is not known to be over.
_TRIGGERED_S = 2.0
#: Why an entry is refused whose trade is gone.
TRADE_CLOSED = deny(DenyCode.TRADE_CLOSED, "the trade it adds to was closed meanwhile")
#: Binance's reason for a stop that found no position when it triggered.
_NO_POSITION = re.compile(r"reduce.?only", re.IGNORECASE)


class StopManager:
    """Covers entries, repairs what vanished, moves stops, closes what cannot be covered."""

    def __init__(
        self,
        book: PairStates,
        venue: Venue,
        namer: Namer,
        placer: Placer,
        placement: StopPlacement,
        naked_deadline_s: float = 5.0,
        *,
        at_hand_over: bool = False,
    ) -> None:
        """Take the tools.

        Args:
            book: What is known.
            venue: Where orders go.
            namer: Gives orders their client ids.
            placer: Sends what protects.
            placement: When a stop goes out.
            naked_deadline_s: Seconds after its first failed stop at which an uncovered position is
                closed at market.
            at_hand_over: Whether it is placed only once Freqtrade has worked out the amount: on
                spot the fee may be taken from it.
        """
        self.book = book
        self.venue = venue
        self.namer = namer
        self.history = OrderHistory(venue, namer)
        self.closes = CloseBooking(venue, self.history)
        self._placer = placer
        self._placement = placement
        self.naked_deadline_s = naked_deadline_s
        self._at_hand_over = at_hand_over
        self._fallen_back: dict[str, float] = {}

    # Entries

    def expect(self, approved: ApprovedEntry, base: float) -> PendingEntry:
        """Get a pair ready for an entry: with its stop live, if that is how the pair is covered.

        Args:
            approved: What is about to be sent, and where its stop has to stand.
            base: The position of the pair's trade, base currency; 0 without one.

        Raises:
            EntryRefused: If the stop was not accepted, or the position of the trade has been
                closed meanwhile; nothing is left behind then.
        """
        entry = approved.order
        held = self.book.of(entry.pair)
        with held.lock:
            if not base:
                held.forget_closes_of_trade()
            # What a stop closed is off the trade only when the trade has booked it.
            left = subtract_exact(base, *(fill.amount for fill in held.unbooked_fills))
            if base and not left:
                raise EntryRefused(entry.pair, TRADE_CLOSED)
            held.is_short, held.leverage, held.base = entry.is_short, entry.leverage, left
            if held.required_stop is None:
                held.trigger, held.trigger_inferred = 0.0, False
                held.begin_anew()
            held.tighten(approved.stop)
            pending = PendingEntry(
                entry, self.namer.new(Role.ENTRY, entry.pair), self.beforehand(entry.pair)
            )
            held.pending_entries.append(pending)
            held.touch()
            if pending.stop_first:
                self._stop_beforehand(held, pending)
        return pending

    def answered(self, pending: PendingEntry, order: CcxtOrder) -> None:
        """Take in an entry's answer, and make sure of the stop if anything filled."""
        held = self.book.of(pending.entry.pair)
        with held.lock:
            pending.learn(order)
            held.touch()
            try:
                need = held.required_stop
                # Only what may have been consumed is asked after: a missing stop goes out first.
                if pending.filled > 0 and need is not None and covered(need, held.standing):
                    self._make_sure(held)
                if not self._at_hand_over:
                    self.reconcile_stops(held)
            except RequestError as error:
                # The stop was accepted; the watch and the next loop look again.
                logger.warning("Could not ask after the stop of %s: %s", held.pair, error)

    def told(self, pair: str, order: CcxtOrder) -> None:
        """Take in an order that Freqtrade was told of: it acts on that before any event is heard.

        It replaces an entry as soon as that is cancelled, and the stop of the cancelled one, of
        another price, must not count for the next.
        """
        held = self.book.of(pair)
        with held.lock:
            pending = held.pending_of(str(order.get("id") or ""))
            if pending is not None and pending.learn(order):
                self.answered(pending, order)

    def refused(self, pending: PendingEntry) -> None:
        """Forget an entry that was certainly not executed, and withdraw what stood for it alone."""
        held = self.book.of(pending.entry.pair)
        with held.lock:
            held.pending_entries.remove(pending)
            held.touch()
            self.reconcile_stops(held)

    def find_entry(self, held: PairState, pending: PendingEntry) -> CcxtOrder | None:
        """Ask for an entry; one nobody knows of is forgotten once it can arrive no more.

        Raises:
            RequestError: If the exchange does not answer.
        """
        if pending.order_id:  # an entry of an earlier run has no other name
            order = self.venue.find_order(held.pair, order_id=pending.order_id)
        else:
            order = self.venue.find_order(held.pair, client_id=pending.client_id)
        # What was heard of arrived, though the exchange does not find it now.
        is_unheard = not (pending.order_id or pending.filled)
        if order is None and is_unheard and pending.age_s > self.venue.arrives_within_s:
            logger.info("The entry of %s was never executed.", symbol_of(held.pair))
            held.pending_entries.remove(pending)
        return order

    def lost_exit(self, pair: str, client_id: str) -> None:
        """Take note of an exit whose answer was lost: Freqtrade forgets it, and it may happen."""
        if self.venue.WATCHES:
            held = self.book.of(pair)
            with held.lock:
                held.exits[client_id] = monotonic()

    def heard_of_exit(self, held: PairState, client_id: str) -> None:
        """Take note of an exit that an earlier run sent: it may be on no record; lock is held."""
        name = self.namer.mine(client_id)
        is_exit = name is not None and name.role is Role.EXIT
        if is_exit and not self.namer.is_of_this_run(client_id):
            held.exits.setdefault(client_id, monotonic())

    # Cover

    def reconcile_stops(self, held: PairState) -> bool:
        """Place what is missing, then cancel what is left over; return whether all is well."""
        with held.lock:
            if plan(held.required_stop, held.standing).place is not None and not self._cover(held):
                return False
            if held.is_covered:
                held.naked_since = None
            return self._cancel_left_over(held)

    def _cancel_left_over(self, held: PairState) -> bool:
        """Cancel what protects nothing, one by one; return whether all of that is gone.

        A cancel may find that its stop has fired, upon which others are needed: what is left over
        is worked out anew before each.
        """
        tried: set[str] = set()
        is_gone = True
        while left_over := self._left_over(held) - tried:
            order_id = min(left_over)
            tried.add(order_id)
            is_gone = self.cancel(held, order_id) and is_gone
        return is_gone

    @staticmethod
    def _left_over(held: PairState) -> set[str]:
        inherited = {stop.order_id for stop in held.inherited}
        # A stop that has triggered may have closed a part only, and covers nothing any more.
        todo = plan(held.required_stop, held.unfired)
        if todo.place is not None:
            return set()  # first what is missing
        if held.more_shown:
            return {stop.order_id for stop in held.wrong_side_stops} - inherited
        found = {*todo.cancel, *(stop.order_id for stop in held.wrong_side_stops)}
        if held.required_stop is None:
            found |= {stop.order_id for stop in held.all_stops}
        return found - inherited

    def lost(self, held: PairState, order_id: str, how: str) -> None:
        """Replace a stop that is gone without having done its work."""
        with held.lock:
            if (stop := held.stop_of(order_id)) is None:
                return
            logger.warning(
                "[SHIELD] %s %s of %s is gone: %s",
                "Trailing stop" if stop.kind is StopKind.TRAILING else "Stop",
                order_id,
                symbol_of(held.pair),
                how,
            )
            held.drop(order_id)
            if _NO_POSITION.search(how):
                self.found_no_position(held)
                if not held.pending_entries:
                    self.closes.book(held)  # the engine saw no position: ask before placing again
            self.reconcile_stops(held)

    @staticmethod
    def found_no_position(held: PairState) -> None:
        """Note that the exchange's engine refused to reduce a position: it saw none."""
        with held.lock:
            held.denied += 1

    def give_up(self, held: PairState, order_id: str) -> None:
        """Replace a stop the exchange knows nothing of; should it stand all the same, it goes."""
        with held.lock:
            # What an earlier run's stop protects is not known: that one goes on proof alone.
            is_inherited = any(stop.order_id == order_id for stop in held.inherited)
            held.written_off[order_id] = monotonic() + HISTORY_LAGS_S
            self.lost(held, order_id, "the exchange knows nothing of it")
            if not is_inherited and self.may_cancel(held, order_id):
                self.cancel(held, order_id)

    def fired(self, held: PairState, order_id: str, child: str) -> None:
        """Take in that a stop triggered: what its child filled, and what is left to cover."""
        with held.lock:
            stop = held.stop_of(order_id)
            if stop is None:
                return
            stop.track.hear(StopEvent.TRIGGERED)  # the watch asks again until its order has ended
            order = self._find_child(held, child)
            if order is None or order["status"] == "open":
                if self._is_overdue(held, stop):
                    held.write_off(order_id, monotonic() + HISTORY_LAGS_S)
                    self.closes.book(held)
                    self.reconcile_stops(held)
                return
            amount = float(order.get("filled") or 0.0)
            if amount > held.own:
                self._learn_of_entries(held)
            order = held.own_part(order)
            is_anothers = amount and not order["filled"]
            if is_anothers or str(order["id"]) in held.booked:
                held.write_off(order_id)  # there is nothing to book, or the history told of it
                self.reconcile_stops(held)
                return
            held.drop(order_id, order)
            filled = held.book_fill(stop, order)
            if filled and (held.own_required_stop is None or stop.kind is StopKind.FIXED):
                self.closes.call_off(held)  # what waits would enter what is being left
            self.reconcile_stops(held)

    def _learn_of_entries(self, held: PairState) -> None:
        """Ask what entries filled: a stop that closed more than is known closed them as well.

        Heard of later, such a fill would count as a position that is not there.
        """
        try:
            self.history.refresh_entries(held)
        except RequestError as error:
            logger.warning("Could not ask for entries of %s: %s", symbol_of(held.pair), error)

    def _find_child(self, held: PairState, child: str) -> CcxtOrder | None:
        """Return the order a stop became; None while that is not known, or nobody answers."""
        try:
            return self.venue.find_order(held.pair, order_id=child) if child else None
        except RequestError as error:
            logger.warning("Could not ask for order %s of %s: %s", child, held.pair, error)
            return None

    def _is_overdue(self, held: PairState, stop: Stop) -> bool:
        """Whether a triggered stop protects no more, though nobody knows what its order did.

        That order is at market and fills within milliseconds. What closed the position after all is
        found in the order history, and a new stop takes no more than there is.
        """
        fired_at = stop.track.fired_at
        waited_s = 0.0 if fired_at is None else monotonic() - fired_at
        if waited_s < _TRIGGERED_S:
            return False
        logger.error(
            "[ALERT] Stop %s of %s triggered %.0f s ago, and the exchange does not tell what its "
            "order did: it counts as cover no more.",
            stop.order_id,
            symbol_of(held.pair),
            waited_s,
        )
        return True

    def move(self, held: PairState, trigger: float) -> bool:
        """Move the stop to a tighter trigger: the new one first, then the old one goes.

        Returns:
            Whether the new one stands. If not, the old one does.
        """
        with held.lock:
            before = held.trigger
            if held.required_stop is None or not self.reconcile_stops(held):
                return False
            held.tighten(trigger)
            try:
                self._place_missing(held, Purpose.STOP_MOVE)
            except Unplaced as refusal:
                held.trigger = before
                logger.warning("Stop of %s stays at %s: %s", held.pair, before, refusal)
                return False
            return self.reconcile_stops(held)

    def loosen(self, held: PairState, trigger: float) -> bool:
        """Move the stop away from the price: the new one first, then the old one goes.

        Of several stops the tightest counts. So whatever ends this half-way leaves the old one.

        Returns:
            Whether the new one alone stands. If not, the old one does.
        """
        with held.lock:
            before, need = held.trigger, held.required_stop
            if need is None or not self.reconcile_stops(held):
                return False
            old = [stop.order_id for stop in held.stops if stop.is_short == held.is_short]
            try:
                left = need.amount
                for _ in range(parts(need)):
                    amount = min(left, need.largest)
                    part = replace(need, amount=amount, trigger=trigger)
                    self._place(held, part, Purpose.STOP_MOVE, inf)
                    left = subtract_exact(left, amount)
            except Unplaced as refusal:
                held.trigger = before
                logger.warning("Stop of %s stays at %s: %s", held.pair, before, refusal)
                self.reconcile_stops(held)
                return False
            if all([self.cancel(held, order_id) for order_id in old]):
                return self.reconcile_stops(held)
            self.reconcile_stops(held)
            if held.active_stop is not None:
                held.trigger = held.active_stop.trigger
            return False

    def trail(
        self, held: PairState, amount: float, callback_pct: float, activation: float | None
    ) -> bool:
        """Place a trailing stop beside the stop; return False if asking again is no use.

        The pair's lock is free meanwhile: the stop may need another while this one waits.
        """
        order = TrailingOrder(held.pair, held.is_short, amount, callback_pct, activation)
        try:
            trail = self._placer.trailing(order)
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
                self.reconcile_stops(held)
        return True

    def place_once(self, held: PairState) -> None:
        """Place a stop for the whole need; if it is refused, Freqtrade's own loop sees to it."""
        if held.required_stop is None or covered(held.required_stop, held.standing):
            return
        try:
            self._place_missing(held, Purpose.STOP_OF_POSITION)
        except Unplaced as refusal:
            logger.warning("No stop for %s yet: %s", symbol_of(held.pair), refusal)

    def cancel(self, held: PairState, order_id: str) -> bool:
        """Cancel a stop that protects nothing any more; return whether it is gone."""
        with held.lock:
            try:
                if not self.venue.cancel(held.pair, order_id) and self._is_told_of(held, order_id):
                    return held.stop_of(order_id) is None
            except RequestError as error:
                logger.warning("Could not cancel stop %s of %s: %s", order_id, held.pair, error)
                return False
            held.drop(order_id)
            return True

    def _is_told_of(self, held: PairState, order_id: str) -> bool:
        """Whether the exchange tells what became of a stop it did not cancel: it may have fired."""
        if (stop := held.stop_of(order_id)) is not None:
            return self.ask_after(held, stop)
        # One of an earlier run that fired while no bot ran: its trade has it on record, and books
        # what it filled once the exchange names its order.
        order = self.venue.find_stop(held.pair, order_id=order_id)
        return order is not None and stop_status(order) is StopStatus.TRIGGERED

    def may_cancel(self, held: PairState, order_id: str) -> bool:
        """Whether what has to be covered stays so without this stop."""
        with held.lock:
            others = [stop for stop in held.unfired if stop.order_id != order_id]
            is_needed = held.required_stop is not None and not covered(held.required_stop, others)
            return not (is_needed or held.more_shown)

    # Steps

    def beforehand(self, pair: str) -> bool:
        """Whether a pair's stop stands before its entry goes out."""
        if self._placement == "auto":
            return monotonic() >= self._fallen_back.get(pair, 0.0)
        return self._placement == "before_entry"

    def _stop_beforehand(self, held: PairState, pending: PendingEntry) -> None:
        try:
            self._place_missing(held, Purpose.STOP_BEFORE_ENTRY)
        except Unplaced as refusal:
            if refusal.step is Step.ON_FILL and self._placement == "auto":
                logger.warning(
                    "%s takes no stop before its entry (%s): for %.0f minutes it is placed on the "
                    "fill.",
                    symbol_of(held.pair),
                    refusal,
                    _ON_FILL_FOR_S / 60,
                )
                self._fallen_back[held.pair] = monotonic() + _ON_FILL_FOR_S
                pending.stop_first = False
                return
            held.pending_entries.remove(pending)
            self.reconcile_stops(held)  # of several stops the first may stand
            told = str(refusal)
            denial = deny(DenyCode.STOP_REFUSED, f"no stop, no entry: {told}", refusal=told)
            raise EntryRefused(held.pair, denial) from refusal

    def _place_missing(self, held: PairState, purpose: Purpose, until: float = inf) -> None:
        """Place stops until what is needed is covered; more than one if one may not be so large.

        Raises:
            Unplaced: If one was not accepted.
        """
        most = parts(held.required_stop) if held.required_stop is not None else 0
        for _ in range(most):
            todo = plan(held.required_stop, held.standing)
            if todo.place is None:
                return
            self._place(held, todo.place, purpose, until)

    def _place(self, held: PairState, need: RequiredStop, purpose: Purpose, until: float) -> None:
        order = StopOrder(held.pair, need.is_short, need.amount, need.trigger, held.leverage)
        placed = self._placer.stop(order, purpose, until)
        held.stops = [*held.stops, placed.stop]
        held.trigger, held.trigger_inferred = placed.stop.trigger, False
        held.steps, held.latency_ms = list(placed.steps), placed.latency_ms
        held.passed_since = None
        held.touch()
        if stop_status(placed.stop.order) is StopStatus.TRIGGERED:
            self.fired(held, placed.stop.order_id, child_id(placed.stop.order))

    def _cover(self, held: PairState) -> bool:
        """Cover a position; close it if no stop stands in time.

        What keeps a stop from standing decides nothing: silence, a throttle and a ban leave the
        position as naked as a refusal. A definite refusal closes the position at once, everything
        else when `naked_deadline` is over.
        """
        self.book.of(held.pair)  # with the most one order may be, as the exchange has that now
        if not held.is_covered and held.naked_since is None:
            held.naked_since = monotonic()
        began = monotonic() if held.naked_since is None else held.naked_since
        until = began + self.naked_deadline_s
        try:
            self._place_missing(held, Purpose.STOP_OF_POSITION, until)
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
        if held.external_position is None and not held.trade_deleted:
            logger.warning("No stop of %s beyond what stands: %s", held.pair, refusal)
            return
        logger.error(
            "[ALERT] %s, a position without a trade, takes no stop: %s. It is left open.",
            symbol_of(held.pair),
            refusal,
        )

    def _suffices(self, held: PairState) -> bool:
        """Whether what filled of ours is covered; entries that could add to it are called off."""
        need = held.own_required_stop
        if need is not None and not covered(need, held.standing):
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
            self._ask_before_close(held, stop)
        need = held.own_required_stop
        if need is None or held.stops != standing:
            return  # the rest was seen to as one of them turned out to be over
        is_news = monotonic() >= held.quiet_until
        if is_news:
            held.quiet_until = monotonic() + _SAY_EVERY_S
            logger.error("[ALERT] EMERGENCY CLOSE %s: %s", symbol_of(held.pair), why)
        self.closes.call_off(held)
        try:
            self._close(held, need)
        except Unplaced as refusal:
            if not refusal.unanswered:
                self.closes.book(held)  # there may be nothing left to close
            if refusal.refusal is Refusal.NO_POSITION:
                self.found_no_position(held)
            held.steps += ["close at market failed", *refusal.steps]
            if is_news and held.own_required_stop is not None:
                logger.error(  # noqa: TRY400  the reason is in the text
                    "[ALERT] Could not close %s: %s. Trying again.", symbol_of(held.pair), refusal
                )
        else:
            held.quiet_until, held.naked_since = 0.0, None
            logger.warning("[OK] %s is closed at market.", symbol_of(held.pair))

    def _ask_before_close(self, held: PairState, stop: Stop) -> None:
        """Ask what became of a stop; the close goes out all the same if nobody answers."""
        try:
            self.ask_after(held, stop)
        except RequestError as error:
            logger.warning("Could not ask after the stop of %s: %s", held.pair, error)

    def _close(self, held: PairState, need: RequiredStop) -> None:
        """Close the need at market, in several orders if one may not be so large.

        Raises:
            Unplaced: If the exchange did not take one of them.
        """
        left = need.amount
        for _ in range(parts(need)):
            amount = min(left, need.largest)
            order = self._placer.close(CloseOrder(held.pair, need.is_short, amount, held.leverage))
            held.steps.append("closed at market")
            held.book_close(order, EMERGENCY)
            left = subtract_exact(left, amount)

    def _make_sure(self, held: PairState) -> None:
        """Ask whether the stop in front of a fill still stands: a trigger may have consumed it."""
        stop = held.active_stop
        if stop is not None and not self.ask_after(held, stop):
            stop.track.hear(StopEvent.UNKNOWN)

    def ask_after(self, held: PairState, stop: Stop) -> bool:
        """Ask what became of a stop and act on it; return False if the exchange cannot tell.

        Raises:
            RequestError: If the exchange does not answer.
        """
        order = self.venue.find_stop(held.pair, order_id=stop.order_id)
        if order is None:
            return False
        match stop_status(order):
            case StopStatus.LIVE:
                stop.track.hear(StopEvent.TOLD_LIVE)
            case StopStatus.TRIGGERED:
                self.fired(held, stop.order_id, child_id(order))
            case StopStatus.GONE:
                self.lost(held, stop.order_id, str(order["status"]))
        return True
