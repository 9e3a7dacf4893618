"""A fault script at work: what strikes a request, and what happens at a moment."""

from collections.abc import Callable, Iterator

from qt_protections.rehearsal.auth import check_timestamp
from qt_protections.rehearsal.errors import VenueError
from qt_protections.rehearsal.faults import actions
from qt_protections.rehearsal.faults.appointments import Address, Appointments, Cut
from qt_protections.rehearsal.faults.entry import OnRequests
from qt_protections.rehearsal.faults.fate import Fate
from qt_protections.rehearsal.faults.kinds.exchange import ClockSkew, Down, Sleep
from qt_protections.rehearsal.faults.kinds.requests import Latency
from qt_protections.rehearsal.faults.kinds.stale_data import ListLag, PositionLag
from qt_protections.rehearsal.faults.past_account import PastAccount
from qt_protections.rehearsal.faults.past_orders import PastOrders
from qt_protections.rehearsal.faults.script import FaultScript
from qt_protections.rehearsal.faults.source import E, Source, of_kind, sources_of
from qt_protections.rehearsal.faults.strikes import Call, Past, Strike
from qt_protections.rehearsal.faults.watching import Watcher
from qt_protections.rehearsal.journal import Event, JsonObject
from qt_protections.rehearsal.venue import Venue

__all__ = ["Address", "Cut", "Faults"]


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
        self._opened_ms = venue.now_ms
        self._sources = sources_of(script)
        self._past = Past(
            PastAccount(venue.account, venue.journal, _longest_ms(self._sources, PositionLag)),
            PastOrders(venue, _longest_ms(self._sources, ListLag)),
        )
        self._watcher = Watcher(venue, self._sources, lambda: self._now_s)
        appointments = Appointments(venue, self._opened_ms, cut, hang_up)
        for source in self._sources:
            appointments.arrange(source)
        if any(of_kind(self._sources, Sleep)):
            venue.conditional.is_asleep = self._is_asleep

    def begin(self, in_s: float = 0.0) -> None:
        """Count the script's seconds from now, or from `in_s` seconds later.

        What the script does at a moment (`at_s` alone) stays where it was.
        """
        self._opened_ms = self._venue.now_ms + round(in_s * 1000)

    def meet(self, call: Call) -> Fate:
        """Draw what becomes of a request; each entry it matches draws once."""
        now_s = self._now_s
        strikes = [strike for source in self._sources for strike in _drawn(source, call, now_s)]
        return Fate(self._venue, self._past, call, strikes)

    @property
    def told_ms(self) -> int:
        """The time the exchange's clock tells, epoch milliseconds."""
        return self._venue.now_ms + sum(skew.ahead_ms for skew in self._present(ClockSkew))

    def is_down(self) -> bool:
        """Say whether nothing answers now."""
        return bool(self._present(Down))

    def check_time(self, call: Call) -> None:
        """Refuse a request that is untimely by the clock as it runs (-1021)."""
        try:
            check_timestamp(call.values, self.told_ms)
        except VenueError as refusal:
            symbol = call.values.get("symbol", "")
            for skew in self._present(ClockSkew):
                say = f"{call.endpoint} not executed: {refusal}"
                actions.note(self._venue, skew, say, symbol, code=refusal.code)
            raise

    def answered(self, call: Call, content: object) -> object:
        """Return the answer to a request by what is known of the children of stops, and the time.

        Raises:
            VenueError: -2013.
        """
        content = self._watcher.answered(call.endpoint, content)
        if isinstance(content, dict) and "serverTime" in content:
            return content | {"serverTime": self.told_ms}
        return content

    def retold(self, event: Event, message: JsonObject) -> JsonObject | None:
        """Return a message of the user data stream as it is told, None if it is not."""
        return self._watcher.retold(event, message)

    def _is_asleep(self, symbol: str) -> bool:
        return any(symbol in (sleep.symbols or (symbol,)) for sleep in self._present(Sleep))

    def _present(self, kind: type[E]) -> list[E]:
        """Return the entries of a kind whose time it is."""
        now_s = self._now_s
        return [entry for _, entry in of_kind(self._sources, kind) if entry.left_s(now_s) > 0]

    @property
    def _now_s(self) -> float:
        return (self._venue.now_ms - self._opened_ms) / 1000


def _longest_ms(sources: list[Source], kind: type[PositionLag] | type[ListLag]) -> int:
    return max((entry.behind_ms for _, entry in of_kind(sources, kind)), default=0)


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
