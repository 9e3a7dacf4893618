"""What Freqtrade's trades learn from the book: stops that stand, and fills that nobody booked."""

import logging

from freqtrade.persistence import Order, Trade
from freqtrade.persistence.custom_data import _CustomData
from sqlalchemy.exc import SQLAlchemyError

from qt_protections.errors import withhold_secrets
from qt_protections.rules.amounts import sum_exact
from qt_protections.rules.pairs import symbol_of
from qt_protections.stops.entry_cover import EntryCover
from qt_protections.stops.reconciliation.trade_cache import write_down
from qt_protections.stops.reconciliation.trade_writer import (
    add_stop,
    adopt,
    claim_stop,
    has_filled,
    keep_order,
    release,
    row_of,
    take_exit,
)
from qt_protections.stops.state.pair import PairState
from qt_protections.stops.state.records import STOP_RECORD
from qt_protections.stops.state.stop import Stop
from qt_protections.stops.state.unbooked_fill import UnbookedFill
from qt_protections.stops.trade_stop import follow

logger = withhold_secrets(logging.getLogger(__name__))


class TradeUpdater:
    """Writes what the book knows to the trade of a pair, and shows the stop there."""

    def __init__(self, cover: EntryCover, failed: set[str], *, is_watched: bool) -> None:
        """Take who knows where stops are placed.

        Args:
            cover: Says whether the stop of a pair stands before its entry.
            failed: Takes the pairs that the next loop has to see to.
            is_watched: Whether the exchange's stops can be listed.
        """
        self._cover = cover
        self._failed = failed
        self._is_watched = is_watched
        self._recorded: dict[int, object] = {}

    def write(self, held: PairState, trade: Trade) -> None:
        """Book what closed the trade, and put the stops on record that stand for it."""
        forget_booked(held, trade)
        # Freqtrade counts an entry when that is over, and would end a trade that has none yet.
        for fill in held.ledger.unbooked_fills if trade.has_open_position else []:
            if fill.is_of_entries and held.closed_entries:
                continue  # the trade that books those entries books their close
            if fill.stop is not None and not fill.reason:
                add_stop(trade, fill.stop)
            else:
                take_exit(trade, fill.order, fill.reason)
        fired = {fill.stop.order_id for fill in held.ledger.unbooked_fills if fill.stop is not None}
        for order_id in held.released - fired:
            release(trade, order_id)
        held.released.clear()
        on_record = {order.order_id for order in trade.open_sl_orders}
        covers = covers_of(held, trade)
        new = [stop for stop in covers if stop.order_id not in on_record]
        for stop in new:
            claim_stop(trade, stop.order_id)
            adopt(trade, stop)
        if new:
            follow(trade, covers[-1].trigger)
        if self._is_watched:  # others do not tell when an order filled
            keep_order(trade)
        held.ledger.known_to_freqtrade = frozenset(order.order_id for order in trade.open_sl_orders)
        if Trade.session.new:
            # A row that waits for Freqtrade's next commit outlives a trade that remote control
            # deletes meanwhile, and joins whichever trade gets the ID next.
            write_down()
        self._record(held, trade)

    def _record(self, held: PairState, trade: Trade) -> None:
        cover = held.active_stop
        record = {
            "id": cover.order_id if cover else "",
            "client_id": str(cover.order.get("clientOrderId") or "") if cover else "",
            "price": held.trigger,
            "amount": sum_exact(*(stop.amount for stop in held.standing)),
            "state": state_of(held),
            "placement": "before_entry" if self._cover.beforehand(held.pair) else "on_fill",
            "latency_ms": round(held.latency_ms, 1),
            "steps": list(held.steps),  # the manager adds to its own
            "trailing": [trail.order_id for trail in held.trailing_stops],
        }
        if trade.id is None or self._recorded.get(trade.id) == record:
            return
        try:
            trade.set_custom_data(STOP_RECORD, record)
        except SQLAlchemyError as error:
            # Custom data have a session of their own. A commit that failed leaves it shut, and
            # what is shown of a stop must not take along what the trade is about to book.
            _CustomData.session.rollback()
            logger.warning(
                "The stop of %s could not be put on record, the next loop tries again: %s",
                symbol_of(trade.pair),
                error,
            )
            self._failed.add(held.pair)
            return
        self._recorded[trade.id] = record

    def forget_records(self, trades: dict[str, Trade]) -> None:
        """Keep what is on record of open trades only."""
        still_open = {trade.id for trade in trades.values()}
        self._recorded = {key: text for key, text in self._recorded.items() if key in still_open}


def covers_of(held: PairState, trade: Trade) -> list[Stop]:
    """Return the stops that stand for a trade, the one that counts last.

    Those of a turned position are no trade's. One whose fill the trade has booked is over, though
    nobody else may have heard of that yet.
    """
    if not trade.has_open_position or held.is_short != trade.is_short:
        return []
    return [stop for stop in held.same_side_stops if not has_filled(trade, stop.order_id)]


def cover_of(held: PairState, trade: Trade) -> Stop | None:
    """Return the stop that counts for a trade."""
    return next(reversed(covers_of(held, trade)), None)


def state_of(held: PairState) -> str:
    """Return what is known of a pair's stop: live, in doubt, or none."""
    cover = held.active_stop
    if cover is None:
        return "none"
    return "in doubt" if cover.track.is_in_doubt else "live"


def forget_booked(held: PairState, trade: Trade) -> None:
    """Forget the fills that a trade has booked, this one or an earlier one of the pair."""
    held.ledger.unbooked_fills = [
        fill
        for fill in held.ledger.unbooked_fills
        if not (_is_booked(trade, fill) or _is_anothers(trade, fill))
    ]


def _id_on_record(fill: UnbookedFill) -> str:
    """Return the id under which a trade books a fill: a stop's own, else the order's."""
    by_stop = fill.stop is not None and not fill.reason
    return fill.stop.order_id if fill.stop is not None and by_stop else str(fill.order["id"])


def _is_booked(trade: Trade, fill: UnbookedFill) -> bool:
    row = row_of(trade, _id_on_record(fill))
    return row is not None and not row.ft_is_open


def _is_anothers(trade: Trade, fill: UnbookedFill) -> bool:
    """Whether an earlier trade of the pair has booked the fill."""
    row = Order.order_by_id(_id_on_record(fill), trade.pair)
    return row is not None and row.ft_trade_id != trade.id
