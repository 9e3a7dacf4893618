"""A manager and its watch on paper, without a bot."""

from collections.abc import Callable
from dataclasses import dataclass

from qt_protections.rules.entries import ApprovedEntry, EntryRequest
from qt_protections.settings import StopPlacement
from qt_protections.stops.entry_cover import EntryCover
from qt_protections.stops.manager import StopManager
from qt_protections.stops.monitor.watch import StopWatch
from qt_protections.stops.mover import StopMover
from qt_protections.stops.placer import Placer
from qt_protections.stops.state.client_ids import Namer
from qt_protections.stops.state.pair import PairState
from qt_protections.stops.state.pair_states import PairStates
from qt_protections.stops.state.pending_entry import PendingEntry
from qt_protections.stops.venue.binance.order_events import OrderEvent
from tests.stops.paper import BTC, Paper


def approved(pair: str, amount: float, trigger: float) -> ApprovedEntry:
    """Return an entry at 100 that may go out, negative for a short."""
    request = EntryRequest(pair, amount < 0, 100.0, 10.0, abs(amount))
    return ApprovedEntry(request, request.rate, trigger, request.amount)


@dataclass
class Guards:
    """An exchange, who keeps its positions covered, and who watches."""

    paper: Paper
    cover: EntryCover
    mover: StopMover
    watch: StopWatch

    @property
    def manager(self) -> StopManager:
        """Who covers positions."""
        return self.cover.manager

    def held(self, pair: str = BTC) -> PairState:
        """Return what is known of a pair."""
        return self.manager.book.of(pair)

    def expect(
        self, amount: float = 1.0, trigger: float = 98.0, pair: str = BTC, base: float = 0.0
    ) -> PendingEntry:
        """Get a pair ready for an entry, negative for a short."""
        return self.cover.expect(approved(pair, amount, trigger), base)

    def enter(self, amount: float = 1.0, trigger: float = 98.0, pair: str = BTC) -> PairState:
        """Enter at market, and have a trade book it as Freqtrade's thread does."""
        pending = self.expect(amount, trigger, pair)
        order_id = self.paper.enter(pair, amount, pending.client_id)
        self.cover.answered(pending, self.paper.orders[order_id])
        held = self.held(pair)
        with held.lock:
            held.pending_entries.remove(pending)
            held.base += abs(amount)
        return held

    def rest(
        self, amount: float = 1.0, trigger: float = 96.0, pair: str = BTC, base: float = 0.0
    ) -> str:
        """Enter with a limit order that rests, or add to a position; return its id."""
        pending = self.expect(amount, trigger, pair, base)
        order_id = self.paper.enter(pair, amount, pending.client_id, fills=False)
        self.cover.answered(pending, self.paper.orders[order_id])
        return order_id

    def live(self, pair: str = BTC) -> list[str]:
        """Return the ids of the conditional orders that are live."""
        return [order["id"] for order in self.paper.live(pair)]

    def doubts(self, pair: str = BTC) -> list[str]:
        """Return the ids of the stops that the exchange has to be asked after."""
        return [s.order_id for s in self.held(pair).all_stops if s.track.is_in_doubt]


def guards(
    placement: StopPlacement = "auto", pause: Callable[[float], None] = lambda _seconds: None
) -> Guards:
    """Return a manager that never waits."""
    paper = Paper()
    namer = Namer("test", "sqlite://")
    placer = Placer(paper, namer, pause)
    manager = StopManager(PairStates(paper.largest), paper, namer, placer)
    cover = EntryCover(manager, placement)
    return Guards(paper, cover, StopMover(manager), StopWatch(cover))


def order_event(order_id: str, status: str, filled: float = 0.0) -> OrderEvent:
    """Return an event of an order of the book."""
    return OrderEvent(BTC, order_id, "", False, status, filled, "", "")
