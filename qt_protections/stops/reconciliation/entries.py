"""Entries the exchange may have and Freqtrade does not know of, brought to their end."""

import logging
import threading
from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from time import monotonic
from typing import cast

from freqtrade.exchange import Exchange
from freqtrade.persistence import Order, Trade
from freqtrade.strategy.interface import IStrategy
from freqtrade.util import dt_now, dt_ts
from sqlalchemy import case, select

from qt_protections.errors import withhold_secrets
from qt_protections.portfolio.trades import open_trade
from qt_protections.rules.amounts import subtract_exact, sum_exact
from qt_protections.rules.entries import EntryRequest
from qt_protections.rules.pairs import symbol_of
from qt_protections.stops.entry_cover import EntryCover
from qt_protections.stops.reconciliation.isolation import apart
from qt_protections.stops.reconciliation.trade_writer import (
    is_hollow,
    new_trade,
    take_entry,
    take_over_entry,
)
from qt_protections.stops.state.client_ids import Role
from qt_protections.stops.state.pair import PairState
from qt_protections.stops.state.pending_entry import PendingEntry
from qt_protections.stops.state.records import filled_since, is_on_record, stops_since
from qt_protections.stops.state.stop import filled_ms, part_of
from qt_protections.stops.state.unbooked_fill import OF_ENTRIES
from qt_protections.stops.venue.protocol import CcxtOrder, RequestError

logger = withhold_secrets(logging.getLogger(__name__))

#: Seconds for which the exchange may not yet show what was entered.
SURPLUS_LAG_S = 3.0
#: How far back orders are asked for.
HISTORY_SPAN = timedelta(days=1)
#: Seconds remote control may take from an entry's answer to its trade.
_OTHER_THREAD_S = 60.0
_EXIT_SIDE = case((Trade.is_short.is_(True), "buy"), else_="sell")
_OUTLIVED_EXITS = (
    select(Order)
    .join(Trade)
    .where(Order.ft_is_open, Trade.is_open.is_(False), Order.ft_order_side == _EXIT_SIDE)
)


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


class EntryReconciliation:
    """Settles entries whose answer was lost or never put on record.

    Attributes:
        tags: The tag of each pair's last entry.
    """

    def __init__(self, strategy: IStrategy, exchange: Exchange, cover: EntryCover) -> None:
        """Take the bot's own objects."""
        self.tags: dict[str, str | None] = {}
        self._strategy = strategy
        self._exchange = exchange
        self._cover = cover
        self._manager = cover.manager

    @staticmethod
    def has_to_settle(held: PairState, trade: Trade | None) -> bool:
        """Whether something is under way, or a trade is left without an entry."""
        return bool(held.pending_entries or held.exits) or (trade is not None and is_hollow(trade))

    def settle(self, held: PairState, trade: Trade | None) -> None:
        """Find out about each entry under way that no trade has on record."""
        with held.lock:
            exits = [partial(self._settle_exit, held, name) for name in held.exits]
            entries = [partial(self._settle_entry, held, each) for each in held.pending_entries]
            for settle in (*exits, *entries):
                try:
                    settle()
                except RequestError as error:
                    logger.warning("Could not ask for an order of %s: %s", held.pair, error)
            if trade is not None and not held.pending_entries and is_hollow(trade):
                # Freqtrade deletes one whose entry it could not replace, but not if the strategy
                # adjusts it: a refused entry then leaves a trade that stands in the way of others.
                logger.warning("[OK] No entry of %s ever filled: it is deleted.", trade)
                trade.delete()

    def take_up(
        self, held: PairState, trade: Trade | None, order: CcxtOrder, leverage: float, rate: float
    ) -> Trade:
        """Make a normal trade of an entry Freqtrade does not know of, or a part of the pair's."""
        is_short = order["side"] == "sell"
        entry = EntryRequest(held.pair, is_short, rate, leverage, float(order["amount"]))
        tag = self.tags.get(held.pair)
        trade = trade or self._new_trade(entry, tag)
        row = Order.order_by_id(str(order["id"]), held.pair)
        if row is None:
            take_entry(trade, order, tag)
        else:
            take_over_entry(trade, row)
        Trade.commit()
        if held.pending_of(str(order["id"])) is None:
            # The trade has not counted it before Freqtrade asks for it.
            pending = PendingEntry(entry, "", stop_first=False)
            pending.learn(order)
            held.pending_entries.append(pending)
        logger.warning(
            "[OK] Entry %s of %s was not on record and is a normal trade now: %s",
            order["id"],
            symbol_of(held.pair),
            trade,
        )
        return trade

    def cancel_strays(self, pair: str | None = None) -> None:
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

    @staticmethod
    def has_outlived_exits() -> bool:
        """Whether an exit rests although its trade is closed."""
        return bool(Order.session.scalar(select(_OUTLIVED_EXITS.exists())))

    def cancel_outlived_exits(self) -> None:
        """Cancel exits that rest although their trade is closed, by its stop or another hand.

        The stop stays live while an exit waits. Such an exit would close what comes next.
        """
        for row in Order.session.scalars(_OUTLIVED_EXITS).all():
            with apart(row.ft_pair):
                self._cancel_outlived(row)

    def _cancel_outlived(self, row: Order) -> None:
        venue = self._manager.venue
        try:
            order = venue.find_order(row.ft_pair, order_id=row.order_id)
            if order is not None and order["status"] == "open":
                logger.warning(
                    "Cancelling exit %s of %s: its trade is closed.",
                    row.order_id,
                    symbol_of(row.ft_pair),
                )
                venue.cancel_order(row.ft_pair, row.order_id)
                order = venue.find_order(row.ft_pair, order_id=row.order_id)
        except RequestError as error:
            logger.warning("Could not cancel exit %s: %s. Trying again.", row.order_id, error)
            return
        if order is not None and order["status"] != "open":
            row.update_from_ccxt_object(order)

    def open_strays(self, held: PairState, *, is_short: bool) -> Strays:
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
        booked = of_stops.keys() | held.booked
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

    def _settle_exit(self, held: PairState, client_id: str) -> None:
        """Find out about an exit that may be on no record, and book what it closed."""
        venue = self._manager.venue
        order = venue.find_order(held.pair, client_id=client_id)
        if order is None:
            if monotonic() - held.exits[client_id] > venue.arrives_within_s:
                del held.exits[client_id]
        elif Order.order_by_id(str(order["id"]), held.pair) is not None:
            del held.exits[client_id]  # Freqtrade books it
        elif order["status"] == "open":
            venue.cancel_order(held.pair, str(order["id"]))  # nobody would look after it
        else:
            del held.exits[client_id]
            if held.own:
                self._manager.history.book(held, order)

    def _settle_entry(self, held: PairState, pending: PendingEntry) -> None:
        # The entry before may have become a trade, and a pair has one at most.
        trade = cast(Trade | None, open_trade(held.pair))
        if self._is_with_a_trade(held, pending, trade):
            return
        mine = pending.thread in (None, threading.get_ident())
        if not mine and pending.age_s < _OTHER_THREAD_S:
            return  # remote control is still at it
        order = self._cover.find(held, pending)
        if order is None:
            return
        pending.learn(order)
        if self._is_with_a_trade(held, pending, trade):
            return
        if pending.is_void:
            held.pending_entries.remove(pending)
            return
        if trade is not None and held.ends_first:
            return
        self.take_up(held, trade, order, pending.entry.leverage, pending.entry.rate)

    def _is_with_a_trade(self, held: PairState, pending: PendingEntry, trade: Trade | None) -> bool:
        row = Order.order_by_id(pending.order_id, held.pair) if pending.order_id else None
        if row is not None and not row.trade.is_open:
            self._outlived(held, pending, row, trade)
        return row is not None

    def _outlived(
        self, held: PairState, pending: PendingEntry, row: Order, trade: Trade | None
    ) -> None:
        """Cancel an entry whose trade was closed by a stop: Freqtrade would let it wait on.

        What fills all the same is a position: it gets a trade of its own.
        """
        if not row.ft_is_open:
            held.pending_entries.remove(pending)  # its trade has come and gone
            return
        order = self._cover.find(held, pending)
        if order is None or order["status"] == "open":
            self._manager.closes.call_off(held)
            return
        pending.learn(order)
        if not pending.filled:
            row.update_from_ccxt_object(order)
            held.pending_entries.remove(pending)
            return
        if trade is not None and held.ends_first:
            return
        trade = trade or self._new_trade(pending.entry, row.ft_order_tag)
        take_over_entry(trade, row)
        Trade.commit()
        logger.warning(
            "[OK] Entry %s of %s filled after its trade was closed and is a trade of its own: %s",
            row.order_id,
            symbol_of(held.pair),
            trade,
        )

    def _new_trade(self, entry: EntryRequest, tag: str | None) -> Trade:
        trade = new_trade(self._exchange, self._strategy, entry, tag)
        Trade.session.add(trade)
        return trade

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
