"""The plain order desk: checks, fills, resting limit orders, reduce-only rules."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from decimal import ROUND_DOWN, Decimal
from itertools import count

from qt_protections.rehearsal.engine.account import MAKER_FEE_RATIO, TAKER_FEE_RATIO, ZERO
from qt_protections.rehearsal.engine.archive import Archive
from qt_protections.rehearsal.engine.filters import check_counterparty, check_limit_price
from qt_protections.rehearsal.engine.ledger import Ledger
from qt_protections.rehearsal.engine.margin import Valuation
from qt_protections.rehearsal.engine.orders import (
    Cause,
    Order,
    OrderRequest,
    OrderStatus,
    OrderType,
    TimeInForce,
)
from qt_protections.rehearsal.engine.resting import queued_volume, size_ahead, take_turn
from qt_protections.rehearsal.errors import VenueError
from qt_protections.rehearsal.journal import EventKind
from qt_protections.rehearsal.market.book import Level, Side, take
from qt_protections.rehearsal.market.tape import Tape

ADL_CLIENT_ID = "adl_autoclose"


class Desk:
    """Takes plain orders, fills them against the book, and books the fills.

    Attributes:
        orders: The latest orders and all that rest, by number, and by symbol and client id.
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
        self.tape = tape
        self.ledger = ledger
        self.account = ledger.account
        self.journal = ledger.journal
        self.valuation = Valuation(self.account, tape)
        self.orders = Archive[Order](lambda order: not order.is_open)
        self.on_flat: Callable[[str], None] = lambda _symbol: None
        self._depth_ratio = depth_ratio
        self.opened_ms: dict[str, int] = {}
        self._open: dict[int, Order] = {}
        self._order_ids = count(8_000_000_001)

    def open_orders(self, symbol: str | None = None) -> list[Order]:
        """Return the resting orders, oldest first."""
        # A copy, made in one step: who watches from another thread may ask while one is added.
        return [o for o in tuple(self._open.values()) if symbol in {None, o.request.symbol}]

    @contextmanager
    def shown_as(self, resting: Iterable[Order]) -> Iterator[None]:
        """Let `resting` be listed in place of what rests, until the context ends."""
        present, self._open = self._open, {order.order_id: order for order in resting}
        try:
            yield
        finally:
            self._open = present

    @property
    def available(self) -> Decimal:
        """USDT free for new positions: cross balance without position and resting-order margin."""
        return max(self.unbound, ZERO)

    @property
    def unbound(self) -> Decimal:
        """The same, below zero where positions and orders need more than there is."""
        resting = sum((self.order_margin(order) for order in self._open.values()), ZERO)
        return self.valuation.free - resting

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
        is_market = request.type is OrderType.MARKET
        instrument.check_quantity(request.quantity, market=is_market)
        if not is_market:
            instrument.check_price(request.price)
        if not request.reduce_only:
            price = self.tape.mark(request.symbol) if is_market else request.price
            instrument.check_notional(request.quantity, price)
        self.check_moment(request)

    def check_moment(self, request: OrderRequest) -> None:
        """Refuse an order because of the present prices or the number of resting orders.

        Raises:
            VenueError: -4016, -4024, -4131 or -2025.
        """
        symbol, side = request.symbol, request.side
        instrument, mark = self.tape.instrument(symbol), self.tape.mark(symbol)
        if request.type is OrderType.LIMIT:
            check_limit_price(instrument, side, request.price, mark)
        else:
            best = next(self.tape.book(symbol, side, self._depth_ratio), None)
            check_counterparty(instrument, side, None if best is None else best.price, mark)
        if _may_rest(request) and len(self.open_orders(symbol)) >= instrument.max_orders:
            raise VenueError(-2025)

    def enter(self, request: OrderRequest) -> Order:
        """Send an order to the engine: a client's, or the child of a triggered stop.

        Raises:
            VenueError: -2022, -4118, -2019, -2027, -5021 or -5022.
        """
        quantity = request.quantity
        if request.reduce_only:
            quantity = self._reducible(request)
            self._check_flip(request, quantity)
        fills = self._fills_now(request, quantity)
        _check_time_in_force(request, quantity, fills)
        if not request.reduce_only:
            self._check_margin(request, quantity, fills)
        order = self._register(request, quantity)
        self._take_and_rest(order, fills)
        return order

    def amend(self, order: Order, price: Decimal, quantity: Decimal) -> None:
        """Give a resting order another price (USDT) and size (base units); it queues anew.

        It is cancelled if `quantity` is filled already, or if it is GTX and would take.

        Raises:
            VenueError: -4016, -4024, -2022, -4118, -2019 or -2027; the order stays as it was.
        """
        request = replace(order.request, price=price, quantity=quantity)
        left = quantity - order.executed
        with self._set_aside(order):
            self.check_moment(request)
            if request.reduce_only:
                left = min(left, self._reducible(request))
                self._check_flip(request, left)
            fills = self._fills_now(request, left)
            if left <= 0 or (request.tif is TimeInForce.GTX and fills):
                self._close(order, OrderStatus.CANCELED, EventKind.ORDER_CANCELED)
                return
            if not request.reduce_only:
                self._check_margin(request, left, fills)
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
        for order in self.open_orders(symbol):
            if order.request.client_id == client_id:
                return order
        return self.orders.named((symbol, client_id))

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
        served: dict[tuple[str, Side], Decimal] = {}
        for order in self.open_orders():
            request, symbol = order.request, order.request.symbol
            gap = (self.tape.last(symbol) - request.price) * request.side.sign
            if gap > 0 or not order.is_open:
                continue
            share = order.remaining
            if gap == 0:
                step = self.tape.instrument(symbol).step
                left = served.get((symbol, request.side))
                if left is None:
                    left = queued_volume(self.tape.volume(symbol), step)
                share = take_turn(order, left)
                served[symbol, request.side] = left - share
            if request.reduce_only:
                share = min(share, abs(self.account.position(symbol).amount))
            self._fill(order, Level(request.price, share), MAKER_FEE_RATIO)

    def liquidate(self, symbol: str, limit: Decimal) -> tuple[Order, Decimal]:
        """Close a position for the exchange, without commission.

        Args:
            symbol: Exchange name.
            limit: Worst price in USDT; what the book does not take at it is closed at it.

        Returns:
            The order, and the base units that the book did not take.
        """
        amount = self.account.position(symbol).amount
        request = OrderRequest(
            symbol=symbol,
            side=Side.SELL if amount > 0 else Side.BUY,
            type=OrderType.LIMIT,
            quantity=abs(amount),
            client_id=f"autoclose-{self.journal.now_ms}{self.orders.added:06d}",
            price=limit,
            tif=TimeInForce.IOC,
            cause=Cause.LIQUIDATION,
        )
        order = self._register(request, request.quantity)
        for level in self._fills_now(request, request.quantity):
            self._fill(order, level, ZERO)
        left = order.remaining
        self._fill(order, Level(limit, left), ZERO)
        return order, left

    def deleverage(self, symbol: str, share: Decimal) -> Order:
        """Close a part of a position for the exchange, as auto-deleveraging does.

        Binance documents the client id. Assumed here: the mark price, and no commission.

        Args:
            symbol: Exchange name; it has a position.
            share: Part of the position, above 0 and at most 1; one step at least is closed.
        """
        amount, instrument = self.account.position(symbol).amount, self.tape.instrument(symbol)
        whole = abs(amount)
        part = (whole * share / instrument.step).to_integral_value(ROUND_DOWN) * instrument.step
        price = (self.tape.mark(symbol) / instrument.tick).to_integral_value() * instrument.tick
        request = OrderRequest(
            symbol=symbol,
            side=Side.SELL if amount > 0 else Side.BUY,
            type=OrderType.LIMIT,
            quantity=min(max(part, instrument.step), whole),
            client_id=ADL_CLIENT_ID,
            price=price,
            cause=Cause.ADL,
        )
        order = self._register(request, request.quantity)
        self._fill(order, Level(price, request.quantity), ZERO)
        return order

    def _reducible(self, request: OrderRequest) -> Decimal:
        amount = self.account.position(request.symbol).amount
        if amount * request.side.sign >= 0:
            raise VenueError(-2022)
        return min(request.quantity, abs(amount))

    def _check_flip(self, request: OrderRequest, quantity: Decimal) -> None:
        """Refuse a reduction (-4118) that would let resting orders turn the position, unpaid."""
        symbol, side = request.symbol, request.side
        resting = sum(
            (
                order.remaining
                for order in self.open_orders(symbol)
                if order.request.side is side and not order.request.reduce_only
            ),
            ZERO,
        )
        turned = min(resting + quantity - abs(self.account.position(symbol).amount), resting)
        if turned <= 0:
            return
        margin = turned * self.tape.mark(symbol) / self.account.leverage_of(symbol)
        if margin > self.available:
            raise VenueError(-4118)

    @contextmanager
    def _set_aside(self, order: Order) -> Iterator[None]:
        """Leave a resting order out of what is open and bound; it comes back if refused."""
        before = self._open.copy()
        del self._open[order.order_id]
        try:
            yield
        except VenueError:
            self._open = before
            raise

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
        released = self._released(request.symbol) if closing == abs(position.amount) else ZERO
        needed = notional * (1 / Decimal(leverage) + TAKER_FEE_RATIO)
        if notional and needed > self.unbound + released:
            raise VenueError(-2019)
        after = abs(position.amount + sign * quantity) * price
        limit = self.tape.instrument(request.symbol).largest_notional(leverage)
        if notional and after > limit:
            raise VenueError(-2027)

    def _released(self, symbol: str) -> Decimal:
        """Return the USDT that closing a position at its mark price sets free."""
        if symbol in self.account.isolated:
            margin = self.account.position(symbol).margin
            return max(margin + self.valuation.unrealized(symbol), ZERO)
        return self.valuation.initial(symbol)

    def _register(self, request: OrderRequest, quantity: Decimal) -> Order:
        now_ms = self.journal.now_ms
        order = Order(request, next(self._order_ids), now_ms, now_ms, quantity)
        self.orders.add(order.order_id, (request.symbol, request.client_id), order)
        self.ledger.log(EventKind.ORDER_ACCEPTED, order, quantity=quantity, price=request.price)
        return order

    def _take_and_rest(self, order: Order, fills: Sequence[Level]) -> None:
        request = order.request
        for level in fills:
            self._fill(order, level, TAKER_FEE_RATIO)
        if not order.is_open:
            return
        if not _may_rest(request):
            self._close(order, OrderStatus.EXPIRED, EventKind.ORDER_EXPIRED)
            return
        own_side = self.tape.book(request.symbol, request.side.opposite, self._depth_ratio)
        order.ahead = size_ahead(own_side, request.price, request.side)
        self._open[order.order_id] = order

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
        symbol = order.request.symbol
        if not self.account.position(symbol).amount:
            self.opened_ms[symbol] = self.journal.now_ms
        self.ledger.book(order, level, fee_ratio)
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
