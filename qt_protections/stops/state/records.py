"""What Freqtrade's records say of a pair's stops."""

from datetime import datetime

from freqtrade.persistence import Order, Trade
from sqlalchemy import or_, select

from qt_protections.stops.state.pair import PairState
from qt_protections.stops.state.stop import Stop
from qt_protections.stops.state.unbooked_fill import OF_ENTRIES

#: Where a trade shows its stop; `/list_custom_data` prints it.
STOP_RECORD = "qt_stop"


def read_stops(held: PairState, trade: Trade | None) -> None:
    """Bring the book up to date with what Freqtrade saw, where the exchange cannot list them.

    Args:
        held: The pair's page of the book. A stop that no trade has on record yet stays on it.
        trade: Its open trade; None without one.
    """
    held.stops = [stop for stop in held.stops if not _has_ended(stop)]
    if trade is None:
        return
    for row in trade.open_sl_orders:
        if held.stop_of(row.order_id) is None and row.order_id not in held.released:
            held.stops.append(_stop_of(row, is_short=trade.is_short))


def stops_since(pair: str, since: datetime) -> list[str]:
    """Return the ids of a pair's stops, of whichever trade, that were live or filled since then."""
    rows = select(Order.order_id).where(
        Order.ft_pair == pair,
        Order.ft_order_side == "stoploss",
        or_(Order.ft_is_open, Order.order_filled_date >= since),
    )
    return list(Order.session.scalars(rows))


def is_on_record(order_id: str, pair: str) -> bool:
    """Whether some trade books an order by its own id; an empty one is no order's."""
    return bool(order_id) and Order.order_by_id(order_id, pair) is not None


def filled_since(pair: str, since: datetime) -> set[str]:
    """Return the exchange's ids of orders of a pair, stops apart, that were sent since and filled.

    Those of whichever trade.
    """
    rows = select(Order.order_id).where(
        Order.ft_pair == pair,
        Order.ft_order_side != "stoploss",
        Order.order_date >= since,
        Order.filled > 0,
    )
    return {order_id.removesuffix(OF_ENTRIES) for order_id in Order.session.scalars(rows)}


def _has_ended(stop: Stop) -> bool:
    row = Order.order_by_id(stop.order_id, stop.pair)
    return row is not None and not row.ft_is_open


def _stop_of(row: Order, *, is_short: bool) -> Stop:
    order = {**row.to_ccxt_object(), "side": "buy" if is_short else "sell"}
    return Stop(row.ft_pair, is_short, row.safe_amount, row.stop_price or row.ft_price, order)
