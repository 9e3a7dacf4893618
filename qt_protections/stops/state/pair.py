"""What the guard knows of each pair: what has to be covered, and what stands to cover it.

Several threads read and write it: the bot's loop, remote control, and the watch. Whoever looks at a
pair or sends something for it holds that pair's lock.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import inf
from time import monotonic

from qt_protections.rules.amounts import subtract_exact, sum_exact
from qt_protections.rules.exposure import Exposure
from qt_protections.rules.stop_plan import LiveStop, RequiredStop, covered, tightest
from qt_protections.stops.state.pending_entry import PendingEntry
from qt_protections.stops.state.phases import StopEvent
from qt_protections.stops.state.stop import Stop, StopKind, as_booked, filled_ms, part_of
from qt_protections.stops.state.unbooked_fill import (
    EMERGENCY,
    EXCHANGE_STOP,
    OF_ENTRIES,
    TRAILED,
    UnbookedFill,
)
from qt_protections.stops.venue.protocol import CcxtOrder, Position

#: Sums of lots may differ in their last binary digits.
_SAME = 1e-9
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
        unbooked_fills: What the trade has yet to book.
        known_to_freqtrade: Ids of the stops the trade believes are live.
        ended_orders: The last stops that are over, by id, as Freqtrade books them.
        children: Ids of the orders that stops of the position became.
        written_off: Stops that were dropped without what became of them: by id, until when the
            order history is asked for that, on this process's monotonic clock.
        booked_stops: Stops whose fill is on record: when they filled, epoch milliseconds; 0 once it
            is known what orders they became.
        parts: By order id, how much of an order closed the position; the rest was another's, or has
            a name of its own as a close of entries without a trade.
        heard: What others were heard to close, as long as it is not certain whose that was: by
            order id, how much that order filled, base currency.
        heard_until: When that is given up, on this process's monotonic clock.
        released: Ids of stops that stand no more and may still be live on the trade's record.
        trigger_inferred: Whether the trigger is worked out from Freqtrade's record: a live stop of
            this bot's knows better.
        largest: The most one order at market may be, base currency.
        opened_ms: Since when the exchange's orders may have closed the position without this
            process having heard, epoch milliseconds by its clock; 0 while unknown.
        on_record: Ids of the trade's orders.
        denied: How often the exchange's engine refused to reduce the position because it saw none,
            since a list last showed one.
        naked_since: When a stop of an uncovered position first failed, on the same clock.
        quiet_until: Until when a close that fails is no news.
        passed_since: Since when the price is beyond a trigger that does not fire.
        priced: When a price was last compared with the trigger, on the same clock.
        trailing_unsupported: Whether the exchange takes no trailing stop here, now or later.
        external_position: A position no trade accounts for.
        external_since_ms: When it was first seen, epoch milliseconds, early rather than late.
        external_stops: Live stops of others that could cover one.
        trade_deleted: Whether the trade of the position was deleted.
        more_shown: Whether the last list showed more than is accounted for, and may only be old.
        steps: What was done for the stop that stands, one line each.
        latency_ms: What it took to place it.
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
    unbooked_fills: list[UnbookedFill] = field(default_factory=list)
    known_to_freqtrade: frozenset[str] = frozenset()
    ended_orders: dict[str, CcxtOrder] = field(default_factory=dict)
    children: set[str] = field(default_factory=set)
    written_off: dict[str, float] = field(default_factory=dict)
    booked_stops: dict[str, int] = field(default_factory=dict)
    parts: dict[str, float] = field(default_factory=dict)
    heard: dict[str, float] = field(default_factory=dict)
    heard_until: float = 0.0
    released: set[str] = field(default_factory=set)
    trigger_inferred: bool = False
    largest: float = inf
    opened_ms: int = 0
    on_record: frozenset[str] = frozenset()
    denied: int = 0
    naked_since: float | None = None
    quiet_until: float = 0.0
    passed_since: float | None = None
    priced: float = -inf
    trailing_unsupported: bool = False
    external_position: Position | None = None
    external_since_ms: int = 0
    external_stops: list[Stop] = field(default_factory=list)
    trade_deleted: bool = False
    more_shown: bool = False
    steps: list[str] = field(default_factory=list)
    latency_ms: float = 0.0
    changed: float = 0.0
    looked: float = 0.0

    # Threads that only want to know whether there is work read these without the lock: each field
    # is read once, since the thread that holds the lock may change it in between.

    @property
    def is_empty(self) -> bool:
        """Whether nothing is held, waits or stands."""
        some = (
            self.base,
            self.stops,
            self.trailing_stops,
            self.pending_entries,
            self.external_position,
        )
        return not any(some)

    @property
    def is_let_go(self) -> bool:
        """Whether nothing is left of a trade either: there is nothing to let go of."""
        left = (
            self.unbooked_fills,
            self.known_to_freqtrade,
            self.released,
            self.trade_deleted,
            self.trigger,
            self.opened_ms,
        )
        return self.is_empty and not any(left)

    @property
    def outline(self) -> tuple[object, ...]:
        """What is shown of the pair, to tell whether that has changed."""
        return (
            self.pair,
            self.is_short,
            self.base,
            self.trigger,
            [stop.order_id for stop in self.all_stops],
            [
                (pending.order_id, pending.filled, pending.phase)
                for pending in list(self.pending_entries)
            ],
            self.external_position,
            self.is_in_doubt,
        )

    @property
    def is_under_way(self) -> bool:
        """Whether each of the bot's loops has something to go on with."""
        some = (
            self.pending_entries,
            self.exits,
            self.unbooked_fills,
            self.released,
            self.trade_deleted,
        )
        return any(some)

    @property
    def page(self) -> tuple[object, ...]:
        """What the bot's loop goes by beside the trades, and writes, while nothing is under way."""
        return (
            self.pair,
            self.is_short,
            self.base,
            self.trade_id,
            self.trigger,
            self.leverage,
            [_line(stop) for stop in self.all_stops],
            self.known_to_freqtrade,
            self.trigger_inferred,
            self.opened_ms,
            self.on_record,
            self.denied,
            self.trailing_unsupported,
            self.external_position,
            self.steps.copy(),
            self.latency_ms,
            self.changed,
        )

    @property
    def required_stop(self) -> RequiredStop | None:
        """What has to stand now: for the position, and for what entries under way may add."""
        stranger, waiting = self.external_position, list(self.pending_entries)
        amount = sum_exact(self.base, *(each.required_cover for each in waiting))
        if stranger is not None and not self._guards_of(stranger):
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

    def _guards_of(self, stranger: Position) -> list[Stop]:
        """Somebody else's live stops, if they cover the whole of a position without a trade."""
        found = [stop for stop in self.external_stops if stop.is_short == stranger.is_short]
        covered = sum(stop.amount for stop in found) >= stranger.amount * (1 - _SAME)
        return found if covered else []

    @property
    def standing(self) -> list[LiveStop]:
        """The live stops of the pair's side, as the rules see them."""
        return [stop.standing for stop in self.stops if stop.is_short == self.is_short]

    @property
    def unfired(self) -> list[LiveStop]:
        """The live stops of the pair's side that have not triggered, as the rules see them.

        A stop that triggered may have closed a part only, and covers nothing any more.
        """
        mine = [stop for stop in self.stops if stop.is_short == self.is_short]
        return [stop.standing for stop in mine if not stop.track.has_fired]

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
        mine = [stop for stop in self.stops if stop.is_short == self.is_short]
        return mine[-1] if mine else None

    def unaccounted(self, unbooked: Sequence[PendingEntry]) -> list[Exposure]:
        """Return what no trade accounts for: entries none has booked, and a stranger's part."""
        found = [self._exposure(pending.entry.amount, pending.entry.rate) for pending in unbooked]
        stranger = self.external_position
        if stranger is not None:
            own = self.base if stranger.is_short == self.is_short else 0.0
            if amount := subtract_exact(stranger.amount, own):
                found.append(self._strange_exposure(amount, stranger))
        return found

    def _exposure(self, amount: float, price: float) -> Exposure:
        return Exposure(self.pair, self.is_short, amount, price, self.trigger or price)

    def _strange_exposure(self, amount: float, stranger: Position) -> Exposure:
        stop = self.trigger or stranger.entry_price
        if guards := [guard.trigger for guard in self._guards_of(stranger)]:
            stop = max(guards) if stranger.is_short else min(guards)
        return Exposure(
            self.pair, self.is_short, amount, stranger.entry_price, stop, is_foreign=True
        )

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
            self.became(order_id, str(child["id"]))
        if (stop := self.stop_of(order_id)) is not None:
            stop.track.hear(StopEvent.DROPPED)
            self.ended_orders[order_id] = as_booked(stop.order, child)
            self.ended_orders = dict(list(self.ended_orders.items())[-_PAST:])
        self.stops = [stop for stop in self.stops if stop.order_id != order_id]
        self.trailing_stops = [stop for stop in self.trailing_stops if stop.order_id != order_id]
        self.released.add(order_id)
        self.touch()

    def became(self, order_id: str, child: str) -> None:
        """Note what order a stop became."""
        self.children.add(child)
        self.booked_stops[order_id] = 0

    def write_off(self, order_id: str, until: float = 0.0) -> None:
        """Forget a stop without what it became: the order history tells that."""
        self.written_off[order_id] = until
        self.drop(order_id)

    def own_part(self, order: CcxtOrder) -> CcxtOrder:
        """Return a stop's order as far as it closed this bot's trade.

        A stop covers what is on the pair, a stranger's part with it. It closes nothing of what is
        entered later, nor of what is held on the other side.
        """
        if order["side"] != ("buy" if self.is_short else "sell"):
            return part_of(order, 0.0)
        later = [
            pending.unbooked for pending in self.pending_entries if pending.at_ms > filled_ms(order)
        ]
        own = subtract_exact(self.own, *later)
        if later and not self.trade_deleted:
            return part_of(order, own)
        return order if self.external_position is None or not own else part_of(order, own)

    @property
    def booked(self) -> set[str]:
        """Ids of the orders that are known to have reduced the position."""
        return {
            *self.on_record,
            *self.children,
            *(str(fill.order["id"]) for fill in self.unbooked_fills),
        }

    def begin_anew(self) -> None:
        """Forget what was known of an earlier position of the pair."""
        self.opened_ms, self.naked_since = 0, None
        self.trade_id, self.on_record, self.known_to_freqtrade = None, frozenset(), frozenset()
        self.heard.clear()
        self._forget_orders()

    def book_fill(self, stop: Stop, child: CcxtOrder) -> float:
        """Take in what a triggered stop's order filled, and return how much; base currency."""
        amount = float(child.get("filled") or 0.0)
        reason = TRAILED if stop.kind is StopKind.TRAILING else ""
        of_entries = self._reduce(str(child["id"]), amount)
        if of_entries < amount and stop.order_id in self.ended_orders:
            self.ended_orders[stop.order_id] = as_booked(
                stop.order, part_of(child, subtract_exact(amount, of_entries))
            )
        if amount or not reason:
            self._add_fill(UnbookedFill(child, reason, stop), of_entries)
        return amount

    def book_close(self, order: CcxtOrder, reason: str = EMERGENCY) -> None:
        """Take in what an exit at market filled that its trade does not know of."""
        of_entries = self._reduce(str(order["id"]), float(order.get("filled") or 0.0))
        self._add_fill(UnbookedFill(order, reason), of_entries)
        self.touch()

    def _add_fill(self, fill: UnbookedFill, of_entries: float) -> None:
        """Have an order booked by the trades it closed: this one, and the one of its entries.

        Freqtrade knows each order once, so the part of the entries has a name of its own.
        """
        own = subtract_exact(fill.amount, of_entries)
        if not (own and of_entries):
            self.unbooked_fills.append(replace(fill, is_of_entries=of_entries > 0))
            return
        name = str(fill.order["id"])
        of_entries_name = f"{name}{OF_ENTRIES}"
        self.parts |= {name: own, of_entries_name: of_entries}
        order = {**part_of(fill.order, of_entries), "id": of_entries_name}
        self.unbooked_fills += [
            replace(fill, order=part_of(fill.order, own)),
            UnbookedFill(order, fill.reason or EXCHANGE_STOP, is_of_entries=True),
        ]

    def _reduce(self, order_id: str, amount: float) -> float:
        """Take what was closed off the size to cover; return how much of that entries filled."""
        self.heard.pop(order_id, None)
        self.base, further = subtract_exact(self.base, amount), subtract_exact(amount, self.base)
        of_entries = 0.0
        for pending in self.pending_entries:
            of_entries = sum_exact(of_entries, pending.close(subtract_exact(further, of_entries)))
        return of_entries

    @property
    def closed_entries(self) -> bool:
        """Whether something closed entries, in part or whole, that no trade has booked."""
        return any(pending.closed for pending in self.pending_entries)

    @property
    def ends_first(self) -> bool:
        """Whether a close of the trade waits: it would close what joins the trade as well."""
        return any(not fill.is_of_entries for fill in self.unbooked_fills)

    def forget_closes_of_trade(self) -> None:
        """Forget what closed a trade that is over: the next trade of the pair has no part in it."""
        self.unbooked_fills = [
            fill for fill in self.unbooked_fills if fill.is_of_entries and self.closed_entries
        ]

    def forget_earlier(self, began_ms: int) -> None:
        """Forget what filled before a trade's first order was sent, epoch milliseconds."""
        self.unbooked_fills = [
            fill
            for fill in self.unbooked_fills
            if fill.is_of_entries or filled_ms(fill.order) >= began_ms
        ]

    def forget_trade(self) -> None:
        """Forget what a trade that was deleted had on record: nothing is booked any more."""
        self.forget_closes_of_trade()
        self.trade_id, self.on_record = None, frozenset()
        self._forget_orders()

    def _forget_orders(self) -> None:
        self.children.clear()
        self.written_off.clear()
        self.booked_stops.clear()
        self.parts.clear()

    def tighten(self, trigger: float) -> None:
        """Move the wanted trigger toward the price; it never moves away while something stands."""
        known = [self.trigger] if self.trigger and self.required_stop else []
        self.trigger = tightest(self.is_short, trigger, *known)

    def deny(self) -> None:
        """Note that the exchange's engine refused to reduce a position: it saw none."""
        with self.lock:
            self.denied += 1

    def touch(self) -> None:
        """Note that something was sent or heard."""
        self.changed = monotonic()


def _line(stop: Stop) -> tuple[object, ...]:
    """Return what the bot's loop goes by of a stop."""
    track = stop.track
    return stop.order_id, stop.is_short, stop.amount, stop.trigger, track.phase, track.is_inherited
