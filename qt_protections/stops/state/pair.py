"""What the guard knows of each pair: what has to be covered, and what stands to cover it.

Several threads read and write it: the bot's loop, remote control, and the watch. Whoever looks at a
pair or sends something for it holds that pair's lock.
"""

import threading
from dataclasses import dataclass, field
from math import inf
from time import monotonic

from qt_protections.rules.amounts import subtract_exact, sum_exact
from qt_protections.rules.stop_plan import LiveStop, RequiredStop, covered, tightest
from qt_protections.stops.state.external import External
from qt_protections.stops.state.ledger import Ledger
from qt_protections.stops.state.pending_entry import PendingEntry
from qt_protections.stops.state.phases import StopEvent
from qt_protections.stops.state.stop import Stop, as_booked
from qt_protections.stops.state.trouble import Trouble
from qt_protections.stops.venue.protocol import CcxtOrder

#: How many stops that are over a pair remembers, should the exchange not answer when asked.
_PAST = 20


@dataclass(slots=True)
class PairState:
    """One pair.

    Attributes:
        base: The position as Freqtrade's trade books it, base currency.
        trade_id: Freqtrade's ID of that trade, the last one.
        trigger: Where its stop has to stand; 0 while nothing is known.
        leverage: Of the position.
        stops: Live stops, oldest first.
        trailing_stops: Live trailing stops.
        pending_entries: Entries under way.
        exits: Exits whose answer was lost: by client id, when they were sent, on this process's
            monotonic clock.
        ended_orders: The last stops that are over, by id, as Freqtrade books them.
        released: Ids of stops that stand no more and may still be live on the trade's record.
        trigger_inferred: Whether the trigger is worked out from Freqtrade's record: a live stop of
            this bot's knows better.
        largest: The most one order at market may be, base currency.
        opened_ms: Since when the exchange's orders may have closed the position without this
            process having heard, epoch milliseconds by its clock; 0 while unknown.
        trailing_unsupported: Whether the exchange takes no trailing stop here, now or later.
        trade_deleted: Whether the trade of the position was deleted.
        more_shown: Whether the last list showed more than is accounted for, and may only be old.
        steps: What was done for the stop that stands, one line each.
        latency_ms: What it took to place it.
        ledger: Which orders reduced the position, and what the trade has yet to book.
        trouble: What went wrong with the cover of the position.
        external: What somebody else holds, and somebody else's stops.
        changed: When something was sent or heard, on this process's monotonic clock.
        looked: When a list was asked for that what stands was last compared with, on that clock.
    """

    pair: str
    lock: threading.RLock = field(default_factory=threading.RLock, repr=False)
    is_short: bool = False
    base: float = 0.0
    trade_id: int | None = None
    trigger: float = 0.0
    leverage: float = 1.0
    stops: list[Stop] = field(default_factory=list)
    trailing_stops: list[Stop] = field(default_factory=list)
    pending_entries: list[PendingEntry] = field(default_factory=list)
    exits: dict[str, float] = field(default_factory=dict)
    ended_orders: dict[str, CcxtOrder] = field(default_factory=dict)
    released: set[str] = field(default_factory=set)
    trigger_inferred: bool = False
    largest: float = inf
    opened_ms: int = 0
    trailing_unsupported: bool = False
    trade_deleted: bool = False
    more_shown: bool = False
    steps: list[str] = field(default_factory=list)
    latency_ms: float = 0.0
    ledger: Ledger = field(default_factory=Ledger)
    trouble: Trouble = field(default_factory=Trouble)
    external: External = field(default_factory=External)
    changed: float = 0.0
    looked: float = 0.0

    @property
    def is_empty(self) -> bool:
        """Whether nothing is held, waits or stands."""
        stops = self.all_stops
        return not (self.base or stops or self.pending_entries or self.external.position)

    @property
    def required_stop(self) -> RequiredStop | None:
        """What has to stand now: for the position, and for what entries under way may add."""
        stranger, waiting = self.external.position, list(self.pending_entries)
        amount = sum_exact(self.base, *(each.required_cover for each in waiting))
        if stranger is not None and not self.external.cover:
            unfilled = [subtract_exact(each.required_cover, each.unbooked) for each in waiting]
            amount = max(amount, sum_exact(stranger.amount, *unfilled))
        return self._need(amount)

    @property
    def own_required_stop(self) -> RequiredStop | None:
        """What has to stand for what has filled of this bot's trades alone."""
        return self._need(self.own)

    def _need(self, amount: float) -> RequiredStop | None:
        trigger = self.trigger
        if amount > 0 and trigger:
            return RequiredStop(self.is_short, amount, trigger, self.largest)
        return None

    @property
    def own(self) -> float:
        """What this bot's trades hold, base currency."""
        base = 0.0 if self.trade_deleted else self.base
        return sum_exact(base, *(pending.unbooked for pending in list(self.pending_entries)))

    @property
    def known_since_ms(self) -> int:
        """Since when orders may have closed the position unheard; 0 while that is unknown."""
        sent = [pending.at_ms for pending in self.pending_entries if pending.at_ms]
        return self.opened_ms or min(sent, default=0)

    @property
    def same_side_stops(self) -> list[Stop]:
        """The live stops of the pair's side, oldest first, trailing ones aside."""
        return [stop for stop in self.stops if stop.is_short == self.is_short]

    @property
    def standing(self) -> list[LiveStop]:
        """The live stops of the pair's side, as the rules see them."""
        return [stop.standing for stop in self.same_side_stops]

    @property
    def unfired(self) -> list[LiveStop]:
        """The live stops of the pair's side that have not triggered, as the rules see them.

        A stop that triggered may have closed a part only, and covers nothing any more.
        """
        return [stop.standing for stop in self.same_side_stops if not stop.track.has_fired]

    @property
    def is_covered(self) -> bool:
        """Whether what has filled of this bot's trades is covered."""
        need = self.own_required_stop
        return need is None or covered(need, self.standing)

    @property
    def all_stops(self) -> list[Stop]:
        """The live stops of either side, and the trailing ones."""
        return [*self.stops, *self.trailing_stops]

    @property
    def is_in_doubt(self) -> bool:
        """Whether the exchange has to be asked what became of a stop."""
        return any(stop.track.is_in_doubt for stop in self.all_stops)

    @property
    def has_fired(self) -> bool:
        """Whether a stop triggered whose order's fill is not known yet."""
        return any(stop.track.has_fired for stop in self.all_stops)

    @property
    def inherited(self) -> list[Stop]:
        """Stops of an earlier run that nothing known explains."""
        return [stop for stop in self.all_stops if stop.track.is_inherited]

    @property
    def wrong_side_stops(self) -> list[Stop]:
        """Live stops that could only hit a position of the other side."""
        return [s for s in self.all_stops if s.is_short != self.is_short]

    @property
    def active_stop(self) -> Stop | None:
        """The stop that counts: the last one placed."""
        return next(reversed(self.same_side_stops), None)

    def pending_of(self, order_id: str, client_id: str = "") -> PendingEntry | None:
        """Return the entry with one of these names."""
        return next(
            (
                pending
                for pending in self.pending_entries
                if (order_id and pending.order_id == order_id)
                or (client_id and pending.client_id == client_id)
            ),
            None,
        )

    def stop_of(self, order_id: str) -> Stop | None:
        """Return the live stop, or trailing stop, with this id."""
        return next((s for s in self.all_stops if s.order_id == order_id), None)

    def drop(self, order_id: str, child: CcxtOrder | None = None) -> None:
        """Forget a stop, or a trailing stop, that no longer stands; `child` is what it became."""
        if child is not None:
            self.ledger.became(order_id, str(child["id"]))
        if (stop := self.stop_of(order_id)) is not None:
            stop.track.hear(StopEvent.DROPPED)
            self.ended_orders[order_id] = as_booked(stop.order, child)
            self.ended_orders = dict(list(self.ended_orders.items())[-_PAST:])
        self.stops = [stop for stop in self.stops if stop.order_id != order_id]
        self.trailing_stops = [stop for stop in self.trailing_stops if stop.order_id != order_id]
        self.released.add(order_id)
        self.touch()

    def write_off(self, order_id: str, until: float = 0.0) -> None:
        """Forget a stop without what it became: the order history tells that."""
        self.ledger.written_off[order_id] = until
        self.drop(order_id)

    @property
    def closed_entries(self) -> bool:
        """Whether something closed entries, in part or whole, that no trade has booked."""
        return any(pending.closed for pending in self.pending_entries)

    def tighten(self, trigger: float) -> None:
        """Move the wanted trigger toward the price; it never moves away while something stands."""
        known = [self.trigger] if self.trigger and self.required_stop else []
        self.trigger = tightest(self.is_short, trigger, *known)

    def touch(self) -> None:
        """Note that something was sent or heard."""
        self.changed = monotonic()
