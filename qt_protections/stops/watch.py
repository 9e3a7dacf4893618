"""Watches what is live on the exchange, between the bot's loops and in each of them.

Events of the user data stream are acted on as they come. A look compares everything that is live
with everything that should be; there is one after every (re)connection, one in each of the bot's
loops, and one a second while the stream is down.
"""

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable
from time import monotonic

from qt_protections.stops.book import Held
from qt_protections.stops.keeper import Keeper
from qt_protections.stops.line import CcxtOrder, LineError, Road
from qt_protections.stops.names import Role
from qt_protections.stops.order_events import OrderEvent
from qt_protections.stops.stop import Stop, guard_of

logger = logging.getLogger(__name__)

_GONE = frozenset({"CANCELED", "EXPIRED", "REJECTED"})
_FINAL = frozenset({"FILLED", "CANCELED", "EXPIRED", "EXPIRED_IN_MATCH", "REJECTED"})


class Watch:
    """Compares what is live with what should be, and has the keeper mend the difference."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper
        self.book = keeper.book

    @property
    def shut(self) -> bool:
        """Whether the exchange takes nothing at present: asking would make it longer."""
        return self._keeper.line.shut_s(Road.STOPS) > 0

    def ping(self) -> None:
        """Keep a connection to the exchange open, if it answers at all."""
        try:
            self._keeper.line.ping()
        except LineError as error:
            logger.debug("No answer to a ping: %s", error)  # who needs one will say so

    def look(self) -> None:
        """Compare all live stops of the account with the book, in one request.

        Raises:
            LineError: If the exchange does not answer; nothing was changed then.
        """
        as_of = monotonic()
        by_pair: defaultdict[str, list[CcxtOrder]] = defaultdict(list)
        for order in self._keeper.line.open_stops():
            by_pair[order["symbol"]].append(order)
        for pair in by_pair:
            self.book.of(pair)
        for held in self.book:
            self._by_itself(held, lambda held: self._compare(held, by_pair[held.pair], as_of))

    def look_at(self, held: Held) -> None:
        """Compare the live stops of one pair with the book.

        Raises:
            LineError: If the exchange does not answer; nothing was changed then.
        """
        as_of = monotonic()
        self._compare(held, self._keeper.line.open_stops(held.pair), as_of)

    def catch_up(self) -> None:
        """Find out what happened unheard.

        Raises:
            LineError: If the exchange does not answer.
        """
        for held in self.book:
            self._by_itself(held, self.ask_for_entries)
        self.look()

    def _by_itself(self, held: Held, act: Callable[[Held], None]) -> None:
        """Do something about a pair; what fails there keeps no other pair from it."""
        try:
            act(held)
        except LineError as error:
            logger.warning("Could not ask after %s: %s", held.pair, error)
        except Exception:
            logger.exception("[ALERT] %s could not be looked at; the next look does.", held.pair)

    def ask_for_entries(self, held: Held) -> None:
        """Ask what became of the entries of a pair whose stop has to follow their fill.

        Raises:
            LineError: If the exchange does not answer.
        """
        with held.lock:
            for intent in held.intents:
                if intent.beforehand or intent.final or not intent.order_id:
                    continue
                order = self._keeper.line.find_order(held.pair, order_id=intent.order_id)
                if order is not None:
                    held.touch()
                    intent.learn(order)
                    self._keeper.mend(held)

    def heard(self, event: OrderEvent) -> None:
        """Act on an event of the user data stream."""
        held = self.book.of(event.pair)
        with held.lock:
            if event.conditional:
                self._heard_of_stop(held, event)
            else:
                self._heard_of_order(held, event)

    def check_doubts(self, held: Held) -> None:
        """Ask again after what the exchange could not tell of, and mend what is not covered.

        Raises:
            LineError: If the exchange does not answer.
        """
        with held.lock:
            for intent in [intent for intent in held.intents if intent.lost]:
                if intent.age_s > self._keeper.line.arrives_within_s:
                    self._keeper.find_entry(held, intent)
            for stop in [*held.stops, *held.trails]:
                if stop.order_id in held.doubtful:
                    self._missing(held, stop)
            self._keeper.mend(held)

    def _compare(self, held: Held, listed: Iterable[CcxtOrder], as_of: float) -> None:
        with held.lock:
            if held.changed >= as_of:
                return  # the list was made before something was sent
            held.looked = as_of
            live = {str(order["id"]): order for order in listed}
            for order in live.values():
                self._take_up(held, order)
            others = [order for name, order in live.items() if held.stop_of(name) is None]
            guards = [guard_of(held.pair, order) for order in others]
            held.others = [guard for guard in guards if guard is not None]
            for stop in [*held.stops, *held.trails]:
                if stop.order_id not in live:
                    self._missing(held, stop)
            self._keeper.mend(held)

    def _take_up(self, held: Held, order: CcxtOrder) -> None:
        """Add a live stop to the book that an earlier run placed, or whose answer was lost."""
        order_id = str(order["id"])
        if held.stop_of(order_id) is not None:
            return
        name = self._keeper.namer.mine(order.get("clientOrderId"))
        if name is not None and name.role is Role.TRAILING:
            held.trails.append(Stop.of(held.pair, order, trigger=float("nan")))
        elif name is not None or order_id in held.claimed:
            stop = Stop.of(held.pair, order)
            held.stops.append(stop)
            held.stops.sort(key=lambda stop: stop.order.get("timestamp") or 0)
            if held.guessed and stop.is_short == held.is_short:
                held.trigger, held.guessed = stop.trigger, False

    def _missing(self, held: Held, stop: Stop) -> None:
        """Find out about a stop that is not listed.

        One the exchange cannot tell of is neither taken for live nor replaced blindly: only when it
        is unknown twice does another take its place. Were both live, the next look cancels one.
        """
        try:
            told = self._keeper.ask_after(held, stop)
        except LineError as error:
            logger.warning("Could not ask after stop %s of %s: %s", stop.order_id, held.pair, error)
            return
        if told:
            return
        if stop.order_id in held.doubtful:
            self._keeper.give_up(held, stop.order_id)
        else:
            held.doubtful.add(stop.order_id)

    def _heard_of_stop(self, held: Held, event: OrderEvent) -> None:
        if held.stop_of(event.order_id) is None:
            return
        if event.status in _GONE:
            held.touch()
            self._keeper.lost(held, event.order_id, f"{event.status} {event.reason}".strip())
        elif event.status == "FINISHED":
            held.touch()
            self._keeper.fired(held, event.order_id, event.child_id)

    def _heard_of_order(self, held: Held, event: OrderEvent) -> None:
        """Cover what an entry just filled; let go of what a dead entry needed."""
        intent = held.intent_of(event.order_id, event.client_id)
        if intent is None:
            return
        held.touch()
        intent.order_id = intent.order_id or event.order_id
        intent.filled = max(intent.filled, event.filled)
        intent.final = intent.final or event.status in _FINAL
        self._keeper.mend(held)
