"""The conditional (algo) order desk: stops, take-profits and trailing stops until their trigger."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from enum import StrEnum
from itertools import count
from typing import Unpack

from qt_protections.rehearsal.engine.account import ZERO
from qt_protections.rehearsal.engine.archive import Archive
from qt_protections.rehearsal.engine.desk import Desk
from qt_protections.rehearsal.engine.filters import check_stop_limit
from qt_protections.rehearsal.engine.orders import (
    AlgoOrder,
    AlgoRequest,
    AlgoStatus,
    Cause,
    OrderRequest,
    OrderType,
    StillBirth,
    WorkingType,
)
from qt_protections.rehearsal.engine.triggers import fires, fires_at_once, follow
from qt_protections.rehearsal.errors import VenueError
from qt_protections.rehearsal.journal import EventKind, Facts
from qt_protections.rehearsal.market.instruments import Instrument

MAX_LIVE = 200
# The upper bound was 10 % until 2026-10-23 (Binance derivatives change log).
MIN_CALLBACK_RATIO, MAX_CALLBACK_RATIO = Decimal("0.001"), Decimal("0.2")
# Binance does not document a step; users report that finer rates are refused.
CALLBACK_STEP = Decimal("0.001")


UNTOLD = "untold"


class FlatStops(StrEnum):
    """What to do with a reduce-only stop that arrives without a position to reduce."""

    ACCEPT = "accept"
    REJECT = "reject"


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
        self.algos = Archive[AlgoOrder](lambda algo: algo.status.is_done)
        self.is_asleep: Callable[[str], bool] = lambda _symbol: False
        self._still_birth: StillBirth | None = None
        self._desk = desk
        self._flat_stops = flat_stops
        self._delay_ms = trigger_delay_ms
        self._lag_ms = position_lag_ms
        self._live: dict[int, AlgoOrder] = {}
        self._released: list[AlgoOrder] = []
        self._ids = count(4_000_000_001)
        desk.on_flat = self._expire_closers

    def live(self, symbol: str | None = None) -> list[AlgoOrder]:
        """Return the orders that wait for, or are at, their trigger; oldest first."""
        # A copy, made in one step: who watches from another thread may ask while one is added.
        return [a for a in tuple(self._live.values()) if symbol in {None, a.request.symbol}]

    def place(self, request: AlgoRequest) -> AlgoOrder:
        """Take a conditional order from the client.

        Raises:
            VenueError: With the code Binance refuses it with.
        """
        self._check(request)
        price = self._working_price(request)
        if fires_at_once(request, price):
            raise VenueError(-2021)
        now_ms = self._desk.journal.now_ms
        algo = AlgoOrder(request, next(self._ids), now_ms, now_ms, price)
        self.algos.add(algo.algo_id, request.client_id, algo)
        if self._still_birth is not None:
            self._bury(algo, self._still_birth)
            return algo
        self._live[algo.algo_id] = algo
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

    @contextmanager
    def shown_as(self, live: Iterable[AlgoOrder]) -> Iterator[None]:
        """Let `live` be listed in place of what is live, until the context ends."""
        present, self._live = self._live, {algo.algo_id: algo for algo in live}
        try:
            yield
        finally:
            self._live = present

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
            price = self._working_price(algo.request)
            algo.extreme = follow(algo.request.side, algo.extreme, price)
            if fires(algo.request, algo.extreme, price) and not self._is_protected(algo):
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

    def _check(self, request: AlgoRequest) -> None:
        instrument = self._desk.tape.instrument(request.symbol)
        if len(self._live) >= MAX_LIVE:
            raise VenueError(-4045)
        namesake = self.algos.named(request.client_id)
        if namesake is not None and namesake.status.is_live:
            raise VenueError(-4116)
        _check_prices(request, instrument)
        self._check_size(request, instrument)
        if request.ends_when_flat:
            self._check_closer(request)
        elif request.reduce_only and self._flat_stops is FlatStops.REJECT:
            self._require_position(request, -2022)

    def _check_size(self, request: AlgoRequest, instrument: Instrument) -> None:
        if request.quantity is not None:
            instrument.check_quantity(request.quantity, market=not request.type.is_limit)
            if not request.reduce_only:
                price = request.price or self._working_price(request)
                instrument.check_notional(request.quantity, price)

    def _check_closer(self, request: AlgoRequest) -> None:
        if request.close_position and request.type.is_trailing:
            raise VenueError(-4136)
        self._require_position(request, -4509)
        desk = self._desk
        if desk.journal.now_ms - desk.opened_ms.get(request.symbol, 0) < self._lag_ms:
            raise VenueError(-4509)
        for algo in self.live(request.symbol):
            other = algo.request
            same_kind = other.type.is_stop is request.type.is_stop
            both = request.close_position and other.close_position
            if both and other.side is request.side and same_kind:
                raise VenueError(-4130)

    def _require_position(self, request: AlgoRequest, code: int) -> None:
        amount = self._desk.account.position(request.symbol).amount
        if amount * request.side.sign >= 0:
            raise VenueError(code)

    def _working_price(self, request: AlgoRequest) -> Decimal:
        tape = self._desk.tape
        by_mark = request.working_type is WorkingType.MARK_PRICE
        return tape.mark(request.symbol) if by_mark else tape.last(request.symbol)

    def _is_protected(self, algo: AlgoOrder) -> bool:
        tape, symbol = self._desk.tape, algo.request.symbol
        apart = abs(tape.last(symbol) / tape.mark(symbol) - 1)
        limit = tape.instrument(symbol).trigger_protect_ratio
        return algo.request.price_protect and apart > limit

    def _release(self, algo: AlgoOrder) -> None:
        child = self._child(algo)
        try:
            self._desk.check_moment(child)
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

    def _child(self, algo: AlgoOrder) -> OrderRequest:
        request = algo.request
        amount = self._desk.account.position(request.symbol).amount
        quantity = request.quantity
        return OrderRequest(
            symbol=request.symbol,
            side=request.side,
            type=OrderType.LIMIT if request.type.is_limit else OrderType.MARKET,
            quantity=abs(amount) if quantity is None else quantity,
            # The documents do not say what the child order is called; this name promises nothing.
            client_id=f"algo_{algo.algo_id}",
            price=ZERO if request.price is None else request.price,
            tif=request.tif,
            reduce_only=request.reduces,
            close_position=request.close_position,
            cause=Cause.of(request.type),
            algo_id=algo.algo_id,
        )

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
        self._live.pop(algo.algo_id, None)
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


def _check_prices(request: AlgoRequest, instrument: Instrument) -> None:
    if request.trigger_price is not None:
        instrument.check_trigger_price(request.trigger_price)
    if request.price is not None:
        instrument.check_price(request.price)
        if request.trigger_price is not None:
            check_stop_limit(instrument, request.side, request.price, request.trigger_price)
    if request.activate_price is not None:
        if not instrument.min_price <= request.activate_price <= instrument.max_price:
            raise VenueError(-4135)
        instrument.check_price(request.activate_price)
    ratio = request.callback_ratio
    if ratio is not None and (
        not MIN_CALLBACK_RATIO <= ratio <= MAX_CALLBACK_RATIO or ratio % CALLBACK_STEP
    ):
        raise VenueError(-2007)
