"""The plain order desk: takes orders, fills them against the book, lets the rest rest."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal
from itertools import count

from qt_protections.rehearsal.engine.account import MAKER_FEE_RATIO, TAKER_FEE_RATIO, ZERO
from qt_protections.rehearsal.engine.ledger import Ledger
from qt_protections.rehearsal.engine.liquidity import Liquidity
from qt_protections.rehearsal.engine.margin import Valuation
from qt_protections.rehearsal.engine.margin_check import MarginCheck
from qt_protections.rehearsal.engine.order_filters import OrderFilters
from qt_protections.rehearsal.engine.order_store import OrderStore
from qt_protections.rehearsal.engine.orders import Order, OrderRequest, OrderStatus, TimeInForce
from qt_protections.rehearsal.engine.resting import Turns
from qt_protections.rehearsal.errors import VenueError
from qt_protections.rehearsal.journal import EventKind
from qt_protections.rehearsal.market.book import Level
from qt_protections.rehearsal.market.tape import Tape


class Desk:
    """Takes plain orders, fills them against the book, and books the fills.

    Attributes:
        orders: The latest orders and all that rest, by number, and by symbol and client id.
        liquidity: What the book offers.
        valuation: What positions are worth and need.
        margin: What is free for new positions.
        filters: What an order has to pass.
        opened_ms: When each symbol's position was last opened from flat, epoch milliseconds.
        on_flat: Called with the symbol whose position is closed.
    """

    def __init__(self, tape: Tape, ledger: Ledger, depth_ratio: float = 1.0) -> None:
        """Open a desk.

        Args:
            tape: Prices.
            ledger: The account, its history, and the exchange's time.
            depth_ratio: Book depth as a ratio of the usual.
        """
        self.tape, self.ledger = tape, ledger
        self.account, self.journal = ledger.account, ledger.journal
        self.orders = OrderStore[Order](lambda order: not order.is_open)
        self.liquidity = Liquidity(tape, depth_ratio)
        self.valuation = Valuation(self.account, tape)
        self.margin = MarginCheck(self.account, tape, self.valuation, self.orders)
        self.filters = OrderFilters(tape, self.liquidity, self.orders)
        self.on_flat: Callable[[str], None] = lambda _symbol: None
        self.opened_ms: dict[str, int] = {}
        self._order_ids = count(8_000_000_001)

    def open_orders(self, symbol: str | None = None) -> list[Order]:
        """Return the resting orders, oldest first."""
        return self.orders.open(symbol)

    def place(self, request: OrderRequest) -> Order:
        """Take an order from the client.

        Raises:
            VenueError: With the code Binance refuses it with.
        """
        self.filters.check(request)
        return self.enter(request)

    def enter(self, request: OrderRequest) -> Order:
        """Send an order to the engine: a client's, or the child of a triggered stop.

        Raises:
            VenueError: -2022, -4118, -2019, -2027, -5021 or -5022.
        """
        quantity = request.quantity
        if request.reduce_only:
            quantity = self._reducible(request, quantity)
        fills = self.liquidity.fills(request, quantity)
        _check_time_in_force(request, quantity, fills)
        if not request.reduce_only:
            self.margin.check(request, quantity, fills)
        order = self._register(request, quantity)
        self._take_and_rest(order, fills)
        return order

    def execute(self, request: OrderRequest, fills: Sequence[Level], fee_ratio: Decimal) -> Order:
        """Fill an order of the exchange's own, whatever account and filters say.

        Args:
            request: The order.
            fills: Prices in USDT and sizes in base units, the whole order together.
            fee_ratio: Fee as a ratio of the fills' value.
        """
        order = self._register(request, request.quantity)
        for level in fills:
            self._fill(order, level, fee_ratio)
        return order

    def amend(self, order: Order, price: Decimal, quantity: Decimal) -> None:
        """Give a resting order another price (USDT) and size (base units); it queues anew.

        It is cancelled if `quantity` is filled already, or if it is GTX and would take.

        Raises:
            VenueError: -4016, -4024, -2022, -4118, -2019 or -2027; the order stays as it was.
        """
        request = replace(order.request, price=price, quantity=quantity)
        left = quantity - order.executed
        with self.orders.set_aside(order.order_id):
            self.filters.check_moment(request)
            if request.reduce_only:
                left = self._reducible(request, left)
            fills = self.liquidity.fills(request, left)
            if left <= 0 or (request.tif is TimeInForce.GTX and fills):
                self._close(order, OrderStatus.CANCELED, EventKind.ORDER_CANCELED)
                return
            if not request.reduce_only:
                self.margin.check(request, left, fills)
        order.request, order.quantity = request, order.executed + left
        order.updated_ms = self.journal.now_ms
        self.ledger.log(EventKind.ORDER_AMENDED, order, quantity=order.quantity, price=price)
        self._take_and_rest(order, fills)

    def find(self, symbol: str, order_id: int | None, client_id: str | None) -> Order | None:
        """Return an order of `symbol` by its number, else the open or latest one of that name."""
        if order_id is not None:
            order = self.orders.get(order_id)
            return order if order is not None and order.request.symbol == symbol else None
        if client_id is None:
            return None
        namesakes = (o for o in self.open_orders(symbol) if o.request.client_id == client_id)
        return next(namesakes, None) or self.orders.named((symbol, client_id))

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
        """Fill resting orders at their own price: whole once the last price is through it.

        At the price itself they take turns with the queue; see `resting`.
        """
        turns = Turns(self.tape)
        for order in self.open_orders():
            request, symbol = order.request, order.request.symbol
            gap = (self.tape.last(symbol) - request.price) * request.side.sign
            if gap > 0 or not order.is_open:
                continue
            share = turns.take(order) if gap == 0 else order.remaining
            if request.reduce_only:
                share = min(share, abs(self.account.position(symbol).amount))
            self._fill(order, Level(request.price, share), MAKER_FEE_RATIO)

    def _reducible(self, request: OrderRequest, quantity: Decimal) -> Decimal:
        """Return how much of `quantity` can reduce the position; refuse with -2022 or -4118."""
        amount = self.account.position(request.symbol).amount
        if amount * request.side.sign >= 0:
            raise VenueError(-2022)
        reducible = min(quantity, abs(amount))
        self.margin.check_flip(request, reducible)
        return reducible

    def _register(self, request: OrderRequest, quantity: Decimal) -> Order:
        now_ms = self.journal.now_ms
        order = Order(request, next(self._order_ids), now_ms, now_ms, quantity)
        self.orders.add(order.order_id, (request.symbol, request.client_id), order)
        self.ledger.log(EventKind.ORDER_ACCEPTED, order, quantity=quantity, price=request.price)
        return order

    def _take_and_rest(self, order: Order, fills: Sequence[Level]) -> None:
        for level in fills:
            self._fill(order, level, TAKER_FEE_RATIO)
        if not order.is_open:
            return
        if not order.request.may_rest:
            self._close(order, OrderStatus.EXPIRED, EventKind.ORDER_EXPIRED)
            return
        order.ahead = self.liquidity.ahead(order.request)
        self.orders.has_opened(order.order_id, order)

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
            self.orders.has_ended(order.order_id)
        symbol = order.request.symbol
        if not self.account.position(symbol).amount:
            self.opened_ms[symbol] = self.journal.now_ms
        self.ledger.book(order, level, fee_ratio)
        if not self.account.position(symbol).amount:
            for other in self.open_orders(symbol):
                if other.request.reduce_only:
                    self._close(other, OrderStatus.EXPIRED, EventKind.ORDER_EXPIRED)
            self.on_flat(symbol)

    def _close(self, order: Order, status: OrderStatus, kind: EventKind) -> None:
        order.status = status
        order.updated_ms = self.journal.now_ms
        self.orders.has_ended(order.order_id)
        self.ledger.log(kind, order, quantity=order.remaining)


def _check_time_in_force(request: OrderRequest, quantity: Decimal, fills: Sequence[Level]) -> None:
    if request.tif is TimeInForce.GTX and fills:
        raise VenueError(-5022)
    if request.tif is TimeInForce.FOK and sum(level.quantity for level in fills) < quantity:
        raise VenueError(-5021)
