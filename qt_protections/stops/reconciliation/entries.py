"""Entries the exchange may have and Freqtrade does not know of, brought to their end."""

import logging
import threading
from functools import partial
from time import monotonic
from typing import cast

from freqtrade.exchange import Exchange
from freqtrade.persistence import Order, Trade
from freqtrade.strategy.interface import IStrategy
from sqlalchemy import case, select

from qt_protections.errors import withhold_secrets
from qt_protections.portfolio.trades import open_trade
from qt_protections.rules.entries import EntryRequest
from qt_protections.rules.pairs import symbol_of
from qt_protections.stops.entry_cover import EntryCover
from qt_protections.stops.reconciliation.isolation import apart
from qt_protections.stops.reconciliation.strays import StrayEntries
from qt_protections.stops.reconciliation.trade_writer import (
    is_hollow,
    new_trade,
    take_entry,
    take_over_entry,
)
from qt_protections.stops.state.pair import PairState
from qt_protections.stops.state.pending_entry import PendingEntry
from qt_protections.stops.venue.protocol import CcxtOrder, RequestError

logger = withhold_secrets(logging.getLogger(__name__))

#: Seconds remote control may take from an entry's answer to its trade.
_OTHER_THREAD_S = 60.0
_EXIT_SIDE = case((Trade.is_short.is_(True), "buy"), else_="sell")
_OUTLIVED_EXITS = (
    select(Order)
    .join(Trade)
    .where(Order.ft_is_open, Trade.is_open.is_(False), Order.ft_order_side == _EXIT_SIDE)
)


class EntryReconciliation:
    """Settles entries whose answer was lost or never put on record.

    Attributes:
        tags: The tag of each pair's last entry.
        strays: Finds and cancels entries without a trade.
    """

    def __init__(self, strategy: IStrategy, exchange: Exchange, cover: EntryCover) -> None:
        """Take the bot's own objects."""
        self.tags: dict[str, str | None] = {}
        self._strategy = strategy
        self._exchange = exchange
        self.strays = StrayEntries(cover.manager)
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
        if trade is not None and held.ledger.ends_first:
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
        if trade is not None and held.ledger.ends_first:
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
