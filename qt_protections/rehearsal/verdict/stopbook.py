"""Conditional orders as the journal tells of them: the live, the orphans, and how they end."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

from qt_protections.rehearsal.engine.orders import AlgoType
from qt_protections.rehearsal.journal import Event, EventKind
from qt_protections.rehearsal.market.book import Side
from qt_protections.rehearsal.verdict.report import Orphan, OrphanCounts, StopCounts

STOP_TYPES = frozenset(kind for kind in AlgoType if kind.is_stop)
#: The count of `StopCounts` an event ends a stop in; a finished one may have left a rest.
OUTCOMES: dict[EventKind, str] = {
    EventKind.STOP_CANCELED: "canceled",
    EventKind.STOP_WITHDRAWN: "withdrawn",
    EventKind.STOP_EXPIRED: "expired",
    EventKind.STOP_REFUSED_AT_TRIGGER: "rejected_at_trigger",
    EventKind.STOP_FINISHED: "filled",
}
STOP_ENDS = frozenset({*OUTCOMES, EventKind.STOP_RELEASED})


class Spell(NamedTuple):
    """A time of a reducing order without a position: its start (epoch milliseconds) and kind."""

    since_ms: int
    left_over: bool


@dataclass(slots=True)
class Stop:
    """A conditional order from its acceptance on.

    Attributes:
        accepted: Its acceptance.
        met_position: Whether there was a position it could reduce.
        spell: As an orphan, None while it is not one.
        left_rest: Whether the order its trigger sent ended before it was filled.
    """

    accepted: Event
    met_position: bool = False
    spell: Spell | None = None
    left_rest: bool = False

    @property
    def is_stop(self) -> bool:
        """Whether it is a stop, not a take-profit or trailing stop."""
        return self.accepted.type in STOP_TYPES

    def is_orphan(self, closing_side: Side | None) -> bool:
        """Say whether it can only reduce, but no position whose closing orders are of that side."""
        return bool(self.accepted.reduce_only) and self.accepted.side is not closing_side

    def covers(self, closing_side: Side) -> bool:
        """Say whether it protects a position whose closing orders are of that side."""
        event = self.accepted
        return self.is_stop and bool(event.reduce_only) and event.side is closing_side


class Cover(NamedTuple):
    """What protects a position.

    Attributes:
        quantity: Base units covered, at most the position's.
        stops: Acceptances of the stops that do it, oldest first.
        completed_by: Acceptance of the stop that completes it, None if it is not complete.
    """

    quantity: Decimal
    stops: tuple[Event, ...]
    completed_by: Event | None


@dataclass(slots=True)
class OrphanSpells:
    """Spells of orders as orphans that are over."""

    past: int = 0
    left_over_past: int = 0
    total_ms: int = 0
    longest_ms: int = 0
    left_over_longest_ms: int = 0

    def add(self, stop: Stop, until_ms: int) -> None:
        """End the spell of `stop`, if it is in one, at `until_ms`."""
        if stop.spell is None:
            return
        (since_ms, left_over), stop.spell = stop.spell, None
        ms = until_ms - since_ms
        self.past += 1
        self.total_ms += ms
        self.longest_ms = max(self.longest_ms, ms)
        if left_over:
            self.left_over_past += 1
            self.left_over_longest_ms = max(self.left_over_longest_ms, ms)


@dataclass(slots=True)
class StopBook:
    """Every live conditional order, and the counts of those that are done.

    Attributes:
        counts: Outcomes of stops, without those still live or working.
        spells: Orphans of the past.
    """

    counts: StopCounts = field(default_factory=lambda: StopCounts(rejections={}))
    spells: OrphanSpells = field(default_factory=OrphanSpells)
    _live: dict[str, dict[int, Stop]] = field(default_factory=dict)
    _working: dict[int, Stop] = field(default_factory=dict)

    def live(self, symbol: str) -> Iterator[Stop]:
        """Yield the orders of `symbol` whose trigger has sent nothing yet, oldest first."""
        yield from self._live.get(symbol, {}).values()

    def find(self, event: Event) -> Stop | None:
        """Return the order an event belongs to, if it is live or working."""
        if event.algo_id is None:
            return None
        live = self._live.get(event.symbol, {}).get(event.algo_id)
        return self._working.get(event.algo_id) if live is None else live

    def accept(self, event: Event) -> None:
        """Take in an accepted order."""
        if event.algo_id is None:
            return
        stop = Stop(event)
        self._live.setdefault(event.symbol, {})[event.algo_id] = stop
        if stop.is_stop:
            self.counts.requested += 1
            self.counts.accepted += 1

    def reject(self, event: Event) -> None:
        """Count a refused order, or one that was dead on arrival."""
        if event.type in STOP_TYPES:
            self.counts.requested += 1
            self.counts.rejected += 1
            rejections = self.counts.rejections
            rejections[event.refusal] = rejections.get(event.refusal, 0) + 1

    def end(self, event: Event) -> Stop | None:
        """Take an order that ended, or whose trigger has sent its order, from the live ones."""
        stop = self.find(event)
        if stop is None or event.algo_id is None:
            return None
        self._live.get(event.symbol, {}).pop(event.algo_id, None)
        self._working.pop(event.algo_id, None)
        self.spells.add(stop, event.ms)
        if event.kind is EventKind.STOP_RELEASED:
            self._working[event.algo_id] = stop
        elif stop.is_stop:
            finished = event.kind is EventKind.STOP_FINISHED
            outcome = "unfilled" if finished and stop.left_rest else OUTCOMES[event.kind]
            setattr(self.counts, outcome, getattr(self.counts, outcome) + 1)
        return stop

    def judge_orphans(self, symbol: str, closing_side: Side | None, ms: int) -> None:
        """Begin and end orphan spells in `symbol` at `ms`.

        Args:
            symbol: Exchange name.
            closing_side: Side of orders that reduce its position, None if there is no position.
            ms: Epoch milliseconds.
        """
        for stop in self.live(symbol):
            if not stop.is_orphan(closing_side):
                self.spells.add(stop, ms)
            elif stop.spell is None or stop.spell.left_over is not stop.met_position:
                self.spells.add(stop, ms)
                stop.spell = Spell(ms, stop.met_position)

    def stop_counts(self) -> StopCounts:
        """Return the outcomes so far, live and working stops included."""
        live = sum(stop.is_stop for stops in self._live.values() for stop in stops.values())
        working = sum(stop.is_stop for stop in self._working.values())
        counts = self.counts.model_copy(deep=True)
        counts.live, counts.working = live, working
        return counts

    def orphans(self, closing_sides: Mapping[str, Side], now_ms: int) -> list[Orphan]:
        """Return the orphans of now.

        Args:
            closing_sides: Side of orders that reduce the position of each symbol that has one.
            now_ms: Epoch milliseconds.
        """
        return [
            _orphan(stop, now_ms)
            for symbol, stops in self._live.items()
            for stop in stops.values()
            if stop.is_orphan(closing_sides.get(symbol))
        ]

    def orphan_counts(self, present: list[Orphan], now_ms: int) -> tuple[OrphanCounts, float]:
        """Return present and past orphans as counts, and the seconds of all until `now_ms`."""
        stops = [stop for group in self._live.values() for stop in group.values()]
        lasting = [
            (now_ms - stop.spell.since_ms, stop.spell.left_over)
            for stop in stops
            if stop.spell is not None
        ]
        left_over_ms = [ms for ms, left_over in lasting if left_over]
        spells = self.spells
        counts = OrphanCounts(
            now=len(present),
            left_over_now=sum(orphan.left_over for orphan in present),
            past=spells.past,
            left_over_past=spells.left_over_past,
            longest_s=max([spells.longest_ms, *(ms for ms, _ in lasting)]) / 1000,
            left_over_longest_s=max([spells.left_over_longest_ms, *left_over_ms]) / 1000,
        )
        return counts, (spells.total_ms + sum(ms for ms, _ in lasting)) / 1000


def _orphan(stop: Stop, now_ms: int) -> Orphan:
    event = stop.accepted
    return Orphan(
        symbol=event.symbol,
        algo_id=event.algo_id or 0,
        client_id=event.client_id or "",
        side=event.side or "",
        type=event.type or "",
        quantity=None if event.quantity is None else float(event.quantity),
        since_ms=now_ms if stop.spell is None else stop.spell.since_ms,
        left_over=stop.met_position,
    )


def cover(stops: Iterable[Stop], closing_side: Side, amount: Decimal) -> Cover:
    """Return what `stops`, in order of acceptance, cover of a position of `amount` base units."""
    covered, used = Decimal(0), list[Event]()
    for stop in stops:
        if stop.covers(closing_side):
            used.append(stop.accepted)
            quantity = stop.accepted.quantity
            covered += amount if quantity is None else quantity
            if covered >= amount:
                return Cover(amount, tuple(used), stop.accepted)
    return Cover(covered, tuple(used), None)
