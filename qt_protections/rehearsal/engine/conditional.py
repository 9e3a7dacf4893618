"""The conditional (algo) order desk: stops, take-profits and trailing stops until their trigger."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Unpack

from qt_protections.rehearsal.engine.conditional_checks import ConditionalChecks, FlatStops
from qt_protections.rehearsal.engine.desk import Desk
from qt_protections.rehearsal.engine.order_store import OrderStore
from qt_protections.rehearsal.engine.orders import AlgoOrder, AlgoRequest, AlgoStatus, StillBirth
from qt_protections.rehearsal.engine.triggers import (
    child_of,
    fires,
    fires_at_once,
    follow,
    is_price_protected,
    working_price,
)
from qt_protections.rehearsal.errors import VenueError
from qt_protections.rehearsal.journal import EventKind, Facts

UNTOLD = "untold"


class ConditionalDesk:
    """Keeps conditional orders and sends their child order when the price gets there.

    Attributes:
        algos: The latest orders and all that are not done, by number and by client id.
        is_asleep: Says of a symbol whether its triggers ignore the price.
    """

    def __init__(
        self,
        desk: Desk,
        flat_stops: FlatStops = FlatStops.ACCEPT,
        trigger_delay_ms: int = 10,
        position_lag_ms: int = 0,
    ) -> None:
        """Open the desk.

        Args:
            desk: Where triggered orders go.
            flat_stops: The answer to a reduce-only stop without a position.
            trigger_delay_ms: Time between a trigger and its order reaching the engine.
            position_lag_ms: Time for which `closePosition` orders do not see a position that was
                opened from flat.
        """
        self.algos = OrderStore[AlgoOrder](lambda algo: algo.status.is_done)
        self.is_asleep: Callable[[str], bool] = lambda _symbol: False
        self._still_birth: StillBirth | None = None
        self._desk = desk
        self._checks = ConditionalChecks(desk, self.algos, flat_stops, position_lag_ms)
        self._delay_ms = trigger_delay_ms
        self._released: list[AlgoOrder] = []
        self._ids = count(4_000_000_001)
        desk.on_flat = self._expire_closers

    def live(self, symbol: str | None = None) -> list[AlgoOrder]:
        """Return the orders that wait for, or are at, their trigger; oldest first."""
        return self.algos.open(symbol)

    def place(self, request: AlgoRequest) -> AlgoOrder:
        """Take a conditional order from the client.

        Raises:
            VenueError: With the code Binance refuses it with.
        """
        self._checks.check(request)
        price = working_price(request, self._desk.tape)
        if fires_at_once(request, price):
            raise VenueError(-2021)
        now_ms = self._desk.journal.now_ms
        algo = AlgoOrder(request, next(self._ids), now_ms, now_ms, price)
        self.algos.add(algo.algo_id, request.client_id, algo)
        if self._still_birth is not None:
            self._bury(algo, self._still_birth)
            return algo
        self.algos.has_opened(algo.algo_id, algo)
        self._log(EventKind.STOP_ACCEPTED, algo)
        return algo

    @contextmanager
    def stillborn(self, how: StillBirth) -> Iterator[None]:
        """Let orders that are taken be dead from the beginning, until the context ends."""
        self._still_birth = how
        try:
            yield
        finally:
            self._still_birth = None

    def find(self, algo_id: int | None, client_id: str | None) -> AlgoOrder | None:
        """Return an order by its number, else the latest of that name: the live one if any is."""
        if algo_id is not None:
            return self.algos.get(algo_id)
        return None if client_id is None else self.algos.named(client_id)

    def cancel(self, algo_id: int | None, client_id: str | None) -> AlgoOrder:
        """Cancel an order; refuse if it is unknown or done (-2011) or at its trigger (-4117)."""
        algo = self.find(algo_id, client_id)
        if algo is None or not algo.status.is_live:
            raise VenueError(-2011)
        if algo.status is AlgoStatus.TRIGGERING:
            raise VenueError(-4117)
        self._end(algo, AlgoStatus.CANCELED, EventKind.STOP_CANCELED)
        return algo

    def cancel_all(self, symbol: str) -> None:
        """Cancel every order in `symbol` that has not triggered."""
        for algo in self.live(symbol):
            if algo.status is AlgoStatus.NEW:
                self._end(algo, AlgoStatus.CANCELED, EventKind.STOP_CANCELED)

    def withdraw(self, algo_id: int, reason: str, status: AlgoStatus = AlgoStatus.REJECTED) -> None:
        """End an accepted order as its client did not ask for; one past its trigger stays."""
        algo = self.algos[algo_id]
        if algo.status is AlgoStatus.NEW:
            algo.reason = reason
            is_expiry = status is AlgoStatus.EXPIRED
            kind = EventKind.STOP_EXPIRED if is_expiry else EventKind.STOP_WITHDRAWN
            self._end(algo, status, kind, reason=reason)

    def watch(self) -> None:
        """Compare the present prices with every trigger."""
        for algo in self.live():
            if algo.status is not AlgoStatus.NEW or self.is_asleep(algo.request.symbol):
                continue
            price = working_price(algo.request, self._desk.tape)
            algo.extreme = follow(algo.request.side, algo.extreme, price)
            is_met = fires(algo.request, algo.extreme, price)
            if is_met and not is_price_protected(algo.request, self._desk.tape):
                algo.status = AlgoStatus.TRIGGERING
                algo.trigger_ms = algo.updated_ms = self._desk.journal.now_ms
                self._log(EventKind.STOP_TRIGGERED, algo)

    def run_due(self, until_ms: int) -> None:
        """Send the child orders that reach the engine by `until_ms`, and close finished ones."""
        journal = self._desk.journal
        for algo in self.live():
            due_ms = algo.trigger_ms + self._delay_ms
            if algo.status is AlgoStatus.TRIGGERING and due_ms <= until_ms:
                journal.now_ms = max(journal.now_ms, due_ms)
                self._release(algo)
        self.settle()

    def settle(self) -> None:
        """Mark the orders finished whose child order is filled or gone."""
        for algo in self._released.copy():
            if algo.child is not None and not algo.child.is_open:
                self._released.remove(algo)
                self._end(algo, AlgoStatus.FINISHED, EventKind.STOP_FINISHED)

    def _release(self, algo: AlgoOrder) -> None:
        amount = self._desk.account.position(algo.request.symbol).amount
        child = child_of(algo, abs(amount))
        try:
            self._desk.filters.check_moment(child)
            algo.child = self._desk.enter(child)
        except VenueError as refusal:
            algo.reason = "Reduce Only reject" if refusal.code == -2022 else refusal.msg
            self._end(
                algo,
                AlgoStatus.REJECTED,
                EventKind.STOP_REFUSED_AT_TRIGGER,
                code=refusal.code,
                reason=algo.reason,
            )
            return
        self._released.append(algo)
        self._end(algo, AlgoStatus.TRIGGERED, EventKind.STOP_RELEASED)

    def _expire_closers(self, symbol: str) -> None:
        for algo in self.live(symbol):
            if algo.request.ends_when_flat and algo.status is AlgoStatus.NEW:
                self._end(algo, AlgoStatus.EXPIRED, EventKind.STOP_EXPIRED)

    def _bury(self, algo: AlgoOrder, how: StillBirth) -> None:
        algo.status, algo.reason = how.status, how.reason
        facts: Facts = {"reason": f"{how.status}: {how.reason}"}
        if not how.told:
            facts["cause"] = UNTOLD
        self._log(EventKind.STOP_DEAD, algo, **facts)

    def _end(
        self, algo: AlgoOrder, status: AlgoStatus, kind: EventKind, **facts: Unpack[Facts]
    ) -> None:
        algo.status = status
        algo.updated_ms = self._desk.journal.now_ms
        self.algos.has_ended(algo.algo_id)
        self._log(kind, algo, **facts)

    def _log(self, kind: EventKind, algo: AlgoOrder, **facts: Unpack[Facts]) -> None:
        request = algo.request
        about: Facts = {
            "side": request.side,
            "type": request.type,
            "algo_id": algo.algo_id,
            "client_id": request.client_id,
            "quantity": request.quantity,
            "price": request.trigger_price,
            "reduce_only": request.reduces,
        }
        about.update(facts)
        self._desk.journal.add(kind, request.symbol, **about)
