"""Stops that are live on the exchange and not yet on a trade of Freqtrade's."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from freqtrade.exceptions import FreqtradeException
from freqtrade.exchange import Exchange
from freqtrade.persistence import LocalTrade, Trade

from qt_protections.snapshots import open_trade, symbol_of
from qt_protections.stops import protective_stop
from qt_protections.stops.adoption import adopt
from qt_protections.stops.protective_stop import ProtectiveStop

logger = logging.getLogger(__name__)


#: Where a trade keeps the stops that wait for its entry to fill; `/list_custom_data` shows it.
STATE = "qt_waiting_stops"


class WaitingStops:
    """Keeps every pre-placed stop until its trade adopts it or nothing is left to protect."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._stops: list[ProtectiveStop] = []
        self._in_flight: set[str] = set()
        self._unclaimed: set[str] = set()
        self._alerted: set[str] = set()
        self._remembered: dict[int, list[str]] = {}

    @contextmanager
    def entry_in_flight(self, stop: ProtectiveStop) -> Iterator[None]:
        """Keep a live stop, and keep it from the sweep while its entry is on its way."""
        self._stops.append(stop)
        self._in_flight.add(stop.order_id)
        try:
            yield
        finally:
            self._in_flight.discard(stop.order_id)

    def add(self, stop: ProtectiveStop) -> None:
        """Keep a live stop."""
        self._stops.append(stop)

    def forget(self, stop: ProtectiveStop) -> None:
        """Drop a stop that is no longer live."""
        self._stops.remove(stop)

    def holds(self, pair: str) -> bool:
        """Whether a stop of the pair still waits for its entry, or for a position to be found."""
        return bool(self._of(pair))

    def restore(self) -> None:
        """Take up the stops of open trades whose entries waited when the bot last ended."""
        for trade in Trade.get_open_trades():
            adopted = {order.order_id for order in trade.open_sl_orders}
            waiting = map(ProtectiveStop.from_state, trade.get_custom_data(STATE, default=[]))
            stops = [stop for stop in waiting if stop.order_id not in adopted]
            self._remembered[trade.id] = [stop.order_id for stop in stops]
            self._stops += stops

    def hand_over(self, trade: Trade) -> None:
        """Give the filled trade its newest stop, and withdraw the ones that one replaces."""
        mine = self._of(trade.pair)
        if not mine:
            return
        *older, newest = mine
        adopt(trade, newest)
        self._stops.remove(newest)
        for stop in older:
            self.give_up(stop)
        self._remember(trade)

    def give_up(self, stop: ProtectiveStop) -> None:
        """Withdraw a stop that protects nothing; one the exchange keeps is tried again."""
        if protective_stop.withdraw(self._exchange, stop):
            self._stops.remove(stop)
            self._unclaimed.discard(stop.order_id)

    def sweep(self) -> None:
        """Withdraw stops whose entry came to nothing; call it once a loop.

        An entry by remote control runs in a thread of its own and has no trade for a moment, so a
        stop is given up only when two sweeps in a row find nothing that claims it.
        """
        for stop in self._at_rest():
            if _is_claimed(open_trade(stop.plan.pair)):
                self._unclaimed.discard(stop.order_id)
            elif stop.order_id in self._unclaimed:
                self._give_up_unless_needed(stop)
            else:
                self._unclaimed.add(stop.order_id)
        for trade in Trade.get_open_trades():
            self._remember(trade)

    def settle(self) -> None:
        """Leave things in order when the bot ends: what still waits is on its trade's record."""
        for stop in self._at_rest():
            if not _is_claimed(open_trade(stop.plan.pair)):
                self._give_up_unless_needed(stop)
        for trade in Trade.get_open_trades():
            self._remember(trade)

    def _at_rest(self) -> list[ProtectiveStop]:
        return [stop for stop in self._stops if stop.order_id not in self._in_flight]

    def _of(self, pair: str) -> list[ProtectiveStop]:
        return [stop for stop in self._stops if stop.plan.pair == pair]

    def _remember(self, trade: Trade) -> None:
        """Write a trade's waiting stops to its record, when they changed."""
        waiting = self._of(trade.pair)
        ids = [stop.order_id for stop in waiting]
        if self._remembered.get(trade.id, []) != ids:
            trade.set_custom_data(STATE, [stop.as_state() for stop in waiting])
            self._remembered[trade.id] = ids

    def _give_up_unless_needed(self, stop: ProtectiveStop) -> None:
        if open_trade(stop.plan.pair) is None and self._may_be_needed(stop):
            if stop.order_id not in self._alerted:
                self._alerted.add(stop.order_id)
                logger.error(
                    "[ALERT] %s may have a position, or an entry order, without a trade; its stop "
                    "%s stays. Look at the exchange.",
                    symbol_of(stop.plan.pair),
                    stop.order_id,
                )
            return
        self.give_up(stop)

    def _may_be_needed(self, stop: ProtectiveStop) -> bool:
        """Whether the account has a position in the pair, or an order that may become one."""
        try:
            return protective_stop.may_be_needed(self._exchange, stop)
        except FreqtradeException as error:
            logger.warning("Could not read the position of %s: %s", stop.plan.pair, error)
            return True


def _is_claimed(trade: LocalTrade | None) -> bool:
    """Whether an entry still waits to fill, or a position has no other stop."""
    if trade is None:
        return False
    waits = any(order.ft_order_side == trade.entry_side for order in trade.open_orders)
    return waits or not trade.has_open_sl_orders
