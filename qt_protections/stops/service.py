"""Everything that keeps a running bot's positions covered, put together."""

import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from math import inf, nan
from typing import Any

from freqtrade.exceptions import FreqtradeException
from freqtrade.exchange import Exchange
from freqtrade.persistence import LocalTrade, Trade
from freqtrade.strategy.interface import IStrategy

from qt_protections.errors import withhold_secrets
from qt_protections.rules.denial import Denial
from qt_protections.rules.entries import ApprovedEntry, EntryRequest
from qt_protections.rules.exposure import Exposure
from qt_protections.rules.quote import Quote
from qt_protections.rules.stop_count import free_stops
from qt_protections.rules.trailing import TrailingRule
from qt_protections.settings import Settings, StopPlacement
from qt_protections.stops.entry_cover import EntryCover
from qt_protections.stops.intercept.entries import EntryInterceptor
from qt_protections.stops.intercept.orders import OrderInterceptor
from qt_protections.stops.intercept.stops import StopInterceptor
from qt_protections.stops.manager import StopManager
from qt_protections.stops.monitor.bot_loop import LOOP_S, BotLoop
from qt_protections.stops.monitor.hearing import Hearing
from qt_protections.stops.monitor.monitor import Health, Monitor
from qt_protections.stops.monitor.stream_proof import StreamProof
from qt_protections.stops.monitor.watch import StopWatch
from qt_protections.stops.mover import StopMover
from qt_protections.stops.placer import Placer
from qt_protections.stops.reconciliation.external_positions import StopOfStranger
from qt_protections.stops.reconciliation.trade_cache import give_up
from qt_protections.stops.reconciliation.trades import TradeReconciliation
from qt_protections.stops.registry import listen_to, make_venue
from qt_protections.stops.state.client_ids import Namer
from qt_protections.stops.state.page import outline
from qt_protections.stops.state.pair_states import PairStates
from qt_protections.stops.venue.capabilities import Capabilities
from qt_protections.stops.venue.protocol import Venue

logger = withhold_secrets(logging.getLogger(__name__))


class StopService:
    """Attached to the exchange object a bot trades with, from its start to its end.

    No error of its own keeps Freqtrade from an exit: what fails is logged and done again in the
    next loop.

    Attributes:
        watches: Whether the account's stops and best prices are read in each loop.
    """

    def __init__(
        self,
        strategy: IStrategy,
        exchange: Exchange,
        can: Capabilities,
        settings: Settings,
        approve: Callable[[EntryRequest], ApprovedEntry],
        announce: Callable[[str, Denial], None],
        stop_of_stranger: StopOfStranger,
        exit_lock: AbstractContextManager[Any],
    ) -> None:
        """Take the places of the exchange's functions.

        Args:
            strategy: The guarded strategy.
            exchange: The bot's exchange.
            can: What that allows.
            settings: The guard's.
            approve: Judges an entry, or raises.
            announce: Says of a pair why its entry was refused.
            stop_of_stranger: Says where the stop of a position stands that no trade accounts for.
            exit_lock: Freqtrade's, under which its loop and remote control change trades.
        """
        logger.info("[OK] Stops on %s", can.text)
        proof = StreamProof()
        hearing = Hearing(proof)
        self._exchange = exchange
        self._exit_lock = exit_lock
        self._running = False
        self.watches = can.watches
        self._venue = make_venue(exchange, strategy.order_types, can, proof)
        self._book = PairStates(self._venue.largest)
        manager = _manager(self._book, self._venue, strategy, settings)
        cover = EntryCover(manager, _placement(settings, can), at_hand_over=can.blocks)
        watch = StopWatch(cover) if can.watches else None
        self._books = _reconciliation(
            strategy, exchange, cover, watch, settings, can, stop_of_stranger, hearing
        )
        self._monitor: Monitor | None = None
        if watch is not None:
            loop = BotLoop(_missing_after_s(strategy))
            self._monitor = Monitor(listen_to(exchange), watch, hearing, proof, loop)
        EntryInterceptor(exchange, cover, approve, announce, self._warm_up)
        if watch is not None:
            StopInterceptor(exchange, cover, self._books.view.has_looked, hearing)
            OrderInterceptor(exchange, cover)
        self.tag = self._books.tag
        self.stop_state = self._books.view.stop_state

    # As `StopView`

    def unaccounted(self) -> Sequence[Exposure]:
        """Return what the exchange holds, or may, beside Freqtrade's trades."""
        return self._books.view.unaccounted()

    def planned(self, trade: LocalTrade) -> float | None:
        """Return where the stop of a trade stands whose entry waits, quote currency, if known."""
        return self._books.view.trigger(trade.pair, is_short=trade.is_short) or None

    def quote(self, pair: str) -> Quote | None:
        """Return a pair's best prices, NaN while unknown."""
        if self.watches:
            return self._books.prices.quote(pair)
        return order_book_quote(self._exchange, pair)

    def unsettled(self, pair: str) -> bool:
        """Whether the exchange may hold more of a pair than any trade accounts for."""
        return self._books.view.unsettled(pair)

    def clock_skew_s(self) -> float:
        """Return how many seconds this machine's clock is ahead of the exchange's; 0 if unknown."""
        return self._venue.clock_skew_s

    def free_stops(self) -> float:
        """Return how many more stops the account takes; infinity where they cannot be listed."""
        return free_stops(self._book.conditional_orders) if self.watches else inf

    def largest(self, pair: str) -> float:
        """Return what one order at market of a pair may be, base currency; infinity if any."""
        return self._venue.largest(pair)

    # In each loop

    def loop(self) -> None:
        """Run once in each of the bot's loops, before its exits and entries."""
        looked = self._look_after() and self._books.view.has_looked()
        # Not before: the watch would cancel what stands for a position nobody has seen yet.
        self._running = self._running or looked
        if self._monitor is not None and self._running:
            self._supervise(self._monitor)

    @property
    def health(self) -> Health | None:
        """How the watch does; None where the bot's loop alone looks after the stops."""
        return self._monitor.health if self._monitor is not None else None

    def state(self) -> tuple[object, ...]:
        """Return what differs once something is held, stands or is heard otherwise."""
        health = self.health
        stream = () if health is None else (health.stream, [t.life for t in health.threads])
        return (*stream, [outline(held) for held in self._book if not held.is_empty])

    def filled(self, trade: Trade) -> None:
        """Hand a trade that just filled its live stop."""
        try:
            self._books.filled(trade)
        except Exception:
            logger.exception("[ALERT] %s could not take over its stop; the next loop does.", trade)

    def moved(self, trade: Trade, price: float, *, may_loosen: bool = False) -> None:
        """Follow the strategy's stop with the live one, now that the price (quote) is known."""
        try:
            self._books.moved(trade, price, may_loosen=may_loosen)
        except Exception:
            logger.exception("[ALERT] The stop of %s could not be moved; it stays.", trade)

    def close(self) -> None:
        """End the watch, and leave nothing behind that protects nothing."""
        if self._monitor is not None:
            self._monitor.stop()
        if self._running:
            self._running = False
            self._look_after()

    def _warm_up(self) -> None:
        if self._monitor is not None and self._running:
            self._monitor.warm_up()

    def _supervise(self, monitor: Monitor) -> None:
        try:
            monitor.start()
            monitor.loop_came()
        except Exception:
            logger.exception("[ALERT] The guard's threads could not be checked in this loop.")

    def _look_after(self) -> bool:
        """Do the bookkeeping while no other thread changes trades; return whether it ended well.

        Freqtrade's lock comes before the lock of a pair, always: whoever holds a pair's lock never
        waits for Freqtrade's, and the threads of the watch do not know Freqtrade's at all. Where
        Freqtrade calls the guard it mostly holds its lock already, so nothing there takes it.
        """
        with self._exit_lock:
            try:
                self._books.loop()
            except Exception:
                give_up()
                logger.exception("[ALERT] The stops could not be looked after in this loop.")
                return False
        return True


def _manager(
    book: PairStates, venue: Venue, strategy: IStrategy, settings: Settings
) -> StopManager:
    namer = Namer(strategy.config.get("bot_name", ""), strategy.config["db_url"])
    return StopManager(book, venue, namer, Placer(venue, namer), settings.naked_deadline)


def _reconciliation(
    strategy: IStrategy,
    exchange: Exchange,
    cover: EntryCover,
    watch: StopWatch | None,
    settings: Settings,
    can: Capabilities,
    stop_of_stranger: StopOfStranger,
    hearing: Hearing,
) -> TradeReconciliation:
    trailing = TrailingRule.of(settings.trail_callback, settings.trail_activation)
    return TradeReconciliation(
        strategy,
        exchange,
        cover,
        StopMover(cover.manager),
        watch,
        trailing if can.trailing else None,
        stop_of_stranger,
        hearing,
        blocks=can.blocks,
    )


def order_book_quote(exchange: Exchange, pair: str) -> Quote:
    """Return a pair's best prices by one request of Freqtrade's; NaN while they are not to be had.

    For where the guard does not read all best prices in each loop.
    """
    try:
        book = exchange.fetch_l2_order_book(pair, 1)
        bid, ask = float(book["bids"][0][0]), float(book["asks"][0][0])
    except (FreqtradeException, IndexError) as error:
        logger.warning("Could not read the prices of %s, so nothing enters: %r", pair, error)
        return Quote(nan, nan)
    return Quote(bid or nan, ask)


def _missing_after_s(strategy: IStrategy) -> float:
    """Return the seconds after which a loop of the bot's is missed: some of its own pauses."""
    pause_s: float = strategy.config.get("internals", {}).get("process_throttle_secs", 0.0)
    return max(LOOP_S, 3.0 * pause_s)


def _placement(settings: Settings, can: Capabilities) -> StopPlacement:
    wanted = settings.stop_placement
    if "before_entry" in can.placement_supported:
        return wanted
    if wanted == "before_entry":
        logger.warning(
            "stop_placement is before_entry, which is not to be had here: on_fill it is."
        )
    return "on_fill"
