"""The book compared with the exchange: with all lists at the start, later with what is due."""

import logging
from collections.abc import Callable
from functools import partial
from time import monotonic
from typing import Protocol

from freqtrade.persistence import Trade

from qt_protections.errors import withhold_secrets
from qt_protections.stops.manager import StopManager
from qt_protections.stops.monitor.watch import StopWatch
from qt_protections.stops.reconciliation.entries import EntryReconciliation
from qt_protections.stops.reconciliation.positions import PositionReconciliation
from qt_protections.stops.reconciliation.prices import Prices
from qt_protections.stops.reconciliation.schedule import Schedule
from qt_protections.stops.reconciliation.trade_reader import TradeReader
from qt_protections.stops.reconciliation.trailing import TrailingStops
from qt_protections.stops.venue.protocol import Position, RequestError

logger = withhold_secrets(logging.getLogger(__name__))


class Comparison(Protocol):
    """Compares book and exchange in a loop of the bot.

    Attributes:
        has_started: Whether the first comparison since the start has had its answers.
    """

    has_started: bool

    def compare(self, trades: dict[str, Trade]) -> None:
        """Compare what is due.

        Args:
            trades: The open ones by pair, as the book learnt them.
        """

    def is_due(self) -> bool:
        """Whether a loop in which nothing else has changed has to compare all the same."""

    def ask_for_the_rest(self) -> None:
        """Ask for what is due in a loop that has nothing to compare."""


class BookOnly:
    """For exchanges that cannot be listed: what Freqtrade has on record counts."""

    def __init__(self, manager: StopManager, reader: TradeReader, *, blocks: bool) -> None:
        """Take who covers positions, and who lets go of trades that are over.

        Args:
            manager: Covers positions.
            reader: Lets go of trades.
            blocks: Whether a live stop keeps the asset from being sold: then Freqtrade's own
                handling places and cancels the stop of an open position.
        """
        self.has_started = False
        self._manager = manager
        self._reader = reader
        self._blocks = blocks

    def compare(self, trades: dict[str, Trade]) -> None:
        """Let go of trades that are over, and of what stood for them."""
        self._reader.let_go(trades, {})
        for held in self._manager.book:
            if held.required_stop is None or not self._blocks:
                self._manager.reconcile_stops(held)
        self.has_started = True

    def is_due(self) -> bool:
        """Nobody else would notice what changed: each loop compares."""
        return True

    def ask_for_the_rest(self) -> None:
        """Nothing: there are no lists."""


class ListComparison:
    """Compares book and exchange by the exchange's lists of positions, stops and prices."""

    def __init__(
        self,
        watch: StopWatch,
        entries: EntryReconciliation,
        positions: PositionReconciliation,
        reader: TradeReader,
        trailing: TrailingStops,
        schedule: Schedule,
        prices: Prices,
    ) -> None:
        """Take the tools.

        Args:
            watch: Compares live stops with the book.
            entries: Cancels entries that an earlier run left behind.
            positions: Compares positions with trades.
            reader: Lets go of trades that are over.
            trailing: Takes up trailing stops on record.
            schedule: When to ask for which list.
            prices: The best prices.
        """
        self.has_started = False
        self._watch = watch
        self._entries = entries
        self._positions = positions
        self._reader = reader
        self._trailing = trailing
        self._schedule = schedule
        self._prices = prices

    def compare(self, trades: dict[str, Trade]) -> None:
        """Compare what is due.

        Args:
            trades: The open ones by pair, as the book learnt them.
        """
        if self.has_started:
            self._compare_again(trades)
            return
        self.has_started = _answers("all", partial(self._compare_first, trades))
        self._prices.read_if_due(self._watch)

    def is_due(self) -> bool:
        """Whether the positions have to be asked for, or nothing was compared yet."""
        return not self.has_started or self._schedule.are_positions_due(self._watch)

    def ask_for_the_rest(self) -> None:
        """Ask for stops and prices where that is due."""
        if self._schedule.are_stops_due(self._watch):
            _answers("stops", self._watch.look)
            self._schedule.stops_are_asked()
        self._prices.read_if_due(self._watch)

    def _compare_again(self, trades: dict[str, Trade]) -> None:
        """Ask for what the stream may not have told.

        One list that cannot be had does not keep the other from being compared.
        """
        self._reader.let_go(trades, None)
        if self.is_due():
            _answers("positions", partial(self._compare_positions, trades))
        self.ask_for_the_rest()

    def _compare_first(self, trades: dict[str, Trade]) -> None:
        self._entries.strays.cancel()
        for trade in trades.values():
            self._trailing.recall(trade)
        positions = self._list_positions()  # with what a stray filled meanwhile
        self._reader.let_go(trades, positions)
        self._positions.compare_at_start(positions, trades, self._watch.look)

    def _compare_positions(self, trades: dict[str, Trade]) -> None:
        positions = self._list_positions()
        self._reader.let_go(trades, positions)
        self._positions.compare(positions, trades)

    def _list_positions(self) -> dict[str, Position]:
        """Return the account's positions by pair; a list that fails is due again at once.

        Raises:
            RequestError: If the exchange does not answer.
        """
        asked = monotonic()
        positions = self._positions.listed()
        self._schedule.positions_were_asked(asked)
        return positions


def _answers(what: str, compare: Callable[[], None]) -> bool:
    """Compare something with the exchange; return whether the exchange answered."""
    try:
        compare()
    except RequestError as error:
        logger.warning("Could not compare %s with the exchange: %s", what, error)
        return False
    return True
