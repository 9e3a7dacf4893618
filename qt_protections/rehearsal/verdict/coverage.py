"""The verdict on how positions were protected: followed from the exchange's own journal.

A stop covers from its acceptance until it is cancelled, expired, refused at its trigger, or has
sent its order; the order's fills come before that last event, so a stop counts until its fill.
Only STOP and STOP_MARKET orders that can only reduce count. Trailing stops and take-profits do not.

What stands at the end of a millisecond counts; what came and went inside it does not. Memory does
not grow with the events, but for the eight bytes a closed position's naked seconds take.
"""

from array import array
from collections import deque
from collections.abc import Callable, Iterable
from copy import deepcopy
from itertools import count, islice

from qt_protections.rehearsal.engine.account import ZERO
from qt_protections.rehearsal.journal import Event, EventKind
from qt_protections.rehearsal.verdict.holding import Holding
from qt_protections.rehearsal.verdict.position_report import MarkKind, PositionReport
from qt_protections.rehearsal.verdict.report import Orphan, Report, Summary
from qt_protections.rehearsal.verdict.stopbook import STOP_ENDS, STOP_TYPES, Cover, StopBook, cover
from qt_protections.rehearsal.verdict.totals import Totals, spread

KEPT_POSITIONS = 1_000


class Replay:
    """Follows the journal, event by event."""

    def __init__(self, keep: int = KEPT_POSITIONS) -> None:
        """Start flat, to keep the latest `keep` closed positions in detail."""
        self._book = StopBook()
        self._holdings: dict[str, Holding] = {}
        # Closed in this millisecond: what the insurance fund takes or pays comes after the fill.
        self._closing: list[Holding] = []
        self._numbers = count(1)
        self._past: deque[PositionReport] = deque(maxlen=keep)
        self._past_totals = Totals()
        self._past_naked_s = array("d")
        self._funding = ZERO
        self._insurance = ZERO
        self._now_ms = 0
        self._touched: set[str] = set()
        self._handlers: dict[EventKind, Callable[[Event], None]] = {
            EventKind.ORDER_FILLED: self._fill,
            EventKind.ORDER_CANCELED: self._leave_rest,
            EventKind.ORDER_EXPIRED: self._leave_rest,
            EventKind.STOP_ACCEPTED: self._accept,
            EventKind.STOP_REJECTED: self._reject,
            EventKind.STOP_DEAD: self._reject,
            EventKind.FUNDING: self._fund,
            EventKind.INSURANCE: self._insure,
            **dict.fromkeys(STOP_ENDS, self._end),
        }

    def take(self, event: Event) -> None:
        """Take in the next event."""
        self.pass_time(event.ms)
        handler = self._handlers.get(event.kind)
        if handler is not None:
            handler(event)

    def pass_time(self, now_ms: int) -> None:
        """Let time pass until `now_ms` (epoch milliseconds)."""
        if now_ms > self._now_ms:
            self._settle()
            self._now_ms = now_ms

    def report(self) -> Report:
        """Return the report on what was read so far."""
        return Report(summary=self.summary(), positions=self.positions(), orphans=self.orphans())

    def summary(self) -> Summary:
        """Return all positions in numbers."""
        present = self._present()
        totals = deepcopy(self._past_totals)
        for position in present:
            totals.add(position)
        summary = totals.summary()
        summary.naked_s = spread(self._past_naked_s, (p.naked_s for p in present))
        summary.stops = self._book.stop_counts()
        summary.orphans, summary.orphan_s = self._book.orphan_counts(self.orphans(), self._now_ms)
        summary.funding = float(self._funding)
        summary.insurance = float(self._insurance)
        return summary

    def positions(self, latest: int | None = None) -> list[PositionReport]:
        """Return the `latest` closed positions (all that are kept if None), then the open ones."""
        skipped = 0 if latest is None else max(0, len(self._past) - latest)
        return [*islice(self._past, skipped, None), *self._present()]

    def orphans(self) -> list[Orphan]:
        """Return the live reducing orders that have no position to reduce."""
        sides = {symbol: holding.closing_side for symbol, holding in self._holdings.items()}
        return self._book.orphans(sides, self._now_ms)

    def cover_of(self, symbol: str) -> Cover:
        """Return what protects the position in `symbol` now."""
        holding = self._holdings.get(symbol)
        if holding is None:
            return Cover(ZERO, (), None)
        return cover(self._book.live(symbol), holding.closing_side, holding.amount)

    def _present(self) -> list[PositionReport]:
        opened = (
            holding.report(self._book.live(symbol), self._now_ms)
            for symbol, holding in self._holdings.items()
        )
        return [*(holding.report((), self._now_ms) for holding in self._closing), *opened]

    def _settle(self) -> None:
        for closed in self._closing:
            self._close(closed)
        self._closing.clear()
        for symbol in self._touched:
            holding = self._holdings.get(symbol)
            side = None if holding is None else holding.closing_side
            self._book.judge_orphans(symbol, side, self._now_ms)
            if holding is not None:
                holding.settle(self._book.live(symbol), self._now_ms)
        self._touched.clear()

    def _weigh(self, event: Event) -> None:
        self._touched.add(event.symbol)
        holding = self._holdings.get(event.symbol)
        if holding is None:
            return
        for stop in self._book.live(event.symbol):
            stop.met_position = stop.met_position or stop.accepted.side is holding.closing_side
        holding.weigh(self._book.live(event.symbol), event)

    def _fill(self, event: Event) -> None:
        holding = self._holdings.get(event.symbol)
        if holding is None:
            holding = self._open(event)
        elif event.side is holding.closing_side:
            holding.look(self._book.live(event.symbol))
        holding.fill(event, self._book.find(event))
        if holding.closed is None:
            self._weigh(event)
        else:
            self._touched.add(event.symbol)
            self._closing.append(self._holdings.pop(event.symbol))

    def _open(self, event: Event) -> Holding:
        holding = self._holdings[event.symbol] = Holding(next(self._numbers), event)
        for stop in self._book.live(event.symbol):
            if stop.covers(holding.closing_side):
                holding.mark(MarkKind.STOP, stop.accepted)
        return holding

    def _close(self, holding: Holding) -> None:
        position = holding.report((), self._now_ms)
        self._past.append(position)
        self._past_totals.add(position)
        self._past_naked_s.append(position.naked_s)

    def _accept(self, event: Event) -> None:
        self._book.accept(event)
        self._mark(MarkKind.STOP, event)
        self._weigh(event)

    def _reject(self, event: Event) -> None:
        self._book.reject(event)
        holding = self._holdings.get(event.symbol)
        if holding is not None and event.type in STOP_TYPES:
            holding.gaps.refuse(event.refusal)

    def _end(self, event: Event) -> None:
        stop = self._book.end(event)
        if stop is not None:
            self._mark(MarkKind.STOP_GONE, event)
            self._weigh(event)

    def _leave_rest(self, event: Event) -> None:
        stop = self._book.find(event)
        if stop is not None:
            stop.left_rest = True

    def _mark(self, kind: MarkKind, event: Event) -> None:
        holding = self._holdings.get(event.symbol)
        if holding is not None and event.type in STOP_TYPES and event.side is holding.closing_side:
            holding.mark(kind, event)

    def _fund(self, event: Event) -> None:
        self._funding += event.fee or ZERO

    def _insure(self, event: Event) -> None:
        self._insurance += event.fee or ZERO
        closed = [held for held in self._closing if held.opened.symbol == event.symbol]
        if closed:
            closed[-1].insurance += event.fee or ZERO


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
