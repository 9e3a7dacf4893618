"""Watches what is live on the exchange, between the bot's loops and in each of them.

Events of the user data stream are acted on as they come. A look compares everything that is live
with everything that should be; there is one after every (re)connection, and others as often as
`rules/look_interval.py` says.
"""

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable
from math import inf
from time import monotonic

from qt_protections.errors import withhold_secrets
from qt_protections.stops.entry_cover import EntryCover
from qt_protections.stops.monitor.events import EventHandler
from qt_protections.stops.monitor.trigger_check import TriggerCheck
from qt_protections.stops.state.client_ids import Role
from qt_protections.stops.state.pair import PairState
from qt_protections.stops.state.phases import StopEvent
from qt_protections.stops.state.stop import Stop, StopKind, StopStatus, guard_of, stop_status
from qt_protections.stops.venue.binance.order_events import OrderEvent
from qt_protections.stops.venue.protocol import CcxtOrder, Rank, RequestError, Road

logger = withhold_secrets(logging.getLogger(__name__))

#: Seconds for which lists must not have shown a stop that nobody tells of, for another to take its
#: place. Lists lag, and two stops are better than none.
_UNLISTED_S = 4.0


class StopWatch:
    """Compares what is live with what should be, and has the manager mend the difference.

    Attributes:
        book: What is known of each pair.
        triggers: Compares prices with the triggers of stops.
        looked: When all live stops of the account were last asked for, monotonic seconds.
        filled: When the stream last told that an order filled, whoever sent it; likewise.
    """

    def __init__(self, cover: EntryCover) -> None:
        self._cover = cover
        self._manager = cover.manager
        self._outcomes = cover.manager.outcomes
        self._events = EventHandler(cover)
        self.triggers = TriggerCheck(cover.manager)
        self.book = cover.manager.book
        self.looked = self.filled = -inf

    @property
    def shut(self) -> bool:
        """Whether the exchange takes nothing at present: asking would make it longer."""
        return self._manager.venue.shut_s(Road.STOPS) > 0

    @property
    def may_compare(self) -> bool:
        """Whether what the exchange allows leaves room for looking."""
        return self._manager.venue.has_room(Rank.COMPARE)

    def ping(self, idle_s: float) -> None:
        """Keep a connection open, if the exchange answers at all; see `Venue.ping`."""
        try:
            self._manager.venue.ping(idle_s)
        except RequestError as error:
            logger.debug("No answer to a ping: %s", error)  # who needs one will say so

    def look(self) -> None:
        """Compare all live stops of the account with the book, in one request.

        Raises:
            RequestError: If the exchange does not answer; nothing was changed then.
        """
        as_of = monotonic()
        by_pair: defaultdict[str, list[CcxtOrder]] = defaultdict(list)
        listed = self._manager.venue.open_stops()
        self.looked = as_of
        self.book.conditional_orders = len(listed)
        for order in listed:
            by_pair[order["symbol"]].append(order)
        for pair in by_pair:
            self.book.of(pair)
        for held in self.book:
            self._by_itself(held, lambda held: self._compare(held, by_pair[held.pair], as_of))

    def look_at(self, held: PairState) -> None:
        """Compare the live stops of one pair with the book.

        Raises:
            RequestError: If the exchange does not answer; nothing was changed then.
        """
        as_of = monotonic()
        self._compare(held, self._manager.venue.open_stops(held.pair), as_of)

    def catch_up(self) -> None:
        """Find out what happened unheard.

        Raises:
            RequestError: If the exchange does not answer.
        """
        for held in self.book:
            self._by_itself(held, self.ask_for_entries)
        self.look()

    def _by_itself(self, held: PairState, act: Callable[[PairState], None]) -> None:
        """Do something about a pair; what fails there keeps no other pair from it."""
        try:
            act(held)
        except RequestError as error:
            logger.warning("Could not ask after %s: %s", held.pair, error)
        except Exception:
            logger.exception("[ALERT] %s could not be looked at; the next look does.", held.pair)

    def ask_for_entries(self, held: PairState) -> None:
        """Ask what became of the entries of a pair whose stop has to follow their fill.

        Raises:
            RequestError: If the exchange does not answer.
        """
        with held.lock:
            for pending in held.pending_entries:
                if pending.stop_first or pending.is_final or not pending.order_id:
                    continue
                order = self._manager.venue.find_order(held.pair, order_id=pending.order_id)
                # Asking alone is no news: else one that rests would put off all comparisons.
                if order is not None and pending.learn(order):
                    held.touch()
                    self._manager.reconcile_stops(held)

    def heard(self, event: OrderEvent) -> None:
        """Act on an event of the user data stream."""
        held = self.book.of(event.pair)
        if event.filled > 0:
            self.filled = monotonic()
        with held.lock:
            if event.conditional:
                self._events.heard_of_stop(held, event)
            else:
                self._events.heard_of_order(held, event)

    def check_doubts(self, held: PairState) -> None:
        """Ask again after what the exchange could not tell of, and mend what is not covered.

        What is not covered is mended even if the questions fail: they go to other services.

        Raises:
            RequestError: If the exchange does not answer.
        """
        with held.lock:
            for stop in held.all_stops:
                if stop.track.is_in_doubt:
                    self._missing(held, stop)
            self._manager.closes.book_heard(held)
            self._manager.closes.book_written_off(held)
            self._manager.reconcile_stops(held)
            for pending in [pending for pending in held.pending_entries if pending.is_lost]:
                if pending.age_s > self._manager.venue.arrives_within_s:
                    self._cover.find(held, pending)
                    self._manager.reconcile_stops(held)

    def _compare(self, held: PairState, listed: Iterable[CcxtOrder], as_of: float) -> None:
        with held.lock:
            if held.changed >= as_of:
                return  # the list was made before something was sent
            held.looked = as_of
            live = {str(order["id"]): order for order in listed}
            for order in live.values():
                self._take_up(held, order)
            others = [order for name, order in live.items() if held.stop_of(name) is None]
            guards = [guard_of(held.pair, order) for order in others]
            held.external.stops = [guard for guard in guards if guard is not None]
            for stop in held.all_stops:
                if stop.order_id in live:
                    stop.track.unlisted_since = None
                else:
                    stop.track.unlisted_since = stop.track.unlisted_since or as_of
                    self._missing(held, stop)
            self._manager.reconcile_stops(held)

    def _take_up(self, held: PairState, order: CcxtOrder) -> None:
        """Add a live stop to the book that an earlier run placed, or whose answer was lost."""
        order_id = str(order["id"])
        if held.stop_of(order_id) is not None or self._is_over(held, order_id):
            return
        name = self._manager.namer.mine(order.get("clientOrderId"))
        if name is None and order_id not in held.ledger.known_to_freqtrade:
            return
        is_trailing = name is not None and name.role is Role.TRAILING
        stop = (Stop.trailing if is_trailing else Stop.of)(held.pair, order)
        if not (
            order_id in held.ledger.known_to_freqtrade
            or self._manager.namer.is_of_this_run(order["clientOrderId"])
        ):
            stop.track.is_inherited = True
        if stop.kind is StopKind.TRAILING:
            held.trailing_stops = [*held.trailing_stops, stop]
            return
        stops = [*held.stops, stop]
        held.stops = sorted(stops, key=lambda stop: stop.order.get("timestamp") or 0)
        if held.trigger_inferred and stop.is_short == held.is_short:
            held.trigger, held.trigger_inferred = stop.trigger, False

    def _is_over(self, held: PairState, order_id: str) -> bool:
        """Whether a listed stop has ended: a list may be older than what this process heard."""
        if order_id not in held.ended_orders:
            return False
        try:
            order = self._manager.venue.find_stop(held.pair, order_id=order_id)
        except RequestError as error:
            logger.warning("Could not ask after stop %s of %s: %s", order_id, held.pair, error)
            return True  # the next list tells
        return order is not None and stop_status(order) is not StopStatus.LIVE

    def _missing(self, held: PairState, stop: Stop) -> None:
        """Find out about a stop that is not listed.

        One the exchange cannot tell of is neither taken for live nor replaced blindly: only when it
        is unknown twice does another take its place. Were both live, the next look cancels one.
        Where nobody answers, the lists decide once they have not shown the stop for a while.
        """
        is_told = self._outcomes.try_to_ask_after(held, stop)
        if is_told is None and stop.track.has_fired:
            # It was heard to trigger, and covers nothing soon, whether or not anybody answers.
            self._outcomes.fired(held, stop.order_id, child="")
            return
        if is_told or (is_told is None and not _is_long_unlisted(stop)):
            return
        if stop.track.is_in_doubt or is_told is None:
            self._outcomes.give_up(held, stop.order_id)
        else:
            stop.track.hear(StopEvent.UNKNOWN)


def _is_long_unlisted(stop: Stop) -> bool:
    """Whether lists have not shown a stop for a while; an earlier run's goes on proof alone."""
    since = stop.track.unlisted_since
    if since is None or stop.track.is_inherited:
        return False
    return monotonic() - since >= _UNLISTED_S
