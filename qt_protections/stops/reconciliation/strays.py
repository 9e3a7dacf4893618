"""Entries of this bot's that no trade accounts for, by the exchange's own lists of orders."""

import logging
from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta

from freqtrade.persistence import Order
from freqtrade.util import dt_now, dt_ts

from qt_protections.errors import withhold_secrets
from qt_protections.rules.amounts import subtract_exact, sum_exact
from qt_protections.rules.pairs import symbol_of
from qt_protections.stops.manager import StopManager
from qt_protections.stops.state.client_ids import Role
from qt_protections.stops.state.pair import PairState
from qt_protections.stops.state.records import filled_since, is_on_record, stops_since
from qt_protections.stops.state.stop import filled_ms, part_of
from qt_protections.stops.state.unbooked_fill import OF_ENTRIES
from qt_protections.stops.venue.protocol import CcxtOrder

logger = withhold_secrets(logging.getLogger(__name__))

#: How far back orders are asked for.
HISTORY_SPAN = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Strays:
    """What the order history tells of entries that no trade accounts for.

    Attributes:
        entries: Since they were last closed in whole.
        closes: What closed of them.
        known: The position by the orders of the last day, whoever sent them; base currency.
        lags: Whether an order is missing that has filled by the records of trades.
    """

    entries: list[CcxtOrder]
    closes: list[CcxtOrder]
    known: float
    lags: bool


class StrayEntries:
    """Finds and cancels entries that an earlier run, or a closed trade, left behind."""

    def __init__(self, manager: StopManager) -> None:
        """Take who knows the exchange, and this bot's orders."""
        self._manager = manager

    def cancel(self, pair: str | None = None) -> None:
        """Cancel entries an earlier run sent and did not live to put on record.

        Args:
            pair: Only those of one pair; of all if None.

        Raises:
            RequestError: If the exchange does not answer.
        """
        for order in self._manager.venue.open_orders(pair):
            if self._is_stray(order):
                logger.warning(
                    "Cancelling entry %s of %s: no trade has it.",
                    order["id"],
                    symbol_of(order["symbol"]),
                )
                self._manager.venue.cancel_order(order["symbol"], str(order["id"]))

    def find(self, held: PairState, *, is_short: bool) -> Strays:
        """Find this bot's filled entries that no trade accounts for, and what closed of them.

        The orders of the last day are netted as they filled. Whatever closed a part of the
        position, whoever sent it, is taken off the entries first: what remains of them is never
        more than is theirs, and a database that was lost makes no trade of somebody's position.

        Args:
            held: The pair; what its trade has booked, or is about to, closed none of them.
            is_short: Side of the position.

        Raises:
            RequestError: If the exchange does not answer.
        """
        since = dt_now() - HISTORY_SPAN
        pair = held.pair
        # Trades book what their stops became by the stop's id.
        of_stops = self._manager.history.children(pair, stops_since(pair, since))
        booked = of_stops.keys() | held.ledger.booked
        entry_side = "sell" if is_short else "buy"
        entries: list[CcxtOrder] = []
        closes: list[CcxtOrder] = []
        left = known = 0.0
        found = {str(o["id"]): o for o in self._manager.venue.orders_since(pair, dt_ts(since))}
        for order in sorted(found.values(), key=filled_ms):
            filled = 0.0 if order.get("status") == "open" else float(order.get("filled") or 0.0)
            known = (sum_exact if order["side"] == entry_side else subtract_exact)(known, filled)
            if order["side"] == entry_side and filled and self._is_stray(order):
                entries.append(order)
                left = sum_exact(left, filled)
            elif order["side"] != entry_side and filled:
                closes += (parts := self._unbooked(order, booked))
                left = subtract_exact(left, *(float(part["filled"]) for part in parts))
            if not left:
                entries, closes = [], []
        lags = not filled_since(pair, since) <= found.keys()
        return Strays(entries, closes, known, lags)

    @staticmethod
    def _unbooked(order: CcxtOrder, booked: Collection[str]) -> list[CcxtOrder]:
        """Return what no trade has booked of a close: all, a part under another name, or nothing.

        That part may have been somebody else's, or of entries whose trade a kill forgot.
        """
        name = str(order["id"])
        of_entries = f"{name}{OF_ENTRIES}"
        row = Order.order_by_id(name, order["symbol"])
        if row is None:
            return [] if name in booked else [order]
        left = subtract_exact(float(order["filled"]), row.ft_amount)
        if not left or of_entries in booked or is_on_record(of_entries, order["symbol"]):
            return []
        return [{**part_of(order, left), "id": of_entries}]

    def _is_stray(self, order: CcxtOrder) -> bool:
        """Whether an order is an entry of this bot's that no trade accounts for."""
        name = self._manager.namer.mine(order.get("clientOrderId"))
        if name is None or name.role is not Role.ENTRY:
            return False
        row = Order.order_by_id(str(order["id"]), order["symbol"])
        if row is None:
            return True
        rests = order.get("status") == "open"
        return _outlived_its_trade(row, rests=rests) or _outlived_its_record(
            row, order, rests=rests
        )


def _outlived_its_trade(row: Order, *, rests: bool) -> bool:
    """Whether an entry rests, or filled, although its trade was closed before.

    Freqtrade lets it wait on, and books its fill on the closed trade.
    """
    trade, filled = row.trade, row.order_filled_utc
    closed = trade.close_date_utc
    if trade.is_open or closed is None:
        return False
    return rests or (filled is not None and filled > closed)


def _outlived_its_record(row: Order, order: CcxtOrder, *, rests: bool) -> bool:
    """Whether an entry rests, or filled, although it counts as cancelled on its open trade.

    Freqtrade takes an order for cancelled that the exchange could not tell of when a bot started.
    """
    is_over = row.trade.is_open and not row.ft_is_open
    return is_over and (rests or float(order.get("filled") or 0.0) > row.safe_filled)
