"""Brings the guard's book and Freqtrade's trades together, on the thread that owns the trades.

The book learns from the trades what has to be covered; the trades learn from the book what stands,
what filled, and which entries the exchange has after all.
"""

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from functools import partial
from math import inf, nan
from time import monotonic

from freqtrade.exchange import Exchange
from freqtrade.persistence import Order, Trade
from freqtrade.persistence.custom_data import _CustomData
from freqtrade.strategy.interface import IStrategy
from sqlalchemy.exc import SQLAlchemyError

from qt_protections.errors import withhold_secrets
from qt_protections.portfolio.trades import open_trade
from qt_protections.rules.amounts import subtract_exact, sum_exact
from qt_protections.rules.entries import EntryRequest
from qt_protections.rules.exposure import Exposure
from qt_protections.rules.pairs import symbol_of
from qt_protections.rules.quote import Quote
from qt_protections.rules.trailing import TrailingRule
from qt_protections.stops.entry_cover import EntryCover
from qt_protections.stops.monitor.hearing import Hearing
from qt_protections.stops.monitor.watch import StopWatch
from qt_protections.stops.mover import StopMover
from qt_protections.stops.reconciliation.entries import EntryReconciliation
from qt_protections.stops.reconciliation.isolation import apart
from qt_protections.stops.reconciliation.positions import PositionReconciliation, StopOfStranger
from qt_protections.stops.reconciliation.trade_cache import read_anew, rows, write_down
from qt_protections.stops.reconciliation.trade_writer import (
    StopSet,
    add_stop,
    adopt,
    catch_up,
    claim_stop,
    follow,
    has_filled,
    keep_order,
    release,
    row_of,
    take_exit,
)
from qt_protections.stops.state.pair import PairState
from qt_protections.stops.state.pending_entry import PendingEntry
from qt_protections.stops.state.records import read_stops
from qt_protections.stops.state.stop import Stop
from qt_protections.stops.state.unbooked_fill import UnbookedFill
from qt_protections.stops.venue.protocol import Position, Rank, RequestError

logger = withhold_secrets(logging.getLogger(__name__))

#: Seconds from one list of the account's positions to the next: while all is heard and agrees,
#: while something does not agree yet or has just filled, and while events are not heard.
POSITIONS_S, UNSETTLED_S, UNHEARD_S = 30.0, 2.0, 5.0
#: Seconds for which such a list may lack what nobody heard, after a start or a gap of the stream:
#: lists have lagged 25.
_LISTS_LAG_S = 25.0
#: Seconds from one list of all live stops of the account to the next; each pair that is held is
#: looked at by itself in between. After a start the pause begins short and doubles: the first list
#: may have lacked a stop of an earlier run, which would hit the next position of its pair.
STOPS_S, FIRST_STOPS_S = 300.0, 15.0
#: Seconds without a price of a pair with a stop after which all best prices are asked for, and for
#: which the last ones are good enough for an entry.
PRICES_S, SPREADS_S = 30.0, 5.0
#: Where a trade shows its stop; `/list_custom_data` prints it.
STOP_RECORD = "qt_stop"
#: Sizes closer than this ratio are one and the same.
_SAME = 1e-6


class TradeReconciliation:
    """Runs in each of the bot's loops, after each fill, and after each word on a stop."""

    def __init__(
        self,
        strategy: IStrategy,
        exchange: Exchange,
        cover: EntryCover,
        mover: StopMover,
        watch: StopWatch | None,
        trailing: TrailingRule | None,
        stop_of_stranger: StopOfStranger,
        hearing: Hearing,
        *,
        blocks: bool,
    ) -> None:
        """Take the bot's own objects.

        Args:
            strategy: The guarded strategy.
            exchange: The bot's exchange.
            cover: Keeps entries covered, and positions by its manager.
            mover: Moves stops.
            watch: Who compares with the exchange; None where the exchange cannot be listed.
            trailing: The native trailing stop; None without one.
            stop_of_stranger: Says where the stop of a position stands that no trade accounts for.
            hearing: Whether what happens on the exchange is heard.
            blocks: Whether a live stop keeps the asset from being sold otherwise: Freqtrade's own
                handling then cancels it before each exit, and the guard only places the first.
        """
        self._cover, self._mover = cover, mover
        self._manager = manager = cover.manager
        self._watch = watch
        self._hearing = hearing
        self._trailing = trailing
        self._blocks = blocks
        self._stop_of_stranger = stop_of_stranger
        self._entries = EntryReconciliation(strategy, exchange, cover)
        self._positions = PositionReconciliation(manager, self._entries, stop_of_stranger)
        self._untrailed: dict[str, float] = {}
        self._quotes: dict[str, Quote] = {}
        self._positions_seen = self._prices_read = -inf
        self._stops_s = FIRST_STOPS_S
        self._recorded: dict[int, object] = {}
        self._started = False
        #: What the last loop that went through all pairs began with, if that left nothing to do.
        self._calm: object = None
        self._gone_through = -inf
        #: Pairs that were not seen to in full; the next loop goes through all of them.
        self._failed: set[str] = set()

    def tag(self, pair: str, tag: str | None) -> None:
        """Remember the tag of an entry about to go out, should its answer be lost."""
        self._entries.tags[pair] = tag

    def unsettled(self, pair: str) -> bool:
        """Whether the exchange may hold more of a pair than any trade accounts for.

        Nobody knows before the first comparison with the exchange.
        """
        held = self._manager.book.of(pair)
        if not self.has_looked() or held.external_position is not None or self._unbooked(held):
            return True
        if held.inherited and held.required_stop is None:
            return True  # what they protect is not known yet
        return open_trade(pair) is None and _is_orphan(held)

    def has_looked(self) -> bool:
        """Whether book and exchange have been compared since the start, where that can be done."""
        return self._watch is None or self._started

    def unaccounted(self) -> list[Exposure]:
        """Return what the exchange holds, or may, beyond what trades account for."""
        return [
            found for held in self._manager.book for found in held.unaccounted(self._unbooked(held))
        ]

    @staticmethod
    def _unbooked(held: PairState) -> list[PendingEntry]:
        """Return the entries of a pair that no trade has on record: lost, or not yet told."""
        return [
            pending
            for pending in held.pending_entries
            if not pending.is_void and not _is_on_record(pending)
        ]

    def quote(self, pair: str) -> Quote:
        """Return a pair's best prices; NaN if they are not to be had.

        Prices are read when an entry wants to know, for all pairs at once.
        """
        if self._watch is not None and monotonic() - self._prices_read >= SPREADS_S:
            self._read_prices(self._watch)
        return self._quotes.get(pair, Quote(nan, nan))

    def trigger(self, pair: str, *, is_short: bool) -> float:
        """Return where the stop of a side has to stand, quote currency; 0 while unknown."""
        held = self._manager.book.of(pair)
        return held.trigger if held.is_short is is_short else 0.0

    def stop_state(self, pair: str) -> str:
        """Return what is known of a pair's stop: live, in doubt, or none."""
        # Without the pair's lock: who holds that may wait for the exchange's answer.
        return _state(self._manager.book.of(pair))

    def loop(self) -> None:
        """Settle what is open, compare with the exchange, and tell the trades.

        Each pair is written down by itself, so that one pair's failure takes no other's along. The
        caller holds Freqtrade's lock: no other thread changes a trade meanwhile.
        """
        if not write_down():
            self._calm = None
        seen = self._all_seen()
        if self._watch is not None and self._is_calm(seen):
            with apart("The exchange's list of stops", self._failed):
                self._ask_for_the_rest(self._watch)
            return
        self._calm, self._gone_through = None, monotonic()
        self._failed.clear()
        read_anew()
        if not self._go_through() and not self._failed:
            self._calm = seen

    def _all_seen(self) -> object:
        """Return all that a loop goes by: what the database has of open trades, and the book."""
        return rows(), [held.page for held in self._manager.book]

    def _is_calm(self, seen: object) -> bool:
        """Whether this loop would find all as the last one found and left it.

        A loop that begins with the same trades and the same book as the last, which did whatever
        that called for, has nothing to do. Trades are not even loaded. What time alone brings about
        is asked for apart: lists that are due, and what is under way.

        Args:
            seen: All that this loop goes by.
        """
        if not self._started or self._failed or self._calm is None or self._watch is None:
            return False
        if any(held.is_under_way for held in self._manager.book) or seen != self._calm:
            return False
        if self._entries.has_outlived_exits():
            return False
        is_old = monotonic() - self._gone_through >= POSITIONS_S
        return not (is_old or self._are_positions_due(self._watch))

    def _go_through(self) -> bool:
        """See to every pair; return whether something has to be settled."""
        if not self._started:
            for pair, trade in self._open_trades().items():
                with apart(pair):
                    catch_up(trade)
        if self._watch is not None:  # elsewhere Freqtrade cancels the stop before each exit
            self._entries.cancel_outlived_exits()
        trades = self._open_trades()
        unsettled = [
            held
            for held in self._manager.book
            if self._entries.has_to_settle(held, trades.get(held.pair))
        ]
        for held in unsettled:
            with apart(held.pair):
                self._entries.settle(held, trades.get(held.pair))
        trades = self._open_trades() if unsettled else trades
        for pair, trade in trades.items():
            with apart(pair, self._failed):
                self._learn(self._manager.book.of(pair), trade)
        compared = False
        with apart("The exchange's list of positions", self._failed):
            compared = self._compare(trades)
        for pair, trade in trades.items():
            with apart(pair, self._failed):
                self._tell(self._manager.book.of(pair), trade)
        self._started = self._started or compared
        self._forget_records(trades)
        return bool(unsettled)

    def filled(self, trade: Trade) -> None:
        """Take in a fill Freqtrade has just booked, and hand the trade its stop."""
        held = self._manager.book.of(trade.pair)
        worked_out = StopSet.of(trade) if trade.sl_orders else None
        with held.lock:
            self._learn(held, trade)
            if self._blocks and worked_out is not None:
                held.tighten(trade.stop_loss)  # no stop stands: Freqtrade has cancelled the last
            if self._watch is not None and not self._started:
                # A fill the bot slept through: an earlier run's stop may stand, and be enough.
                self._recall_trails(held, trade)
                self._watch.look_at(held)
            elif not self._blocks:
                self._manager.reconcile_stops(held)
            elif trade.has_open_position and not trade.has_open_orders:
                self._mover.place_once(held)
            self._write(held, trade)
        if worked_out is not None and worked_out.is_tighter(trade):
            # Freqtrade has worked the stop out anew, from the average with a further entry. The
            # live one follows once the strategy has said what it thinks, see `moved`.
            worked_out.put_back(trade)
        self._trail(held, trade)

    def moved(self, trade: Trade, price: float, *, may_loosen: bool = False) -> None:
        """Follow the strategy's stop with the live one, at once.

        Args:
            trade: Freqtrade's.
            price: Of the pair as Freqtrade has just learnt it, quote currency.
            may_loosen: Whether the stop may move away from the price, as Freqtrade lets
                `custom_stoploss` move it right after a fill.
        """
        held = self._manager.book.of(trade.pair)
        with held.lock:
            if self._watch is not None:
                self._watch.check_trigger(held, Quote(price, price))
            before = None if self._blocks else _cover_of(held, trade)
            if before is None:
                return
            tick = trade.price_precision or 0.0
            gain = trade.stop_loss - before.trigger
            gain = -gain if trade.is_short else gain
            if gain > tick / 2:
                self._mover.move(held, trade.stop_loss)
                self._write(held, trade)
            elif gain < -tick / 2 and may_loosen:
                self._mover.loosen(held, trade.stop_loss)
                self._write(held, trade)
            cover = held.active_stop  # none if the move ended in a close
            if cover is not None and trade.stop_loss != cover.trigger:
                follow(trade, cover.trigger)

    # From the trades to the book

    def _learn(self, held: PairState, trade: Trade) -> None:
        with held.lock:
            is_another = not _is_same(held, trade)
            # A position of an entry that just filled is this trade's, though no loop has seen it.
            knew_another = held.trade_deleted or held.trade_id is not None
            if is_another and knew_another:
                if _is_orphan(held):
                    self._positions.disown(held, trade.open_rate)
                held.forget_trade()
            if held.external_position is None or held.external_position.is_short == trade.is_short:
                held.is_short, held.leverage = trade.is_short, trade.leverage or 1.0
            if is_another:  # what its stops became may be known already: they stood before it did
                held.trade_id, held.opened_ms, held.denied = trade.id, 0, 0
                held.booked_stops.clear()
                held.forget_earlier(_sent_since_ms(trade))
            for order_id, filled_ms in _filled_stops(trade).items():
                held.booked_stops.setdefault(order_id, filled_ms)
            held.trade_deleted = False
            held.opened_ms = held.opened_ms or _unheard_since_ms(trade)
            held.on_record = frozenset(order.order_id for order in trade.orders)
            # An earlier run may have found that an order closed a part only of the trade.
            exits = [row for row in trade.orders if row.ft_order_side == trade.exit_side]
            held.parts |= {row.order_id: row.ft_amount for row in exits}
            _forget_booked(held, trade)
            held.base = subtract_exact(trade.amount, *(fill.amount for fill in held.unbooked_fills))
            held.known_to_freqtrade = frozenset(order.order_id for order in trade.open_sl_orders)
            if self._watch is None:
                read_stops(held, trade)
            if not held.trigger:
                held.trigger, held.trigger_inferred = self._last_trigger(trade), not trade.sl_orders
            for row in trade.orders:
                if row.ft_order_side == trade.entry_side:
                    self._learn_entry(held, trade, row)

    def _last_trigger(self, trade: Trade) -> float:
        """Return where the stop of a trade stood that this process has not seen yet.

        Of an entry that waits Freqtrade has the strategy's stop on record, not the planned one.
        """
        if trade.has_open_position or trade.sl_orders:
            return trade.stop_loss
        record = trade.get_custom_data(STOP_RECORD) or {}
        return float(record.get("price") or 0.0) or self._stop_of_stranger(
            trade.pair, trade.open_rate, trade.leverage or 1.0, is_short=trade.is_short
        )

    def _learn_entry(self, held: PairState, trade: Trade, row: Order) -> None:
        pending = held.pending_of(row.order_id)
        if not row.ft_is_open:
            if pending is not None:
                held.pending_entries.remove(pending)
            return
        if pending is None:
            entry = EntryRequest(
                trade.pair, trade.is_short, row.safe_price, trade.leverage or 1.0, row.safe_amount
            )
            pending = PendingEntry(entry, "", self._cover.beforehand(trade.pair))
            pending.hear(row.order_id, row.safe_filled, is_over=False)
            pending.at_ms = _epoch_ms(row.order_date_utc)
            held.pending_entries.append(pending)
        pending.filled = max(pending.filled, row.safe_filled)

    def _let_go(self, trades: dict[str, Trade], positions: dict[str, Position] | None) -> None:
        """Note of which pairs no trade of Freqtrade's is open any more.

        Args:
            trades: Those that are.
            positions: The account's, by pair; None if the exchange was not asked.
        """
        for held in self._manager.book:
            # Each pair that was ever asked about is in the book, and each costs a query here.
            if held.pair not in trades and not held.is_let_go:
                with apart(held.pair, self._failed):
                    self._let_go_of(held, positions)

    def _let_go_of(self, held: PairState, positions: dict[str, Position] | None) -> None:
        with held.lock:
            if open_trade(held.pair) is not None:
                return  # remote control has made one since this loop looked
            is_orphan = held.external_position is None and _is_orphan(held)
            may_be_open = positions is None or held.pair in positions
            if is_orphan and (may_be_open or not self._positions.is_closed(held)):
                held.forget_trade()
                held.trade_deleted = True  # its cover stays until there is proof
                return
            held.trade_deleted = False
            # What closed an entry that no trade has booked yet is that entry's trade's.
            held.forget_trade()
            held.base, held.known_to_freqtrade, held.opened_ms = 0.0, frozenset(), 0
            held.released.clear()
            self._untrailed.pop(held.pair, None)
            if self._watch is None:
                read_stops(held, None)
            if held.required_stop is None and held.external_position is None:
                held.trigger = 0.0

    def _compare(self, trades: dict[str, Trade]) -> bool:
        """Compare book and exchange; return whether the exchange could be asked."""
        if self._watch is None:
            self._let_go(trades, {})
            for held in self._manager.book:
                if held.required_stop is None or not self._blocks:
                    self._manager.reconcile_stops(held)
            return True
        if self._started:
            return self._compare_again(self._watch, trades)
        compared = _answers("all", partial(self._compare_first, self._watch, trades))
        self._read_prices_if_due(self._watch)
        return compared

    def _compare_again(self, watch: StopWatch, trades: dict[str, Trade]) -> bool:
        """Ask for what the stream may not have told; return whether the exchange answered.

        One list that cannot be had does not keep the other from being compared.
        """
        self._let_go(trades, None)
        answered = True
        if self._are_positions_due(watch):
            answered = _answers("positions", partial(self._compare_positions, trades))
        return self._ask_for_the_rest(watch) and answered

    def _ask_for_the_rest(self, watch: StopWatch) -> bool:
        """Ask for stops and prices where that is due; return whether the exchange answered."""
        answered = True
        stops_s = min(STOPS_S, self._stops_s)
        # Whoever looks at each pair may be gone, or hang.
        if self._is_due(watch.looked, stops_s if self._hearing.is_attended else UNHEARD_S):
            answered = _answers("stops", watch.look)
            self._stops_s = 2 * stops_s
        self._read_prices_if_due(watch)
        return answered

    def _are_positions_due(self, watch: StopWatch) -> bool:
        return self._is_due(self._positions_seen, self._positions_s(watch))

    def _read_prices_if_due(self, watch: StopWatch) -> None:
        """Ask for the prices at which stops should trigger, where Freqtrade did not lately."""
        stopped = [held for held in self._manager.book if held.active_stop is not None]
        is_unpriced = any(monotonic() - held.priced >= PRICES_S for held in stopped)
        if is_unpriced and self._is_due(self._prices_read, PRICES_S):
            self._read_prices(watch)

    def _is_due(self, last: float, every_s: float) -> bool:
        """Whether to ask for a list again, if what the exchange allows leaves room for that."""
        due = monotonic() - last >= every_s
        return due and self._manager.venue.has_room(Rank.COMPARE)

    def _positions_s(self, watch: StopWatch) -> float:
        """Return how old the list of positions may be, seconds."""
        is_settling = watch.filled > self._positions_seen or self._positions.are_unsettled
        if is_settling or any(held.inherited or held.trade_deleted for held in self._manager.book):
            return UNSETTLED_S
        is_heard = self._hearing.is_whole_since(self._positions_seen - _LISTS_LAG_S)
        return POSITIONS_S if is_heard else UNHEARD_S

    def _compare_first(self, watch: StopWatch, trades: dict[str, Trade]) -> None:
        self._entries.cancel_strays()
        for trade in trades.values():
            self._recall_trails(self._manager.book.of(trade.pair), trade)
        positions = self._list_positions()  # with what a stray filled meanwhile
        self._let_go(trades, positions)
        self._positions.compare_at_start(positions, trades, watch.look)

    def _compare_positions(self, trades: dict[str, Trade]) -> None:
        positions = self._list_positions()
        self._let_go(trades, positions)
        self._positions.compare(positions, trades)

    def _list_positions(self) -> dict[str, Position]:
        asked = monotonic()
        positions = self._manager.venue.positions()
        self._positions_seen = asked
        self._positions.see(positions)
        return positions

    def _read_prices(self, watch: StopWatch) -> None:
        """Note the best prices, and see whether stops trigger where they should.

        While prices cannot be read, the last spreads count.
        """
        self._prices_read = monotonic()
        try:
            quotes = self._manager.venue.quotes()
        except Exception as error:
            # The stops are looked after all the same.
            logger.warning("Could not read the prices: %r", error)
            known = self._quotes.items()
            self._quotes = {pair: replace(quote, is_old=True) for pair, quote in known}
            return
        self._quotes = quotes
        for held in self._manager.book:
            if held.pair in quotes:
                with apart(held.pair):
                    watch.check_trigger(held, quotes[held.pair])

    def _recall_trails(self, held: PairState, trade: Trade) -> None:
        """Take up the trailing stops on a trade's record: one may have filled while no bot ran."""
        record = trade.get_custom_data(STOP_RECORD) or {}
        with held.lock:
            for order_id in record.get("trailing", []):
                if held.stop_of(order_id) is not None or order_id in held.ended_orders:
                    continue
                order = self._manager.venue.find_stop(held.pair, order_id=order_id)
                if order is not None:
                    held.trailing_stops.append(Stop.trailing(held.pair, order))

    # From the book to the trades

    def _tell(self, held: PairState, trade: Trade) -> None:
        with held.lock:
            self._write(held, trade)
        self._trail(held, trade)

    def _write(self, held: PairState, trade: Trade) -> None:
        _forget_booked(held, trade)
        # Freqtrade counts an entry when that is over, and would end a trade that has none yet.
        for fill in held.unbooked_fills if trade.has_open_position else []:
            if fill.is_of_entries and held.closed_entries:
                continue  # the trade that books those entries books their close
            if fill.stop is not None and not fill.reason:
                add_stop(trade, fill.stop)
            else:
                take_exit(trade, fill.order, fill.reason)
        fired = {fill.stop.order_id for fill in held.unbooked_fills if fill.stop is not None}
        for order_id in held.released - fired:
            release(trade, order_id)
        held.released.clear()
        on_record = {order.order_id for order in trade.open_sl_orders}
        covers = _covers_of(held, trade)
        new = [stop for stop in covers if stop.order_id not in on_record]
        for stop in new:
            claim_stop(trade, stop.order_id)
            adopt(trade, stop)
        if new:
            follow(trade, covers[-1].trigger)
        if self._watch is not None:  # others do not tell when an order filled
            keep_order(trade)
        held.known_to_freqtrade = frozenset(order.order_id for order in trade.open_sl_orders)
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
            "state": _state(held),
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

    def _forget_records(self, trades: dict[str, Trade]) -> None:
        """Keep what is on record of open trades only."""
        still_open = {trade.id for trade in trades.values()}
        self._recorded = {key: text for key, text in self._recorded.items() if key in still_open}

    def _trail(self, held: PairState, trade: Trade) -> None:
        """See to it that the whole position is trailed, beside its stop."""
        if self._trailing is None or held.trailing_unsupported:
            return
        if not trade.has_open_position or not held.base:
            return
        missing = subtract_exact(held.base, *(trail.amount for trail in held.trailing_stops))
        if missing <= held.base * _SAME or self._untrailed.get(held.pair) == missing:
            return
        rule = self._trailing
        activation = rule.activation_price(
            trade.open_rate, trade.initial_stop_loss or trade.stop_loss, is_short=trade.is_short
        )
        placed = activation > 0 and self._mover.trail(
            held, missing, rule.callback_pct, None if rule.trails_from_fill else activation
        )
        if not placed:
            self._untrailed[held.pair] = missing  # asked again once the size has changed
        elif (
            subtract_exact(held.base, *(trail.amount for trail in held.trailing_stops))
            > held.base * _SAME
        ):
            self._failed.add(held.pair)  # the next loop asks again

    @staticmethod
    def _open_trades() -> dict[str, Trade]:
        return {trade.pair: trade for trade in Trade.get_open_trades()}


def _answers(what: str, compare: Callable[[], None]) -> bool:
    """Compare something with the exchange; return whether the exchange answered."""
    try:
        compare()
    except RequestError as error:
        logger.warning("Could not compare %s with the exchange: %s", what, error)
        return False
    return True


def _is_on_record(pending: PendingEntry) -> bool:
    """Whether a trade accounts for an entry: none does if it rests and its trade is closed."""
    row = Order.order_by_id(pending.order_id, pending.entry.pair) if pending.order_id else None
    return row is not None and (row.trade.is_open or not row.ft_is_open)


def _covers_of(held: PairState, trade: Trade) -> list[Stop]:
    """Return the stops that stand for a trade, the one that counts last.

    Those of a turned position are no trade's. One whose fill the trade has booked is over, though
    nobody else may have heard of that yet.
    """
    if not trade.has_open_position or held.is_short != trade.is_short:
        return []
    mine = [stop for stop in held.stops if stop.is_short == held.is_short]
    return [stop for stop in mine if not has_filled(trade, stop.order_id)]


def _cover_of(held: PairState, trade: Trade) -> Stop | None:
    """Return the stop that counts for a trade."""
    return next(reversed(_covers_of(held, trade)), None)


def _is_orphan(held: PairState) -> bool:
    """Whether the trade of a position was deleted (`/delete`), not closed."""
    if not held.base:
        return False
    known = Trade.get_trades([Trade.id == held.trade_id, Trade.pair == held.pair]).first()
    return known is None or not _is_same(held, known)


def _is_same(held: PairState, trade: Trade) -> bool:
    """Whether a trade is the one that the book knows.

    SQLite gives IDs of deleted trades again, and an entry of a deleted trade may begin another one.
    A trade itself keeps its orders.
    """
    if held.trade_id != trade.id:
        return False
    return held.on_record <= {row.order_id for row in trade.orders}


def _unheard_since_ms(trade: Trade) -> int:
    """Return since when closes of a trade may be missing from its record, epoch milliseconds.

    Since its first entry was sent: one that fills bit by bit may have been closed in part before it
    was over, and an exit may be on record that a kill kept from an earlier close. 0 while nothing
    has filled.
    """
    filled = [order for order in trade.orders if order.order_filled_utc]
    return _epoch_ms(min(order.order_date_utc for order in filled)) if filled else 0


def _sent_since_ms(trade: Trade) -> int:
    """Return when the first order of a trade was sent, epoch milliseconds."""
    return min((_epoch_ms(order.order_date_utc) for order in trade.orders), default=0)


def _filled_stops(trade: Trade) -> dict[str, int]:
    """Return when the stops filled that a trade has booked, by id, epoch milliseconds."""
    filled = [(row, at) for row in trade.sl_orders if (at := row.order_filled_utc)]
    return {row.order_id: _epoch_ms(at) for row, at in filled if not row.ft_is_open}


def _epoch_ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def _state(held: PairState) -> str:
    cover = held.active_stop
    if cover is None:
        return "none"
    return "in doubt" if cover.track.is_in_doubt else "live"


def _id_on_record(fill: UnbookedFill) -> str:
    """Return the id under which a trade books a fill: a stop's own, else the order's."""
    by_stop = fill.stop is not None and not fill.reason
    return fill.stop.order_id if fill.stop is not None and by_stop else str(fill.order["id"])


def _forget_booked(held: PairState, trade: Trade) -> None:
    held.unbooked_fills = [
        fill
        for fill in held.unbooked_fills
        if not (_is_booked(trade, fill) or _is_anothers(trade, fill))
    ]


def _is_booked(trade: Trade, fill: UnbookedFill) -> bool:
    row = row_of(trade, _id_on_record(fill))
    return row is not None and not row.ft_is_open


def _is_anothers(trade: Trade, fill: UnbookedFill) -> bool:
    """Whether an earlier trade of the pair has booked the fill."""
    row = Order.order_by_id(_id_on_record(fill), trade.pair)
    return row is not None and row.ft_trade_id != trade.id
