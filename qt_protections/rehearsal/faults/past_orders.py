"""The lists of live orders as they were a moment ago, for answers that lag behind."""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from qt_protections.rehearsal.engine.account import ZERO
from qt_protections.rehearsal.engine.orders import AlgoOrder, AlgoStatus, Order, OrderStatus
from qt_protections.rehearsal.journal import Event, EventKind
from qt_protections.rehearsal.venue import Venue

# What takes an order off its list. A released stop is off its list before it is finished.
_PLAIN_ENDS = {EventKind.ORDER_FILLED, EventKind.ORDER_CANCELED, EventKind.ORDER_EXPIRED}
_STOP_ENDS = {
    EventKind.STOP_RELEASED,
    EventKind.STOP_CANCELED,
    EventKind.STOP_EXPIRED,
    EventKind.STOP_WITHDRAWN,
    EventKind.STOP_REFUSED_AT_TRIGGER,
}


class PastOrders:
    """Remembers the orders that ended, as far back as lists may lag."""

    def __init__(self, venue: Venue, keep_ms: int) -> None:
        """Begin to remember.

        Args:
            venue: The exchange.
            keep_ms: How far back, milliseconds; 0 if no list ever lags.
        """
        self._venue = venue
        self._keep_ms = keep_ms
        self._orders: deque[tuple[int, Order]] = deque()
        self._algos: deque[tuple[int, AlgoOrder]] = deque()
        if keep_ms:
            venue.journal.subscribe(self._take)

    def has_changed(self, endpoint: str, since_ms: int) -> bool:
        """Say whether the list of `endpoint` held other orders at `since_ms`."""
        if endpoint.endswith("openOrders"):
            resting = [order.order_id for order in self._resting(since_ms)]
            return resting != [order.order_id for order in self._venue.desk.open_orders()]
        live = [algo.algo_id for algo in self._live(since_ms)]
        return live != [algo.algo_id for algo in self._venue.conditional.live()]

    @contextmanager
    def shown(self, at_ms: int) -> Iterator[None]:
        """Let the orders be listed that lived at `at_ms`, until the context ends."""
        resting = {order.order_id: order for order in self._resting(at_ms)}
        live = {algo.algo_id: algo for algo in self._live(at_ms)}
        desk, conditional = self._venue.desk, self._venue.conditional
        with desk.orders.shown_as(resting), conditional.algos.shown_as(live):
            yield

    def _resting(self, at_ms: int) -> list[Order]:
        ended = [
            replace(order, status=OrderStatus.NEW, executed=ZERO, quote=ZERO)
            for ended_ms, order in self._orders
            if order.created_ms <= at_ms < ended_ms
        ]
        lasting = [o for o in self._venue.desk.open_orders() if o.created_ms <= at_ms]
        return sorted([*ended, *lasting], key=lambda order: order.order_id)

    def _live(self, at_ms: int) -> list[AlgoOrder]:
        ended = [
            _waiting(algo, at_ms)
            for ended_ms, algo in self._algos
            if algo.created_ms <= at_ms < ended_ms
        ]
        lasting = [a for a in self._venue.conditional.live() if a.created_ms <= at_ms]
        return sorted([*ended, *lasting], key=lambda algo: algo.algo_id)

    def _take(self, event: Event) -> None:
        if event.kind in _PLAIN_ENDS and event.order_id is not None:
            order = self._venue.desk.orders[event.order_id]
            if not order.is_open:
                self._orders.append((event.ms, order))
        elif event.kind in _STOP_ENDS and event.algo_id is not None:
            self._algos.append((event.ms, self._venue.conditional.algos[event.algo_id]))
        for gone in (self._orders, self._algos):
            while gone and gone[0][0] <= event.ms - self._keep_ms:
                gone.popleft()


def _waiting(algo: AlgoOrder, at_ms: int) -> AlgoOrder:
    """Return a conditional order that has ended as it was when it lived."""
    triggered = 0 < algo.trigger_ms <= at_ms
    status = AlgoStatus.TRIGGERING if triggered else AlgoStatus.NEW
    since_ms = algo.trigger_ms if triggered else algo.created_ms
    trigger_ms = algo.trigger_ms if triggered else 0
    return replace(algo, status=status, updated_ms=since_ms, trigger_ms=trigger_ms, child=None)
