"""The plain order desk: checks, fills, resting limit orders, reduce-only rules."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from itertools import count

from qt_protections.rehearsal.account import (
    MAKER_FEE_RATIO,
    TAKER_FEE_RATIO,
    ZERO,
    bankruptcy_price,
)
from qt_protections.rehearsal.book import Level, Side, take
from qt_protections.rehearsal.errors import VenueError
from qt_protections.rehearsal.journal import EventKind
from qt_protections.rehearsal.ledger import MONEY_STEP, Ledger
from qt_protections.rehearsal.orders import (
    Cause,
    Order,
    OrderRequest,
    OrderStatus,
    OrderType,
    TimeInForce,
)
from qt_protections.rehearsal.tape import Tape


class Desk:
    """Takes plain orders, fills them against the book, and books the fills."""

    def __init__(self, tape: Tape, ledger: Ledger, depth_ratio: float = 1.0) -> None:
        """Open a desk.

        Args:
            tape: Prices.
            ledger: The account, its history, and the exchange's time.
            depth_ratio: Book depth as a ratio of the usual.
        """
        self.tape = tape
        self.ledger = ledger
        self.account = ledger.account
        self.journal = ledger.journal
        self.orders: dict[int, Order] = {}
        self.on_flat: Callable[[str], None] = lambda _symbol: None
        self._depth_ratio = depth_ratio
        self._open: dict[int, Order] = {}
        self._order_ids = count(8_000_000_001)

    def open_orders(self, symbol: str | None = None) -> list[Order]:
        """Return the resting orders, oldest first."""
        return [o for o in self._open.values() if symbol in {None, o.request.symbol}]

    @property
    def available(self) -> Decimal:
        """USDT free for new positions: wallet without position and resting-order margin."""
        resting = sum((self.order_margin(order) for order in self._open.values()), ZERO)
        return max(self.account.free - resting, ZERO)

    def order_margin(self, order: Order) -> Decimal:
        """Return the USDT a resting order binds; none if it can only reduce."""
        request = order.request
        if request.reduce_only:
            return ZERO
        return order.remaining * request.price / self.account.leverage_of(request.symbol)

    def place(self, request: OrderRequest) -> Order:
        """Take an order from the client.

        Raises:
            VenueError: With the code Binance refuses it with.
        """
        self.check(request)
        return self.enter(request)

    def check(self, request: OrderRequest) -> None:
        """Refuse an order whose client id, size or price is against the rules."""
        instrument = self.tape.instrument(request.symbol)
        if any(order.request.client_id == request.client_id for order in self._open.values()):
            raise VenueError(-4116)
        instrument.check_quantity(request.quantity)
        if request.type is OrderType.LIMIT:
            instrument.check_price(request.price)
        if not request.reduce_only:
            price = request.price or self.tape.last(request.symbol)
            instrument.check_notional(request.quantity, price)

    def enter(self, request: OrderRequest) -> Order:
        """Send an order to the engine: a client's, or the child of a triggered stop.

        Raises:
            VenueError: -2022, -2019, -2027, -5021 or -5022.
        """
        quantity = self._reducible(request) if request.reduce_only else request.quantity
        fills = self._fills_now(request, quantity)
        _check_time_in_force(request, quantity, fills)
        if not request.reduce_only:
            self._check_margin(request, quantity, fills)
        order = self._register(request, quantity)
        for level in fills:
            self._fill(order, level, TAKER_FEE_RATIO)
        if order.is_open and _may_rest(request):
            self._open[order.order_id] = order
        elif order.is_open:
            self._close(order, OrderStatus.EXPIRED, EventKind.ORDER_EXPIRED)
        return order

    def find(self, symbol: str, order_id: int | None, client_id: str | None) -> Order | None:
        """Return the latest order with that id or client id in `symbol`."""
        if order_id is not None:
            order = self.orders.get(order_id)
            return order if order is not None and order.request.symbol == symbol else None
        for order in reversed(self.orders.values()):
            if (order.request.symbol, order.request.client_id) == (symbol, client_id):
                return order
        return None

    def cancel(self, symbol: str, order_id: int | None, client_id: str | None) -> Order:
        """Cancel a resting order; refuse (-2011) if there is none."""
        order = self.find(symbol, order_id, client_id)
        if order is None or not order.is_open:
            raise VenueError(-2011)
        self._close(order, OrderStatus.CANCELED, EventKind.ORDER_CANCELED)
        return order

    def cancel_all(self, symbol: str) -> None:
        """Cancel every resting order in `symbol`."""
        for order in self.open_orders(symbol):
            self._close(order, OrderStatus.CANCELED, EventKind.ORDER_CANCELED)

    def match_resting(self) -> None:
        """Fill the resting orders the last price has reached, whole, at their own price."""
        for order in self.open_orders():
            request = order.request
            reached = (self.tape.last(request.symbol) - request.price) * request.side.sign <= 0
            if order.is_open and reached:
                left = order.remaining
                if request.reduce_only:
                    left = min(left, abs(self.account.position(request.symbol).amount))
                self._fill(order, Level(request.price, left), MAKER_FEE_RATIO)
                if order.is_open:
                    self._close(order, OrderStatus.EXPIRED, EventKind.ORDER_EXPIRED)

    def liquidate(self, symbol: str) -> None:
        """Close a position at the price where its whole margin is gone, and cancel its orders."""
        position = self.account.position(symbol)
        self.cancel_all(symbol)
        request = OrderRequest(
            symbol=symbol,
            side=Side.SELL if position.amount > 0 else Side.BUY,
            type=OrderType.LIMIT,
            quantity=abs(position.amount),
            client_id=f"autoclose-{self.journal.now_ms}",
            price=bankruptcy_price(position).quantize(MONEY_STEP),
            tif=TimeInForce.IOC,
            reduce_only=True,
            cause=Cause.LIQUIDATION,
        )
        order = self._register(request, request.quantity)
        self._fill(order, Level(request.price, request.quantity), ZERO)

    def _reducible(self, request: OrderRequest) -> Decimal:
        amount = self.account.position(request.symbol).amount
        if amount * request.side.sign >= 0:
            raise VenueError(-2022)
        return min(request.quantity, abs(amount))

    def _fills_now(self, request: OrderRequest, quantity: Decimal) -> list[Level]:
        limit = request.price if request.type is OrderType.LIMIT else None
        levels = self.tape.book(request.symbol, request.side, self._depth_ratio)
        return take(levels, quantity, limit, request.side)

    def _check_margin(
        self, request: OrderRequest, quantity: Decimal, fills: Sequence[Level]
    ) -> None:
        position = self.account.position(request.symbol)
        sign, leverage = request.side.sign, self.account.leverage_of(request.symbol)
        closing = min(quantity, abs(position.amount)) if position.amount * sign < 0 else ZERO
        price = max([request.price, *(level.price for level in fills)])
        notional = (quantity - closing) * price
        released = position.margin if closing and closing == abs(position.amount) else ZERO
        if notional and notional * (1 / Decimal(leverage) + TAKER_FEE_RATIO) > (
            self.available + released
        ):
            raise VenueError(-2019)
        after = abs(position.amount + sign * quantity) * price
        limit = self.tape.instrument(request.symbol).largest_notional(leverage)
        if notional and after > limit:
            raise VenueError(-2027)

    def _register(self, request: OrderRequest, quantity: Decimal) -> Order:
        now_ms = self.journal.now_ms
        order = Order(request, next(self._order_ids), now_ms, now_ms, quantity)
        self.orders[order.order_id] = order
        self.ledger.log(EventKind.ORDER_ACCEPTED, order, quantity=quantity, price=request.price)
        return order

    def _fill(self, order: Order, level: Level, fee_ratio: Decimal) -> None:
        if level.quantity <= 0:
            return
        amount = self.account.position(order.request.symbol).amount
        closing = ZERO
        if amount * order.request.side.sign < 0:
            closing = min(level.quantity, abs(amount))
        for part in (closing, level.quantity - closing):
            if part:
                self._book(order, Level(level.price, part), fee_ratio)

    def _book(self, order: Order, level: Level, fee_ratio: Decimal) -> None:
        order.executed += level.quantity
        order.quote += level.quantity * level.price
        order.updated_ms = self.journal.now_ms
        order.status = OrderStatus.PARTIALLY_FILLED
        if order.remaining == 0:
            order.status = OrderStatus.FILLED
            self._open.pop(order.order_id, None)
        self.ledger.book(order, level, fee_ratio)
        symbol = order.request.symbol
        if not self.account.position(symbol).amount:
            self._expire_reducing(symbol)
            self.on_flat(symbol)

    def _expire_reducing(self, symbol: str) -> None:
        for order in self.open_orders(symbol):
            if order.request.reduce_only:
                self._close(order, OrderStatus.EXPIRED, EventKind.ORDER_EXPIRED)

    def _close(self, order: Order, status: OrderStatus, kind: EventKind) -> None:
        order.status = status
        order.updated_ms = self.journal.now_ms
        self._open.pop(order.order_id, None)
        self.ledger.log(kind, order, quantity=order.remaining)


def _may_rest(request: OrderRequest) -> bool:
    return request.type is OrderType.LIMIT and request.tif in {TimeInForce.GTC, TimeInForce.GTX}


def _check_time_in_force(request: OrderRequest, quantity: Decimal, fills: Sequence[Level]) -> None:
    if request.tif is TimeInForce.GTX and fills:
        raise VenueError(-5022)
    if request.tif is TimeInForce.FOK and sum(level.quantity for level in fills) < quantity:
        raise VenueError(-5021)
