"""The rules that a conditional order has to pass before the exchange takes the order."""

from decimal import Decimal
from enum import StrEnum

from qt_protections.rehearsal.engine.desk import Desk
from qt_protections.rehearsal.engine.filters import check_stop_limit
from qt_protections.rehearsal.engine.order_store import OrderStore
from qt_protections.rehearsal.engine.orders import AlgoOrder, AlgoRequest
from qt_protections.rehearsal.engine.triggers import working_price
from qt_protections.rehearsal.errors import VenueError
from qt_protections.rehearsal.market.instruments import Instrument

MAX_LIVE = 200
# The upper bound was 10 % until 2026-10-23 (Binance derivatives change log).
MIN_CALLBACK_RATIO, MAX_CALLBACK_RATIO = Decimal("0.001"), Decimal("0.2")
# Binance does not document a step; users report that finer rates are refused.
CALLBACK_STEP = Decimal("0.001")


class FlatStops(StrEnum):
    """What to do with a reduce-only stop that arrives without a position to reduce."""

    ACCEPT = "accept"
    REJECT = "reject"


class ConditionalChecks:
    """Compares a conditional order with its contract, the other orders, and the position."""

    def __init__(
        self, desk: Desk, algos: OrderStore[AlgoOrder], flat_stops: FlatStops, position_lag_ms: int
    ) -> None:
        """Take what orders are compared with.

        Args:
            desk: Prices and positions.
            algos: The conditional orders so far.
            flat_stops: The answer to a reduce-only stop without a position.
            position_lag_ms: Time for which `closePosition` orders do not see a position that was
                opened from flat.
        """
        self._desk = desk
        self._algos = algos
        self._flat_stops = flat_stops
        self._lag_ms = position_lag_ms

    def check(self, request: AlgoRequest) -> None:
        """Refuse an order that is against the rules.

        Raises:
            VenueError: With the code Binance refuses it with; -2021 is left to the trigger.
        """
        instrument = self._desk.tape.instrument(request.symbol)
        if len(self._algos.open()) >= MAX_LIVE:
            raise VenueError(-4045)
        namesake = self._algos.named(request.client_id)
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
                price = request.price or working_price(request, self._desk.tape)
                instrument.check_notional(request.quantity, price)

    def _check_closer(self, request: AlgoRequest) -> None:
        if request.close_position and request.type.is_trailing:
            raise VenueError(-4136)
        self._require_position(request, -4509)
        desk = self._desk
        if desk.journal.now_ms - desk.opened_ms.get(request.symbol, 0) < self._lag_ms:
            raise VenueError(-4509)
        for algo in self._algos.open(request.symbol):
            other = algo.request
            same_kind = other.type.is_stop is request.type.is_stop
            both = request.close_position and other.close_position
            if both and other.side is request.side and same_kind:
                raise VenueError(-4130)

    def _require_position(self, request: AlgoRequest, code: int) -> None:
        amount = self._desk.account.position(request.symbol).amount
        if amount * request.side.sign >= 0:
            raise VenueError(code)


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
