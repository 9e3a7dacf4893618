"""What a fault script does by the clock: at its moments, again and again, or by chance."""

from collections.abc import Callable
from functools import partial

from qt_protections.rehearsal.faults import actions
from qt_protections.rehearsal.faults.entry import Entry
from qt_protections.rehearsal.faults.kinds.exchange import Adl, ClockSkew, Down, Sleep, StreamDrop
from qt_protections.rehearsal.faults.kinds.order_life import Cancel
from qt_protections.rehearsal.faults.source import Source
from qt_protections.rehearsal.venue import Venue

Address = tuple[str, int]
Cut = Callable[[Address | None], None]
Action = Callable[[], None]


class Appointments:
    """Keeps the appointments of a script's entries."""

    def __init__(self, venue: Venue, opened_ms: int, cut: Cut, hang_up: Action) -> None:
        """Begin without appointments.

        Args:
            venue: The exchange.
            opened_ms: When the script's seconds began, epoch milliseconds.
            cut: Cuts the connection of an address, every connection if None.
            hang_up: Ends every websocket.
        """
        self._venue = venue
        self._opened_ms = opened_ms
        self._cut = cut
        self._hang_up = hang_up

    def arrange(self, source: Source) -> None:
        """Make the appointments of an entry, if it acts by the clock."""
        match source.entry:
            case StreamDrop(per_minute=per_minute) if per_minute is not None:
                self._by_chance(source, 60 / per_minute, source.entry.start_s)
            case StreamDrop():
                self._at_moments(source, partial(self._drop_streams, source))
            case Cancel(after_ms=None):
                self._at_moments(source, partial(self._cancel, source, source.entry))
            case Adl(after_ms=None):
                self._at_moments(source, partial(self._deleverage, source, source.entry))
            case Down() | ClockSkew() | Sleep():
                self._at_moments(source, partial(self._begin, source.entry))

    def _at(self, s: float, action: Action) -> None:
        self._venue.agenda.add(self._opened_ms + round(s * 1000), action)

    def _at_moments(self, source: Source, action: Action) -> None:
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

    def _begin(self, entry: Entry) -> None:
        match entry:
            case Down():
                self._note(entry, f"down for {entry.length_s:g} s, connections cut")
                self._cut(None)
            case ClockSkew():
                self._note(entry, f"the clock runs {entry.ahead_ms:+d} ms")
            case Sleep():
                self._note(entry, "triggers ignore the price")
                if entry.length_s is not None:
                    end_ms = self._venue.now_ms + round(entry.length_s * 1000)
                    # What lies beyond its trigger then fires without waiting for another price.
                    self._venue.agenda.add(end_ms, self._venue.conditional.watch)

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

    def _deleverage(self, source: Source, entry: Adl) -> None:
        if source.rng.random() < entry.rate and source.take():
            for symbol, _ in self._venue.account.held():
                if entry.concerns_symbol(symbol):
                    actions.deleverage(self._venue, entry, symbol)

    def _note(self, entry: Entry, what: str) -> None:
        actions.note(self._venue, entry, what)
