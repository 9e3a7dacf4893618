"""Brings the guard's book and Freqtrade's trades together, on the thread that owns the trades.

The book learns from the trades what has to be covered; the trades learn from the book what stands,
what filled, and which entries the exchange has after all.
"""

import logging
import threading
from datetime import timedelta
from time import monotonic

from freqtrade.exchange import Exchange
from freqtrade.persistence import Order, Trade
from freqtrade.strategy.interface import IStrategy
from freqtrade.util import dt_now

from qt_protections.rules.stop_price import stop_price
from qt_protections.rules.trailing import TrailingRule
from qt_protections.snapshots import symbol_of
from qt_protections.stops.adoption import (
    add_stop,
    adopt,
    follow,
    new_trade,
    release,
    row_of,
    take_entry,
    take_exit,
)
from qt_protections.stops.book import EntryOrder, Fill, Held, Intent
from qt_protections.stops.keeper import Keeper
from qt_protections.stops.line import CcxtOrder, LineError, Position
from qt_protections.stops.names import Role
from qt_protections.stops.on_record import read_stops
from qt_protections.stops.watch import Watch

logger = logging.getLogger(__name__)

#: Where a trade shows its stop; `/list_custom_data` prints it.
STOP_RECORD = "qt_stop"
#: Seconds after which an entry nobody knows of cannot be executed any more: ccxt lets the exchange
#: take a request for 10 s after its time stamp (recvWindow).
NEVER_ARRIVES_S = 11.0
#: Seconds for which a position may still be shown after it was closed, or not yet after its fill.
POSITION_LAG_S = 3.0
#: Seconds remote control may take from an entry's answer to its trade.
_OTHER_THREAD_S = 60.0
_SAME = 1e-6


class Bookkeeping:
    """Runs in each of the bot's loops, after each fill, and after each word on a stop."""

    def __init__(
        self,
        strategy: IStrategy,
        exchange: Exchange,
        keeper: Keeper,
        watch: Watch | None,
        trailing: TrailingRule | None,
        *,
        blocks: bool,
    ) -> None:
        """Take the bot's own objects.

        Args:
            strategy: The guarded strategy.
            exchange: The bot's exchange.
            keeper: Who places and cancels.
            watch: Who compares with the exchange; None where the exchange cannot be listed.
            trailing: The native trailing stop; None without one.
            blocks: Whether a live stop keeps the asset from being sold otherwise: Freqtrade's own
                handling then cancels it before each exit, and the guard only places the first.
        """
        self._strategy = strategy
        self._exchange = exchange
        self._keeper = keeper
        self._watch = watch
        self._trailing = trailing
        self._blocks = blocks
        self._tags: dict[str, str | None] = {}
        self._odd: dict[str, int] = {}
        self._untrailed: dict[str, float] = {}
        self._recorded: dict[int, object] = {}
        self._started = False

    def tag(self, pair: str, tag: str | None) -> None:
        """Remember the tag of an entry about to go out, should its answer be lost."""
        self._tags[pair] = tag

    def unsettled(self, pair: str) -> bool:
        """Whether the exchange may hold more of a pair than any trade accounts for."""
        return self._keeper.book.of(pair).unsettled

    def loop(self) -> None:
        """Settle what is open, compare with the exchange, and tell the trades."""
        trades = self._open_trades()
        for held in self._keeper.book:
            self._settle_entries(held, trades.get(held.pair))
        trades = self._open_trades()
        for trade in trades.values():
            self._learn(self._keeper.book.of(trade.pair), trade)
        for held in self._keeper.book:
            if held.pair not in trades:
                self._let_go(held)
        self._compare(trades)
        for trade in trades.values():
            held = self._keeper.book.of(trade.pair)
            with held.lock:
                self._write(held, trade)
                self._trail(held, trade)
        Trade.commit()
        self._started = True

    def filled(self, trade: Trade) -> None:
        """Take in a fill Freqtrade has just booked, and hand the trade its stop."""
        held = self._keeper.book.of(trade.pair)
        with held.lock:
            self._learn(held, trade)
            if self._watch is not None and not self._started:
                # A fill the bot slept through: an earlier run's stop may stand, and be enough.
                self._watch.look_at(held)
            elif not self._blocks:
                self._keeper.mend(held)
            elif trade.has_open_position and not trade.has_open_orders:
                self._keeper.place_once(held)
            self._write(held, trade)
            self._trail(held, trade)

    def moved(self, trade: Trade) -> None:
        """Follow the strategy's stop with the live one, at once; never to a looser price."""
        held = self._keeper.book.of(trade.pair)
        with held.lock:
            if self._blocks or held.cover is None or not trade.has_open_position:
                return
            tick = trade.price_precision or 0.0
            gain = trade.stop_loss - held.cover.trigger
            if (-gain if trade.is_short else gain) > tick / 2:
                self._keeper.move(held, trade.stop_loss)
                self._write(held, trade)
            if trade.stop_loss != held.cover.trigger:
                follow(trade, held.cover.trigger)

    # Entries

    def _settle_entries(self, held: Held, trade: Trade | None) -> None:
        with held.lock:
            for intent in list(held.intents):
                try:
                    self._settle(held, intent, trade)
                except LineError as error:
                    logger.warning("Could not ask for an entry of %s: %s", held.pair, error)

    def _settle(self, held: Held, intent: Intent, trade: Trade | None) -> None:
        if intent.order_id and trade is not None and row_of(trade, intent.order_id) is not None:
            return
        age = monotonic() - intent.sent
        if not intent.lost and intent.thread != threading.get_ident() and age < _OTHER_THREAD_S:
            return  # remote control is still at it
        order = self._keeper.line.find_order(
            held.pair, order_id=intent.order_id or None, client_id=intent.client_id
        )
        if order is None:
            if age > NEVER_ARRIVES_S:
                logger.info("The entry of %s is not to be found.", symbol_of(held.pair))
                held.intents.remove(intent)
            return
        self._keeper.learn(intent, order)
        if intent.final and not intent.filled:
            held.intents.remove(intent)
            return
        self._take_up(held, trade, order, intent.entry.leverage, intent.entry.rate)

    def _take_up(
        self, held: Held, trade: Trade | None, order: CcxtOrder, leverage: float, rate: float
    ) -> None:
        """Make a normal trade of an entry Freqtrade does not know of."""
        tag = self._tags.get(held.pair)
        if trade is None:
            trade = new_trade(
                self._exchange,
                self._strategy,
                held.pair,
                order,
                leverage=leverage,
                rate=rate,
                tag=tag,
            )
            Trade.session.add(trade)
        else:
            take_entry(trade, order, tag)
        Trade.commit()
        logger.warning(
            "[OK] Entry %s of %s was not on record and is a normal trade now: %s",
            order["id"],
            symbol_of(held.pair),
            trade,
        )

    # From the trades to the book

    def _learn(self, held: Held, trade: Trade) -> None:
        with held.lock:
            held.is_short, held.leverage = trade.is_short, trade.leverage or 1.0
            held.fills = [fill for fill in held.fills if not _is_booked(trade, fill)]
            held.base = max(0.0, trade.amount - sum(fill.amount for fill in held.fills))
            held.claimed = frozenset(order.order_id for order in trade.open_sl_orders)
            if self._watch is None:
                read_stops(held, trade)
            if not held.trigger:
                held.trigger, held.guessed = trade.stop_loss, not trade.sl_orders
            for row in trade.orders:
                if row.ft_order_side == trade.entry_side:
                    self._learn_entry(held, trade, row)

    def _learn_entry(self, held: Held, trade: Trade, row: Order) -> None:
        intent = held.intent_of(row.order_id)
        if not row.ft_is_open:
            if intent is not None:
                held.intents.remove(intent)
            return
        if intent is None:
            entry = EntryOrder(
                trade.pair, trade.is_short, row.safe_amount, row.safe_price, trade.leverage or 1.0
            )
            intent = Intent(entry, "", self._keeper.beforehand(trade.pair), row.order_id)
            held.intents.append(intent)
        intent.filled = max(intent.filled, row.safe_filled)

    def _let_go(self, held: Held) -> None:
        """Note that no trade of Freqtrade's is open on the pair."""
        with held.lock:
            held.base, held.fills, held.claimed, held.flat = 0.0, [], frozenset(), False
            held.dropped.clear()
            if self._watch is None:
                read_stops(held, None)
            if held.need is None:
                held.trigger = 0.0

    # The exchange

    def _compare(self, trades: dict[str, Trade]) -> None:
        if self._watch is None:
            for held in self._keeper.book:
                if held.need is None or not self._blocks:
                    self._keeper.mend(held)
            return
        try:
            if not self._started:
                self._cancel_stray_entries()
            self._compare_positions(self._keeper.line.positions(), trades)
            self._watch.look()
        except LineError as error:
            logger.warning("Could not compare stops and positions with the exchange: %s", error)

    def _cancel_stray_entries(self) -> None:
        """Cancel entries an earlier run sent and did not live to put on record."""
        for order in self._keeper.line.open_orders():
            name = self._keeper.namer.mine(order.get("clientOrderId"))
            known = Order.order_by_id(str(order["id"]), order["symbol"])
            if name is not None and name.role is Role.ENTRY and known is None:
                logger.warning(
                    "Cancelling entry %s of %s: no trade has it.", order["id"], name.symbol
                )
                self._keeper.line.cancel_order(order["symbol"], str(order["id"]))

    def _compare_positions(self, positions: dict[str, Position], trades: dict[str, Trade]) -> None:
        for pair in positions:
            self._keeper.book.of(pair)
        for held in self._keeper.book:
            with held.lock:
                position, trade = positions.get(held.pair), trades.get(held.pair)
                surplus = _surplus(held, position)
                missing = (
                    position is None and held.base > 0 and not (trade and trade.has_open_orders)
                )
                if not surplus:
                    held.stranger = None
                if not missing:
                    held.flat = False
                if not (surplus or missing):
                    self._odd.pop(held.pair, None)
                    continue
                if not self._certain(held):
                    continue
                if missing:
                    self._closed_elsewhere(held)
                elif position is not None and not self._recover(held, position, trade):
                    self._shelter(held, position)

    def _certain(self, held: Held) -> bool:
        """Whether a difference is more than the exchange's delay in showing positions."""
        if not self._started:
            return True
        self._odd[held.pair] = self._odd.get(held.pair, 0) + 1
        lag_over = monotonic() - held.changed > POSITION_LAG_S
        return lag_over and self._odd[held.pair] >= 2

    def _recover(self, held: Held, position: Position, trade: Trade | None) -> bool:
        """Make a trade of a position this bot entered and did not live to put on record."""
        if trade is not None:
            return False
        orders = self._exchange.fetch_orders(held.pair, dt_now() - timedelta(days=1))
        side = "sell" if position.is_short else "buy"
        mine = [order for order in orders if order["side"] == side and self._is_stray(order)]
        if sum(float(order["filled"]) for order in mine) > position.amount * (1 + _SAME):
            return False
        for order in mine:
            rate = float(order.get("average") or position.entry_price)
            self._take_up(held, trade, dict(order), position.leverage, rate)
            trade = self._open_trades().get(held.pair)
        if trade is not None:
            if not held.trigger:
                held.trigger, held.guessed = trade.stop_loss, True
            held.base, held.is_short = position.amount, position.is_short
            held.leverage = position.leverage
        return trade is not None

    def _is_stray(self, order: CcxtOrder) -> bool:
        name = self._keeper.namer.mine(order.get("clientOrderId"))
        return (
            name is not None
            and name.role is Role.ENTRY
            and float(order.get("filled") or 0.0) > 0
            and Order.order_by_id(str(order["id"]), order["symbol"]) is None
        )

    def _shelter(self, held: Held, position: Position) -> None:
        """Cover a position no trade accounts for, say so once, and let nothing else enter."""
        if held.stranger is None:
            logger.error(
                "[ALERT] %s holds %s on the exchange that no trade accounts for: it is covered, "
                "and no entry goes out until it is gone.",
                symbol_of(held.pair),
                position.amount,
            )
        held.stranger = position
        if not held.base:
            held.is_short, held.leverage = position.is_short, position.leverage
            if not held.trigger:
                held.trigger = stop_price(
                    position.entry_price,
                    self._strategy.stoploss,
                    position.leverage,
                    is_short=position.is_short,
                )
                held.guessed = True

    def _closed_elsewhere(self, held: Held) -> None:
        if not held.flat:
            logger.warning(
                "[ALERT] The position of %s was closed by another hand: its stop goes, and "
                "Freqtrade looks for the order that closed it.",
                symbol_of(held.pair),
            )
        held.flat = True

    # From the book to the trades

    def _write(self, held: Held, trade: Trade) -> None:
        held.fills = [fill for fill in held.fills if not _is_anothers(trade, fill)]
        for fill in held.fills:
            if fill.stop is not None and not fill.reason:
                add_stop(trade, fill.stop)
            else:
                take_exit(trade, fill.order, fill.reason)
        fired = {fill.stop.order_id for fill in held.fills if fill.stop is not None}
        for order_id in held.dropped - fired:
            release(trade, order_id)
        held.dropped.clear()
        on_record = {order.order_id for order in trade.open_sl_orders}
        if held.cover and trade.has_open_position and held.cover.order_id not in on_record:
            adopt(trade, held.cover)
        held.claimed = frozenset(order.order_id for order in trade.open_sl_orders)
        self._record(held, trade)

    def _record(self, held: Held, trade: Trade) -> None:
        cover = held.cover
        record = {
            "id": cover.order_id if cover else "",
            "client_id": str(cover.order.get("clientOrderId") or "") if cover else "",
            "price": held.trigger,
            "amount": cover.amount if cover else 0.0,
            "state": "live" if cover else "none",
            "placement": "before_entry" if self._keeper.beforehand(held.pair) else "on_fill",
            "latency_ms": round(held.latency_ms, 1),
            "steps": held.steps,
            "trailing": [trail.order_id for trail in held.trails],
        }
        if trade.id is not None and self._recorded.get(trade.id) != record:
            trade.set_custom_data(STOP_RECORD, record)
            self._recorded[trade.id] = record

    def _trail(self, held: Held, trade: Trade) -> None:
        """See to it that the whole position is trailed, beside its stop."""
        if self._trailing is None or not trade.has_open_position or held.flat or not held.base:
            return
        missing = held.base - sum(trail.amount for trail in held.trails)
        if missing <= held.base * _SAME or self._untrailed.get(held.pair) == missing:
            return
        rule = self._trailing
        activation = rule.activation_price(
            trade.open_rate, trade.initial_stop_loss or trade.stop_loss, is_short=trade.is_short
        )
        placed = activation > 0 and self._keeper.trail(
            held, missing, rule.callback_pct, None if rule.trails_from_fill else activation
        )
        if not placed:
            self._untrailed[held.pair] = missing  # asked again once the size has changed

    @staticmethod
    def _open_trades() -> dict[str, Trade]:
        return {trade.pair: trade for trade in Trade.get_open_trades()}


def _id_on_record(fill: Fill) -> str:
    """Return the id under which a trade books a fill: a stop's own, else the order's."""
    by_stop = fill.stop is not None and not fill.reason
    return fill.stop.order_id if fill.stop is not None and by_stop else str(fill.order["id"])


def _is_booked(trade: Trade, fill: Fill) -> bool:
    row = row_of(trade, _id_on_record(fill))
    return row is not None and not row.ft_is_open


def _is_anothers(trade: Trade, fill: Fill) -> bool:
    """Whether an earlier trade of the pair has booked the fill."""
    row = Order.order_by_id(_id_on_record(fill), trade.pair)
    return row is not None and row.ft_trade_id != trade.id


def _surplus(held: Held, position: Position | None) -> bool:
    """Whether the exchange holds more than the book accounts for."""
    if position is None:
        return False
    known = held.base + sum(intent.entry.amount for intent in held.intents)
    return not known or position.is_short != held.is_short or position.amount > known * (1 + _SAME)
