"""When a conditional order fires, and the order that its trigger sends. Prices in USDT."""

from decimal import Decimal

from qt_protections.rehearsal.engine.account import ZERO
from qt_protections.rehearsal.engine.orders import (
    AlgoOrder,
    AlgoRequest,
    AlgoType,
    Cause,
    OrderRequest,
    OrderType,
    WorkingType,
)
from qt_protections.rehearsal.market.book import Side
from qt_protections.rehearsal.market.tape import Tape

TAKE_PROFITS = frozenset({AlgoType.TAKE_PROFIT, AlgoType.TAKE_PROFIT_MARKET})


def is_crossed(algo_type: AlgoType, side: Side, trigger: Decimal, price: Decimal) -> bool:
    """Say whether a fixed trigger is met.

    A stop SELL fires at or below its trigger, a stop BUY at or above; take-profits mirrored.
    """
    falls = (side is Side.SELL) is (algo_type not in TAKE_PROFITS)
    return price <= trigger if falls else price >= trigger


def follow(side: Side, extreme: Decimal, price: Decimal) -> Decimal:
    """Return the best price a trailing stop has seen: highest for SELL, lowest for BUY."""
    return max(extreme, price) if side is Side.SELL else min(extreme, price)


def is_trailing_crossed(request: AlgoRequest, extreme: Decimal, price: Decimal) -> bool:
    """Say whether a trailing stop is active and the price came back by its callback."""
    if request.callback_ratio is None or not is_active(request, extreme):
        return False
    if request.side is Side.SELL:
        return price <= extreme * (1 - request.callback_ratio)
    return price >= extreme * (1 + request.callback_ratio)


def fires(request: AlgoRequest, extreme: Decimal, price: Decimal) -> bool:
    """Say whether `request` fires at `price`, having seen `extreme`."""
    if request.type.is_trailing:
        return is_trailing_crossed(request, extreme, price)
    if request.trigger_price is None:
        return False
    return is_crossed(request.type, request.side, request.trigger_price, price)


def fires_at_once(request: AlgoRequest, price: Decimal) -> bool:
    """Say whether the exchange must refuse `request` (-2021) because it would fire at `price`.

    A trailing stop's activation price has to lie beyond the latest price: above for SELL, below
    for BUY.
    """
    if not request.type.is_trailing:
        return fires(request, price, price)
    return request.activate_price is not None and is_active(request, price)


def is_active(request: AlgoRequest, extreme: Decimal) -> bool:
    """Say whether a trailing stop that has seen `extreme` follows the price."""
    if request.activate_price is None:
        return True
    return (extreme - request.activate_price) * -request.side.sign >= 0


def working_price(request: AlgoRequest, tape: Tape) -> Decimal:
    """Return the present price that a trigger is compared with: the mark price, or the last."""
    by_mark = request.working_type is WorkingType.MARK_PRICE
    return tape.mark(request.symbol) if by_mark else tape.last(request.symbol)


def is_price_protected(request: AlgoRequest, tape: Tape) -> bool:
    """Say whether `priceProtect` holds a trigger back: last and mark price are too far apart."""
    apart = abs(tape.last(request.symbol) / tape.mark(request.symbol) - 1)
    limit = tape.instrument(request.symbol).trigger_protect_ratio
    return request.price_protect and apart > limit


def child_of(algo: AlgoOrder, held: Decimal) -> OrderRequest:
    """Return the order that a trigger sends.

    Args:
        algo: The conditional order.
        held: Size of the position, base units: an order without a quantity closes all of it.
    """
    request, quantity = algo.request, algo.request.quantity
    return OrderRequest(
        symbol=request.symbol,
        side=request.side,
        type=OrderType.LIMIT if request.type.is_limit else OrderType.MARKET,
        quantity=held if quantity is None else quantity,
        # The documents do not say what the child order is called; this name promises nothing.
        client_id=f"algo_{algo.algo_id}",
        price=ZERO if request.price is None else request.price,
        tif=request.tif,
        reduce_only=request.reduces,
        close_position=request.close_position,
        cause=Cause.of(request.type),
        algo_id=algo.algo_id,
    )
