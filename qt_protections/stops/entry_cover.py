"""Entries under way: each has its stop before it fills, or as soon as it fills."""

import logging
from time import monotonic

from qt_protections.errors import EntryRefused, withhold_secrets
from qt_protections.rules.amounts import subtract_exact
from qt_protections.rules.denial import DenyCode, deny
from qt_protections.rules.entries import ApprovedEntry
from qt_protections.rules.pairs import symbol_of
from qt_protections.rules.retry_policy import Purpose, Step
from qt_protections.rules.stop_plan import covered
from qt_protections.settings import StopPlacement
from qt_protections.stops.manager import StopManager
from qt_protections.stops.placer import Unplaced
from qt_protections.stops.state.booking import begin_anew, forget_closes_of_trade
from qt_protections.stops.state.client_ids import Role
from qt_protections.stops.state.pair import PairState
from qt_protections.stops.state.pending_entry import PendingEntry
from qt_protections.stops.venue.protocol import CcxtOrder, RequestError

logger = withhold_secrets(logging.getLogger(__name__))

#: Seconds for which a pair's stops are placed on the fill after the exchange refused one before it.
#: The refusal may have been for a passing state.
_ON_FILL_FOR_S = 900.0
#: Why an entry is refused whose trade is gone.
TRADE_CLOSED = deny(DenyCode.TRADE_CLOSED, "the trade it adds to was closed meanwhile")


class EntryCover:
    """Gets pairs ready for entries, and keeps what the entries fill covered.

    Attributes:
        manager: Covers positions.
    """

    def __init__(
        self, manager: StopManager, placement: StopPlacement, *, at_hand_over: bool = False
    ) -> None:
        """Take who places and cancels.

        Args:
            manager: Covers positions.
            placement: When a stop goes out.
            at_hand_over: Whether a stop is placed only once Freqtrade has worked out the amount: on
                spot the fee may be taken from it.
        """
        self.manager = manager
        self._book = manager.book
        self._venue = manager.venue
        self._namer = manager.namer
        self._placement = placement
        self._at_hand_over = at_hand_over
        self._fallen_back: dict[str, float] = {}

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
        held = self._book.of(entry.pair)
        with held.lock:
            if not base:
                forget_closes_of_trade(held)
            # What a stop closed is off the trade only when the trade has booked it.
            left = subtract_exact(base, *(fill.amount for fill in held.ledger.unbooked_fills))
            if base and not left:
                raise EntryRefused(entry.pair, TRADE_CLOSED)
            held.is_short, held.leverage, held.base = entry.is_short, entry.leverage, left
            if held.required_stop is None:
                held.trigger, held.trigger_inferred = 0.0, False
                begin_anew(held)
            held.tighten(approved.stop)
            pending = PendingEntry(
                entry, self._namer.new(Role.ENTRY, entry.pair), self.beforehand(entry.pair)
            )
            held.pending_entries.append(pending)
            held.touch()
            if pending.stop_first:
                self._stop_beforehand(held, pending)
        return pending

    def answered(self, pending: PendingEntry, order: CcxtOrder) -> None:
        """Take in an entry's answer, and make sure of the stop if anything filled."""
        held = self._book.of(pending.entry.pair)
        with held.lock:
            pending.learn(order)
            held.touch()
            try:
                need = held.required_stop
                # Only what may have been consumed is asked after: a missing stop goes out first.
                if pending.filled > 0 and need is not None and covered(need, held.standing):
                    self.manager.outcomes.make_sure(held)
                if not self._at_hand_over:
                    self.manager.reconcile_stops(held)
            except RequestError as error:
                # The stop was accepted; the watch and the next loop look again.
                logger.warning("Could not ask after the stop of %s: %s", held.pair, error)

    def told(self, pair: str, order: CcxtOrder) -> None:
        """Take in an order that Freqtrade was told of: it acts on that before any event is heard.

        It replaces an entry as soon as that is cancelled, and the stop of the cancelled one, of
        another price, must not count for the next.
        """
        held = self._book.of(pair)
        with held.lock:
            pending = held.pending_of(str(order.get("id") or ""))
            if pending is not None and pending.learn(order):
                self.answered(pending, order)

    def refused(self, pending: PendingEntry) -> None:
        """Forget an entry that was certainly not executed, and withdraw what stood for it alone."""
        held = self._book.of(pending.entry.pair)
        with held.lock:
            held.pending_entries.remove(pending)
            held.touch()
            self.manager.reconcile_stops(held)

    def find(self, held: PairState, pending: PendingEntry) -> CcxtOrder | None:
        """Ask for an entry; one nobody knows of is forgotten once it can arrive no more.

        Raises:
            RequestError: If the exchange does not answer.
        """
        if pending.order_id:  # an entry of an earlier run has no other name
            order = self._venue.find_order(held.pair, order_id=pending.order_id)
        else:
            order = self._venue.find_order(held.pair, client_id=pending.client_id)
        # What was heard of arrived, though the exchange does not find it now.
        is_unheard = not (pending.order_id or pending.filled)
        if order is None and is_unheard and pending.age_s > self._venue.arrives_within_s:
            logger.info("The entry of %s was never executed.", symbol_of(held.pair))
            held.pending_entries.remove(pending)
        return order

    def lost_exit(self, pair: str, client_id: str) -> None:
        """Take note of an exit whose answer was lost: Freqtrade forgets it, and it may happen."""
        if self._venue.WATCHES:
            held = self._book.of(pair)
            with held.lock:
                held.exits[client_id] = monotonic()

    def heard_of_exit(self, held: PairState, client_id: str) -> None:
        """Take note of an exit that an earlier run sent: it may be on no record; lock is held."""
        name = self._namer.mine(client_id)
        is_exit = name is not None and name.role is Role.EXIT
        if is_exit and not self._namer.is_of_this_run(client_id):
            held.exits.setdefault(client_id, monotonic())

    def beforehand(self, pair: str) -> bool:
        """Whether a pair's stop stands before its entry goes out."""
        if self._placement == "auto":
            return monotonic() >= self._fallen_back.get(pair, 0.0)
        return self._placement == "before_entry"

    def _stop_beforehand(self, held: PairState, pending: PendingEntry) -> None:
        try:
            self.manager.place_missing(held, Purpose.STOP_BEFORE_ENTRY)
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
            self.manager.reconcile_stops(held)  # of several stops the first may stand
            told = str(refusal)
            denial = deny(DenyCode.STOP_REFUSED, f"no stop, no entry: {told}", refusal=told)
            raise EntryRefused(held.pair, denial) from refusal
