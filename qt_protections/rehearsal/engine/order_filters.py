"""The filters that a plain order has to pass: its name, its size, its price, and the moment."""

from qt_protections.rehearsal.engine.filters import check_counterparty, check_limit_price
from qt_protections.rehearsal.engine.liquidity import Liquidity
from qt_protections.rehearsal.engine.order_store import OrderStore
from qt_protections.rehearsal.engine.orders import Order, OrderRequest, OrderType
from qt_protections.rehearsal.errors import VenueError
from qt_protections.rehearsal.market.tape import Tape


class OrderFilters:
    """Applies a contract's filters to an order at the present prices."""

    def __init__(self, tape: Tape, liquidity: Liquidity, orders: OrderStore[Order]) -> None:
        """Take prices, book and the orders that rest."""
        self._tape = tape
        self._liquidity = liquidity
        self._orders = orders

    def check(self, request: OrderRequest) -> None:
        """Refuse an order whose client id, size or price is against the rules.

        Raises:
            VenueError: With the code Binance refuses it with.
        """
        instrument = self._tape.instrument(request.symbol)
        if any(order.request.client_id == request.client_id for order in self._orders.open()):
            raise VenueError(-4116)
        is_market = request.type is OrderType.MARKET
        instrument.check_quantity(request.quantity, market=is_market)
        if not is_market:
            instrument.check_price(request.price)
        if not request.reduce_only:
            price = self._tape.mark(request.symbol) if is_market else request.price
            instrument.check_notional(request.quantity, price)
        self.check_moment(request)

    def check_moment(self, request: OrderRequest) -> None:
        """Refuse an order because of the present prices or the number of resting orders.

        Raises:
            VenueError: -4016, -4024, -4131 or -2025.
        """
        symbol, side = request.symbol, request.side
        instrument, mark = self._tape.instrument(symbol), self._tape.mark(symbol)
        if request.type is OrderType.LIMIT:
            check_limit_price(instrument, side, request.price, mark)
        else:
            check_counterparty(instrument, side, self._liquidity.best(symbol, side), mark)
        if request.may_rest and len(self._orders.open(symbol)) >= instrument.max_orders:
            raise VenueError(-2025)
