"""The account's positions against the trades: what no trade accounts for, and what is gone."""

import logging
from collections.abc import Callable
from time import monotonic

from freqtrade.persistence import Trade

from qt_protections.errors import withhold_secrets
from qt_protections.stops.manager import StopManager
from qt_protections.stops.reconciliation.absence import Absence
from qt_protections.stops.reconciliation.closure import ClosureProof
from qt_protections.stops.reconciliation.differences import (
    is_missing,
    is_more,
    is_short_of,
    lacking,
)
from qt_protections.stops.reconciliation.entries import EntryReconciliation
from qt_protections.stops.reconciliation.external_positions import ExternalPositions, StopOfStranger
from qt_protections.stops.reconciliation.isolation import apart
from qt_protections.stops.reconciliation.recovery import EntryRecovery
from qt_protections.stops.state.pair import PairState
from qt_protections.stops.venue.protocol import Position, RequestError

logger = withhold_secrets(logging.getLogger(__name__))

#: Seconds for which the exchange may not yet show what was entered.
SURPLUS_LAG_S = 3.0
#: Seconds before a position counts as gone, longer than one takes to show: to withdraw its stop by
#: mistake costs more than to leave one too long.
MISSING_LAG_S = 10.0


class PositionReconciliation:
    """Compares positions with trades once in each loop.

    A position that the exchange does not show is no proof that the position is closed, see
    `OrderHistory` and `Absence`: until there is one, its stop stays.
    """

    def __init__(
        self,
        manager: StopManager,
        entries: EntryReconciliation,
        stop_of_stranger: StopOfStranger,
    ) -> None:
        """Take who places and asks, and who says where a stranger's stop stands."""
        self._manager = manager
        self._entries = entries
        self._absence = Absence(manager.venue)
        self._recovery = EntryRecovery(manager, entries, self._absence)
        self._external = ExternalPositions(manager, self._absence, stop_of_stranger)
        self._closure = ClosureProof(manager, self._absence)
        self._odd: dict[str, int] = {}

    def listed(self) -> dict[str, Position]:
        """Return the account's positions by pair, as the exchange lists them now.

        Raises:
            RequestError: If the exchange does not answer.
        """
        positions = self._manager.venue.positions()
        self._absence.see(positions)
        return positions

    @property
    def are_unsettled(self) -> bool:
        """Whether something differed when it was last compared, or still has to be proven."""
        is_asking = self._recovery.is_asking or self._external.are_shrinking
        return is_asking or bool(self._odd) or self._closure.is_missing

    def is_closed(self, held: PairState) -> bool:
        """See `ClosureProof.is_closed`."""
        return self._closure.is_closed(held)

    def disown(self, held: PairState, price: float) -> None:
        """See `ExternalPositions.disown`."""
        self._external.disown(held, price)

    def compare(self, positions: dict[str, Position], trades: dict[str, Trade]) -> None:
        """Tell the book of positions without a trade, and of trades without a position.

        Args:
            positions: Those of the account, by pair.
            trades: The open ones by pair, as the book learnt them.
        """
        self._compare_all(positions, trades, at_start=False)

    def compare_at_start(
        self,
        positions: dict[str, Position],
        trades: dict[str, Trade],
        look: Callable[[], None],
    ) -> None:
        """Compare, and again once it is known which stops fired while no bot ran.

        One of them may have closed what its trade has on record, beside an entry that is not there.
        Until both are known, every position keeps the cover it has.

        Args:
            positions: Those of the account, by pair.
            trades: The open ones by pair, as the book learnt them.
            look: Compares the live stops with the book.

        Raises:
            RequestError: If the exchange does not answer.
        """
        for pair in positions.keys() - trades.keys():
            held = self._manager.book.of(pair)
            with apart(pair), held.lock:
                self._compare(held, positions[pair], None, at_start=True)
        kept = []
        for pair, position in positions.items():
            if pair in trades and trades[pair].is_short == position.is_short:
                kept.append(self._manager.book.of(pair))
                kept[-1].external.position = position
        try:
            look()
        finally:
            for held in kept:
                held.external.position = None
        # With the trades that were recovered meanwhile.
        trades = {trade.pair: trade for trade in Trade.get_open_trades()}
        for pair in trades:
            self._recovery.ask_about(pair)
        self._compare_all(positions, trades, at_start=True)
        for held in self._manager.book:
            with apart(held.pair):
                self._manager.reconcile_stops(held)

    def _compare_all(
        self, positions: dict[str, Position], trades: dict[str, Trade], *, at_start: bool
    ) -> None:
        for pair in positions:
            self._manager.book.of(pair)
        for held in self._manager.book:
            with apart(held.pair), held.lock:
                self._compare(
                    held, positions.get(held.pair), trades.get(held.pair), at_start=at_start
                )

    def _compare(
        self, held: PairState, position: Position | None, trade: Trade | None, *, at_start: bool
    ) -> None:
        surplus, held.more_shown = self._is_surplus(held, position, trade), False
        if not surplus:
            self._recovery.recover_unseen(held, trade)
        missing = is_missing(held, position, trade)
        self._explain_stops(held, position)
        if not surplus and self._stranger_is_gone(held, position):
            held.external.position = None
        short = trade is not None and is_short_of(held, position, trade)
        if not missing:
            self._closure.shown_again(held.pair)
            held.trouble.denied = 0
        if at_start and trade is not None and not (missing or short):
            # An exit that a kill kept off the record is not missed beside somebody's own part.
            self._manager.closes.book(held, 0.0, with_exits=True)
        if not (surplus or missing or short):
            self._odd.pop(held.pair, None)
            return
        lag_s = SURPLUS_LAG_S if surplus and not missing else MISSING_LAG_S
        if not at_start and not self._is_certain(held, lag_s):
            held.more_shown = surplus  # until that is certain, what may cover it stays
            return
        history = self._manager.history
        if short and position is not None and history.try_to_refresh_entries(held):
            amount = lacking(held, position, trade)
            self._manager.closes.book(held, amount, shown=position.amount, with_exits=True)
        if missing:
            self._closure.find(held, trade)
        if surplus and position is not None and not self._recovery.recover(held, position, trade):
            self._external.shelter(held, position)

    def _explain_stops(self, held: PairState, position: Position | None) -> None:
        """Let go of an earlier run's stops once it is known what they protect, or that nothing."""
        if not held.inherited:
            return
        if held.required_stop is not None or held.external.position is not None:
            # Beside a position of the one side there is none of the other.
            is_shown = position is not None and position.is_short == held.is_short
            for stop in held.all_stops:
                if is_shown or stop.is_short == held.is_short:
                    stop.track.is_inherited = False
        if position is not None or not held.inherited:
            return  # a position gets a trade, or is a stranger's, and with that a stop it needs
        try:
            # An entry whose answer was lost may arrive now, and rest.
            self._entries.strays.cancel(held.pair)
        except RequestError as error:
            logger.warning("Could not ask for open orders of %s: %s", held.pair, error)
            return
        self._closure.explain_inherited(held)

    def _stranger_is_gone(self, held: PairState, position: Position | None) -> bool:
        """Whether what nobody accounted for is accounted for, or closed for certain."""
        stranger = held.external.position
        if stranger is None or position is not None:
            return True
        return self._closure.was_closed(held, stranger.amount, held.external.since_ms)

    def _is_surplus(self, held: PairState, position: Position | None, trade: Trade | None) -> bool:
        """Whether the exchange holds more than trades and fills of entries account for."""
        if position is None:
            return False
        own = 0.0 if trade is None else held.base
        if position.is_short == held.is_short and not is_more(position, own, held):
            return False
        self._manager.history.try_to_refresh_entries(held)
        return position.is_short != held.is_short or is_more(position, own, held)

    def _is_certain(self, held: PairState, lag_s: float) -> bool:
        """Whether a difference is more than the exchange's delay in showing positions."""
        self._odd[held.pair] = self._odd.get(held.pair, 0) + 1
        return monotonic() - held.changed > lag_s and self._odd[held.pair] >= 2
