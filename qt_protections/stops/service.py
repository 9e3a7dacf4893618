"""Everything that keeps a running bot's positions covered, put together."""

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from math import inf
from typing import Any

from freqtrade.exchange import Exchange
from freqtrade.persistence import Trade
from freqtrade.strategy.interface import IStrategy

from qt_protections.errors import withhold_secrets
from qt_protections.rules.denial import Denial
from qt_protections.rules.stop_count import free_stops
from qt_protections.rules.trailing import TrailingRule
from qt_protections.settings import Settings, StopPlacement
from qt_protections.stops.intercept.entries import Admission, EntryInterceptor
from qt_protections.stops.intercept.stops import StopInterceptor
from qt_protections.stops.manager import StopManager
from qt_protections.stops.monitor.hearing import Hearing
from qt_protections.stops.monitor.sentinel import LOOP_S, Health, Monitor
from qt_protections.stops.monitor.stream_proof import ProvenLine, StreamProof
from qt_protections.stops.monitor.watch import StopWatch
from qt_protections.stops.placer import Placer
from qt_protections.stops.reconciliation.positions import StopOfStranger
from qt_protections.stops.reconciliation.trade_cache import give_up
from qt_protections.stops.reconciliation.trades import TradeReconciliation
from qt_protections.stops.state.client_ids import Namer
from qt_protections.stops.state.pair import EntryOrder, PairStates
from qt_protections.stops.venue.capabilities import Capabilities
from qt_protections.stops.venue.freqtrade import FreqtradeVenue
from qt_protections.stops.venue.pacing import pace
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
        admit: Callable[[EntryOrder], Admission],
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
            admit: Judges an entry, or raises.
            announce: Says of a pair why its entry was refused.
            stop_of_stranger: Says where the stop of a position stands that no trade accounts for.
            exit_lock: Freqtrade's, under which its loop and remote control change trades.
        """
        logger.info("[OK] Stops on %s", can.text)
        proof = StreamProof()
        hearing = Hearing(proof)
        line = _line(exchange, strategy, can, proof)
        namer = Namer(strategy.config.get("bot_name", ""), strategy.config["db_url"])
        placer = Placer(line, namer)
        placement = _placement(settings, can)
        self._book = PairStates(line.largest)
        keeper = StopManager(
            self._book,
            line,
            namer,
            placer,
            placement,
            settings.naked_deadline,
            at_hand_over=can.blocks,
        )
        watch = StopWatch(keeper) if can.watches else None
        trailing = TrailingRule.of(settings.trail_callback, settings.trail_activation)
        self._books = TradeReconciliation(
            strategy,
            exchange,
            keeper,
            watch,
            trailing if can.trailing else None,
            stop_of_stranger,
            hearing,
            blocks=can.blocks,
        )
        self._line = line
        self.watches = can.watches
        self._sentinel: Monitor | None = None
        if watch is not None:
            self._sentinel = Monitor(exchange, watch, hearing, proof, _loop_s(strategy))
        self._running = False
        self._exit_lock = exit_lock
        EntryInterceptor(exchange, keeper, admit, announce, self._warm_up)
        if watch is not None:
            StopInterceptor(exchange, keeper, self._books.has_looked, hearing)
        self.tag = self._books.tag
        self.unsettled = self._books.unsettled
        self.unaccounted = self._books.unaccounted
        self.quote = self._books.quote
        self.stop_state = self._books.stop_state
        self.trigger = self._books.trigger
        self.largest = line.largest

    def clock_skew_s(self) -> float:
        """Return how many seconds this machine's clock is ahead of the exchange's; 0 if unknown."""
        return self._line.clock_skew_s

    def free_stops(self) -> float:
        """Return how many more stops the account takes; infinity where they cannot be listed."""
        return free_stops(self._book.conditional_orders) if self.watches else inf

    def loop(self) -> None:
        """Run once in each of the bot's loops, before its exits and entries."""
        looked = self._look_after() and self._books.has_looked()
        # Not before: the watch would cancel what stands for a position nobody has seen yet.
        self._running = self._running or looked
        if self._sentinel is not None and self._running:
            self._supervise(self._sentinel)

    @property
    def health(self) -> Health | None:
        """How the watch does; None where the bot's loop alone looks after the stops."""
        return self._sentinel.health if self._sentinel is not None else None

    def state(self) -> tuple[object, ...]:
        """Return what differs once something is held, stands or is heard otherwise."""
        health = self.health
        stream = () if health is None else (health.stream, [t.life for t in health.threads])
        return (*stream, [held.outline for held in self._book if not held.is_empty])

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
        if self._sentinel is not None:
            self._sentinel.stop()
        if self._running:
            self._running = False
            self._look_after()

    def _warm_up(self) -> None:
        if self._sentinel is not None and self._running:
            self._sentinel.warm_up()

    def _supervise(self, sentinel: Monitor) -> None:
        try:
            sentinel.start()
            sentinel.loop_came()
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


def _line(exchange: Exchange, strategy: IStrategy, can: Capabilities, proof: StreamProof) -> Venue:
    if can.watches:
        line = ProvenLine(exchange, strategy.order_types, proof)
        pace(exchange, line.budget)
        return line
    return FreqtradeVenue(exchange, strategy.order_types)


def _loop_s(strategy: IStrategy) -> float:
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
