"""A fault script at work: what strikes a request, and what happens at a moment."""

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from qt_protections.rehearsal.auth import check_timestamp
from qt_protections.rehearsal.errors import VenueError
from qt_protections.rehearsal.faults import actions
from qt_protections.rehearsal.faults.entry import Entry, OnRequests
from qt_protections.rehearsal.faults.fate import Call, Fate, Source, Strike
from qt_protections.rehearsal.faults.kinds import (
    Cancel,
    ClockSkew,
    Down,
    Latency,
    PositionLag,
    StreamDrop,
)
from qt_protections.rehearsal.faults.past_account import PastAccount
from qt_protections.rehearsal.faults.script import FaultScript
from qt_protections.rehearsal.venue import Venue

Address = tuple[str, int]
Cut = Callable[[Address | None], None]


class Faults:
    """Watches requests and the clock, and strikes as the script says."""

    def __init__(
        self, venue: Venue, script: FaultScript, cut: Cut, hang_up: Callable[[], None]
    ) -> None:
        """Begin now: the script's seconds count from here.

        Args:
            venue: The exchange.
            script: What goes wrong.
            cut: Cuts the connection of an address, every connection if None.
            hang_up: Ends every websocket.
        """
        self._venue = venue
        self._cut = cut
        self._hang_up = hang_up
        self._opened_ms = venue.now_ms
        lags = [entry.behind_ms for entry in script.entries if isinstance(entry, PositionLag)]
        self._past = PastAccount(venue.account, venue.journal, max(lags, default=0))
        self._sources = [
            Source(entry, np.random.default_rng([script.seed, index]))
            for index, entry in enumerate(script.entries)
        ]
        for source in self._sources:
            self._arrange(source)

    def meet(self, call: Call) -> Fate:
        """Draw what becomes of a request; each entry it matches draws once."""
        now_s = self._now_s
        strikes = [strike for source in self._sources for strike in _drawn(source, call, now_s)]
        return Fate(self._venue, self._past, call, strikes)

    @property
    def told_ms(self) -> int:
        """The time the exchange's clock tells, epoch milliseconds."""
        return self._venue.now_ms + sum(skew.ahead_ms for skew in self._skews())

    def is_down(self) -> bool:
        """Say whether nothing answers now."""
        entries, now_s = (source.entry for source in self._sources), self._now_s
        return any(isinstance(e, Down) and e.left_s(now_s) > 0 for e in entries)

    def check_time(self, call: Call) -> None:
        """Refuse a request that is untimely by the clock as it runs (-1021)."""
        try:
            check_timestamp(call.values, self.told_ms)
        except VenueError as refusal:
            symbol = call.values.get("symbol", "")
            for skew in self._skews():
                say = f"{call.endpoint} not executed: {refusal}"
                actions.note(self._venue, skew, say, symbol, code=refusal.code)
            raise

    def _skews(self) -> list[ClockSkew]:
        entries, now_s = (source.entry for source in self._sources), self._now_s
        return [e for e in entries if isinstance(e, ClockSkew) and e.left_s(now_s) > 0]

    @property
    def _now_s(self) -> float:
        return (self._venue.now_ms - self._opened_ms) / 1000

    def _arrange(self, source: Source) -> None:
        """Make the appointments of an entry that acts by the clock."""
        match source.entry:
            case StreamDrop(per_minute=per_minute) if per_minute is not None:
                self._by_chance(source, 60 / per_minute, source.entry.start_s)
            case StreamDrop():
                self._at_moments(source, partial(self._drop_streams, source))
            case Cancel(after_ms=None):
                self._at_moments(source, partial(self._cancel, source, source.entry))
            case Down():
                self._at_moments(source, partial(self._go_down, source.entry))
            case ClockSkew(ahead_ms=ahead_ms):
                say = f"the clock runs {ahead_ms:+d} ms"
                self._at_moments(source, partial(self._note, source.entry, say))

    def _at(self, s: float, action: Callable[[], None]) -> None:
        self._venue.agenda.add(self._opened_ms + round(s * 1000), action)

    def _at_moments(self, source: Source, action: Callable[[], None]) -> None:
        every_s = source.entry.every_s

        def act(s: float) -> None:
            action()
            if every_s is not None:
                self._at(s + every_s, partial(act, s + every_s))

        self._at(source.entry.start_s, partial(act, source.entry.start_s))

    def _by_chance(self, source: Source, mean_s: float, after_s: float) -> None:
        s = after_s + float(source.rng.exponential(mean_s))

        def act() -> None:
            if source.entry.left_s(s) > 0:
                self._drop_streams(source)
            self._by_chance(source, mean_s, s)

        self._at(s, act)

    def _drop_streams(self, source: Source) -> None:
        if source.take():
            self._note(source.entry, "every websocket hung up")
            self._hang_up()

    def _go_down(self, entry: Down) -> None:
        self._note(entry, f"down for {entry.length_s:g} s, connections cut")
        self._cut(None)

    def _cancel(self, source: Source, entry: Cancel) -> None:
        if source.rng.random() >= entry.rate or not source.take():
            return
        venue = self._venue
        if entry.orders != "plain":
            for algo in venue.conditional.live():
                if entry.concerns_order(algo.request.symbol, algo.request.reduces):
                    actions.cancel_algo(venue, entry, algo)
        if entry.orders != "conditional":
            for order in venue.desk.open_orders():
                if entry.concerns_order(order.request.symbol, order.request.reduce_only):
                    actions.cancel_order(venue, entry, order)

    def _note(self, entry: Entry, what: str) -> None:
        actions.note(self._venue, entry, what)


def _drawn(source: Source, call: Call, now_s: float) -> Iterator[Strike]:
    entry = source.entry
    left_s = entry.left_s(now_s)
    if left_s <= 0:
        return
    if isinstance(entry, Down):
        yield Strike(source, left_s)
    elif isinstance(entry, OnRequests) and entry.concerns(call.endpoint, call.values):
        struck = source.rng.random() < entry.rate
        delay_s = entry.sample_s(source.rng) if isinstance(entry, Latency) else 0.0
        if struck:
            yield Strike(source, left_s, delay_s)
