"""The order of a trade's rows: Freqtrade books fills by walking the rows, not by the time.

A stop's row is as old as the stop. Where a partial exit and a further entry came before the stop
fired, the walk would take the stop's fill for the first exit, at another average price.
"""

import logging
from itertools import pairwise
from math import inf

from freqtrade.constants import NON_OPEN_EXCHANGE_STATES
from freqtrade.persistence import Order, Trade
from freqtrade.util import dt_from_ts, dt_ts
from sqlalchemy import Table, delete, insert
from sqlalchemy.exc import SQLAlchemyError

from qt_protections.errors import withhold_secrets
from qt_protections.rules.pairs import symbol_of
from qt_protections.stops.venue.protocol import CcxtOrder

logger = withhold_secrets(logging.getLogger(__name__))


def note_fill(row: Order, order: CcxtOrder) -> None:
    """Note on a row when its order filled; Freqtrade takes over the rest when it books the fill.

    Args:
        row: The record of the order.
        order: The order as the exchange tells of it; nothing is noted while it may fill further.
    """
    is_over = order.get("status") in NON_OPEN_EXCHANGE_STATES
    if is_over and float(order.get("filled") or 0.0) > 0 and row.order_filled_date is None:
        # Of an order that was cancelled after a part, ccxt tells the time of its end alone.
        filled_ms = order.get("lastTradeTimestamp") or order.get("lastUpdateTimestamp")
        row.order_filled_date = dt_from_ts(float(filled_ms or dt_ts()))


def note_fill_on_record(pair: str, order: CcxtOrder) -> None:
    """Note a fill on whichever trade has the order, before Freqtrade books the fill there.

    Nothing is raised: the caller is Freqtrade, which would end without booking the fill at all.
    """
    try:
        row = Order.order_by_id(str(order["id"]), pair)
        if row is None or not isinstance(row.trade, Trade):
            return  # its trade was deleted
        note_fill(row, order)
        set_in_order(row.trade)
    except SQLAlchemyError:
        Trade.rollback()
        logger.exception(
            "[ALERT] The fills of %s could not be put in order: its profit may be booked wrong.",
            symbol_of(pair),
        )


def set_in_order(trade: Trade) -> bool:
    """Put a trade's rows in the order in which they filled; return whether a row had to move.

    Rows are read in the order of their ids. A row that moves keeps its object in this thread, and
    gets a new id: whoever still knows the row by the old id then writes to no row, rather than to
    another order's.
    """
    written = sorted(trade.orders, key=lambda row: inf if row.id is None else row.id)
    filled = sorted(
        ((row.order_filled_utc, place) for place, row in enumerate(written) if row.order_filled_utc)
    )
    places = [place for _, place in filled]
    in_place = 1 + next((n for n, (a, b) in enumerate(pairwise(places)) if a > b), len(places))
    moving = [written[place] for place in places[in_place:]]
    if not moving:
        return False
    Trade.session.flush()  # new rows get their ids; and SQLite is locked until the commit
    for row in moving:
        row.id = _next_id(row)
        Trade.session.flush()
    Trade.commit()
    return True


def _next_id(row: Order) -> int:
    """Return the id that the database gives out next: one made up could be given out again."""
    table: Table = Order.__table__  # type: ignore[assignment]
    placeholder = insert(table).values(
        ft_trade_id=row.ft_trade_id,
        ft_order_side=row.ft_order_side,
        ft_pair=row.ft_pair,
        ft_is_open=False,
        ft_amount=0.0,
        ft_price=0.0,
        order_id=f"place of {row.order_id}",
    )
    connection = Trade.session.connection()
    number: int = connection.execute(placeholder).inserted_primary_key[0]  # type: ignore[index]
    connection.execute(delete(table).where(table.c.id == number))
    return number
