"""Brings the guard's book and Freqtrade's trades together, on the thread that owns the trades.

The book learns from the trades what has to be covered; the trades learn from the book what stands,
what filled, and which entries the exchange has after all.
"""

from math import inf
from time import monotonic

from freqtrade.exchange import Exchange
from freqtrade.persistence import Trade
from freqtrade.strategy.interface import IStrategy

from qt_protections.rules.quote import Quote
from qt_protections.rules.trailing import TrailingRule
from qt_protections.stops.entry_cover import EntryCover
from qt_protections.stops.monitor.hearing import Hearing
from qt_protections.stops.monitor.watch import StopWatch
from qt_protections.stops.mover import StopMover
from qt_protections.stops.reconciliation.comparison import BookOnly, Comparison, ListComparison
from qt_protections.stops.reconciliation.entries import EntryReconciliation
from qt_protections.stops.reconciliation.external_positions import StopOfStranger
from qt_protections.stops.reconciliation.isolation import apart
from qt_protections.stops.reconciliation.positions import PositionReconciliation
from qt_protections.stops.reconciliation.prices import Prices
from qt_protections.stops.reconciliation.schedule import Schedule, is_long_since
from qt_protections.stops.reconciliation.trade_cache import read_anew, rows, write_down
from qt_protections.stops.reconciliation.trade_reader import TradeReader
from qt_protections.stops.reconciliation.trade_updater import TradeUpdater, cover_of
from qt_protections.stops.reconciliation.trade_writer import catch_up
from qt_protections.stops.reconciliation.trailing import TrailingStops
from qt_protections.stops.reconciliation.view import BookView
from qt_protections.stops.state.page import is_under_way, page
from qt_protections.stops.state.pair import PairState
from qt_protections.stops.trade_stop import StopSet, follow


class TradeReconciliation:
    """Synchronises the guard's book with Freqtrade's trades.

    Once in each of the bot's loops, after each fill, and whenever the strategy moves a stop.

    Attributes:
        view: What the rules are told of the book.
        prices: The best prices of all pairs.
    """

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
        self._mover, self._watch, self._blocks = mover, watch, blocks
        self._manager = manager = cover.manager
        #: Pairs that were not seen to in full; the next loop goes through all of them.
        self._failed: set[str] = set()
        #: What the last loop that went through all pairs began with, if that left nothing to do.
        self._calm: object = None
        self._gone_through, is_watched = -inf, watch is not None
        self._entries = entries = EntryReconciliation(strategy, exchange, cover)
        positions = PositionReconciliation(manager, entries, stop_of_stranger)
        schedule = Schedule(manager, positions, hearing)
        self.prices = Prices(manager, watch, schedule)
        self._trailing = TrailingStops(manager, mover, trailing, self._failed)
        self._updater = TradeUpdater(cover, self._failed, is_watched=is_watched)
        self._reader = reader = TradeReader(
            cover, positions, stop_of_stranger, self._failed, is_watched=is_watched
        )
        self._comparison: Comparison = (
            BookOnly(manager, reader, blocks=blocks)
            if watch is None
            else ListComparison(
                watch, entries, positions, reader, self._trailing, schedule, self.prices
            )
        )
        self.view = BookView(manager.book, self._comparison, is_watched=is_watched)

    def tag(self, pair: str, tag: str | None) -> None:
        """Remember the tag of an entry about to go out, should its answer be lost."""
        self._entries.tags[pair] = tag

    def loop(self) -> None:
        """Settle what is open, compare with the exchange, and tell the trades.

        Each pair is written down by itself, so that one pair's failure takes no other's along. The
        caller holds Freqtrade's lock: no other thread changes a trade meanwhile.
        """
        if not write_down():
            self._calm = None
        seen = self._all_seen()
        if self._is_calm(seen):
            with apart("The exchange's list of stops", self._failed):
                self._comparison.ask_for_the_rest()
            return
        self._calm, self._gone_through = None, monotonic()
        self._failed.clear()
        read_anew()
        if not self._go_through() and not self._failed:
            self._calm = seen

    def _all_seen(self) -> object:
        """Return all that a loop goes by: what the database has of open trades, and the book."""
        return rows(), [page(held) for held in self._manager.book]

    def _is_calm(self, seen: object) -> bool:
        """Whether this loop would find all as the last one found and left it.

        A loop that begins with the same trades and the same book as the last, which did whatever
        that called for, has nothing to do. Trades are not even loaded. What time alone brings about
        is asked for apart: lists that are due, and what is under way.

        Args:
            seen: All that this loop goes by.
        """
        if self._failed or self._calm is None:
            return False
        if any(is_under_way(held) for held in self._manager.book) or seen != self._calm:
            return False
        if self._entries.has_outlived_exits():
            return False
        return not (is_long_since(self._gone_through) or self._comparison.is_due())

    def _go_through(self) -> bool:
        """See to every pair; return whether something has to be settled."""
        if not self._comparison.has_started:
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
                self._reader.learn(self._manager.book.of(pair), trade)
        with apart("The exchange's list of positions", self._failed):
            self._comparison.compare(trades)
        for pair, trade in trades.items():
            with apart(pair, self._failed):
                self._tell(self._manager.book.of(pair), trade)
        self._updater.forget_records(trades)
        return bool(unsettled)

    def filled(self, trade: Trade) -> None:
        """Take in a fill Freqtrade has just booked, and hand the trade its stop."""
        held = self._manager.book.of(trade.pair)
        worked_out = StopSet.of(trade) if trade.sl_orders else None
        with held.lock:
            self._reader.learn(held, trade)
            if self._blocks and worked_out is not None:
                held.tighten(trade.stop_loss)  # no stop stands: Freqtrade has cancelled the last
            if self._watch is not None and not self._comparison.has_started:
                # A fill the bot slept through: an earlier run's stop may stand, and be enough.
                self._trailing.recall(trade)
                self._watch.look_at(held)
            elif not self._blocks:
                self._manager.reconcile_stops(held)
            elif trade.has_open_position and not trade.has_open_orders:
                self._mover.place_once(held)
            self._updater.write(held, trade)
        if worked_out is not None and worked_out.is_tighter(trade):
            # Freqtrade has worked the stop out anew, from the average with a further entry. The
            # live one follows once the strategy has said what it thinks, see `moved`.
            worked_out.put_back(trade)
        self._trailing.see_to(held, trade)

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
                self._watch.triggers.check(held, Quote(price, price))
            before = None if self._blocks else cover_of(held, trade)
            if before is None:
                return
            tick = trade.price_precision or 0.0
            gain = trade.stop_loss - before.trigger
            gain = -gain if trade.is_short else gain
            if gain > tick / 2:
                self._mover.move(held, trade.stop_loss)
                self._updater.write(held, trade)
            elif gain < -tick / 2 and may_loosen:
                self._mover.loosen(held, trade.stop_loss)
                self._updater.write(held, trade)
            cover = held.active_stop  # none if the move ended in a close
            if cover is not None and trade.stop_loss != cover.trigger:
                follow(trade, cover.trigger)

    def _tell(self, held: PairState, trade: Trade) -> None:
        with held.lock:
            self._updater.write(held, trade)
        self._trailing.see_to(held, trade)

    @staticmethod
    def _open_trades() -> dict[str, Trade]:
        return {trade.pair: trade for trade in Trade.get_open_trades()}
