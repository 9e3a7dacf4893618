"""How long each position stood without stops: replayed from the exchange's own journal.

A stop covers from its acceptance until it is cancelled, expired, refused at its trigger, or has
sent its order; the order's fills come before that last event, so a stop counts until its fill.
Only STOP and STOP_MARKET orders that can only reduce count. Trailing stops and take-profits do not.
"""

from collections import Counter
from collections.abc import Callable, Iterable

import numpy as np

from qt_protections.rehearsal.holding import STOP_TYPES, ZERO, Holding
from qt_protections.rehearsal.journal import Event, EventKind
from qt_protections.rehearsal.report import (
    Orphan,
    PositionReport,
    Report,
    Spread,
    StopCounts,
    Summary,
)

STOP_ENDS = frozenset(
    {
        EventKind.STOP_CANCELED,
        EventKind.STOP_EXPIRED,
        EventKind.STOP_WITHDRAWN,
        EventKind.STOP_FINISHED,
        EventKind.STOP_RELEASED,
        EventKind.STOP_REFUSED_AT_TRIGGER,
    }
)


class Replay:
    """Follows the journal, event by event."""

    def __init__(self) -> None:
        """Start flat."""
        self.stops: dict[int, Event] = {}
        self.holdings: dict[str, Holding] = {}
        self.past: list[Holding] = []
        self.counts = StopCounts(rejections={})
        self.orphan_ms = 0
        self.funding = ZERO
        self._now_ms: int | None = None
        self._handlers: dict[EventKind, Callable[[Event], None]] = {
            EventKind.ORDER_FILLED: self._fill,
            EventKind.STOP_ACCEPTED: self._accept,
            EventKind.STOP_REJECTED: self._reject,
            EventKind.FUNDING: self._fund,
            **dict.fromkeys(STOP_ENDS, self._end),
        }

    def take(self, event: Event) -> None:
        """Take in the next event."""
        self.pass_time(event.ms)
        handler = self._handlers.get(event.kind)
        if handler is not None:
            handler(event)

    def report(self) -> Report:
        """Return the report on what was read so far."""
        positions = [holding.summary() for holding in [*self.past, *self.holdings.values()]]
        return Report(
            summary=_summary(self, positions),
            positions=positions,
            orphans=[_orphan(stop) for stop in self.orphans()],
        )

    def pass_time(self, now_ms: int) -> None:
        """Count the time until `now_ms` (epoch milliseconds) for everything naked or orphaned."""
        if self._now_ms is not None and now_ms > self._now_ms:
            elapsed_ms = now_ms - self._now_ms
            for holding in self.holdings.values():
                if not self._look(holding):
                    holding.naked_ms += elapsed_ms
            self.orphan_ms += elapsed_ms * len(self.orphans())
        self._now_ms = now_ms

    def orphans(self) -> list[Event]:
        """Return the live reducing orders that have no position to reduce."""
        return [
            stop
            for stop in self.stops.values()
            if stop.symbol not in self.holdings
            or self.holdings[stop.symbol].closing_side is not stop.side
        ]

    def _look(self, holding: Holding) -> bool:
        """Say whether the position is covered now; remember the stop that first did it."""
        symbol = holding.opened.symbol
        stop = holding.completing_stop(s for s in self.stops.values() if s.symbol == symbol)
        if holding.cover is None:
            holding.cover = stop
        return stop is not None

    def _fill(self, event: Event) -> None:
        holding = self.holdings.get(event.symbol)
        if holding is None:
            holding = self.holdings[event.symbol] = Holding(event)
        elif event.side is not holding.opened.side:
            self._look(holding)
        holding.fill(event)
        if holding.closed is not None:
            self.past.append(self.holdings.pop(event.symbol))

    def _accept(self, event: Event) -> None:
        if event.type in STOP_TYPES:
            self.counts.requested += 1
            self.counts.accepted += 1
        if event.reduce_only and event.algo_id is not None:
            self.stops[event.algo_id] = event

    def _reject(self, event: Event) -> None:
        if event.type in STOP_TYPES:
            self.counts.requested += 1
            self.counts.rejected += 1
            rejections = self.counts.rejections
            rejections[str(event.code)] = rejections.get(str(event.code), 0) + 1

    def _end(self, event: Event) -> None:
        if event.algo_id is not None:
            self.stops.pop(event.algo_id, None)
        if event.kind is EventKind.STOP_REFUSED_AT_TRIGGER and event.type in STOP_TYPES:
            self.counts.rejected_at_trigger += 1

    def _fund(self, event: Event) -> None:
        self.funding += event.fee or ZERO


def replay(events: Iterable[Event], now_ms: int) -> Report:
    """Return the report for a journal.

    Args:
        events: All events, oldest first.
        now_ms: Until when open positions and orphans count, epoch milliseconds.
    """
    run = Replay()
    for event in events:
        run.take(event)
    run.pass_time(now_ms)
    return run.report()


def _orphan(stop: Event) -> Orphan:
    return Orphan(
        symbol=stop.symbol,
        algo_id=stop.algo_id or 0,
        client_id=stop.client_id or "",
        side=stop.side or "",
        type=stop.type or "",
        quantity=None if stop.quantity is None else float(stop.quantity),
        since_ms=stop.ms,
    )


def _summary(run: Replay, positions: list[PositionReport]) -> Summary:
    naked_s = [position.naked_s for position in positions]
    return Summary(
        closed=len(run.past),
        open=len(run.holdings),
        naked_s=_spread(naked_s),
        naked_total_s=round(sum(naked_s), 3),
        never_covered=sum(position.stop_lead_ms is None for position in positions),
        stops=run.counts.model_copy(deep=True),
        exits=dict(Counter(p.exit for p in positions if p.exit is not None)),
        entries=sum(position.entries for position in positions),
        stops_live_before_entry=sum(p.stop_live_before_entry for p in positions),
        orphan_s=run.orphan_ms / 1000,
        realized_pnl=sum(position.realized_pnl for position in positions),
        fees=sum(position.fees for position in positions),
        funding=float(run.funding),
    )


def _spread(seconds: list[float]) -> Spread:
    if not seconds:
        return Spread()
    p50, p95, p99 = (round(float(q), 3) for q in np.percentile(seconds, [50, 95, 99]))
    return Spread(p50=p50, p95=p95, p99=p99, max=max(seconds))
