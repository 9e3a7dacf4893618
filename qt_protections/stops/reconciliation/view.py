"""What the rules are told of stops and of the exchange while the bot runs."""

from freqtrade.persistence import Order

from qt_protections.portfolio.trades import open_trade
from qt_protections.rules.exposure import Exposure
from qt_protections.stops.reconciliation.comparison import Comparison
from qt_protections.stops.reconciliation.trade_reader import is_orphan
from qt_protections.stops.reconciliation.trade_updater import state_of
from qt_protections.stops.state.exposures import unaccounted
from qt_protections.stops.state.pair import PairState
from qt_protections.stops.state.pair_states import PairStates
from qt_protections.stops.state.pending_entry import PendingEntry


class BookView:
    """Reads the book without the locks of pairs: who holds one may wait for the exchange."""

    def __init__(self, book: PairStates, comparison: Comparison, *, is_watched: bool) -> None:
        """Take the book, and who knows whether book and exchange have been compared.

        Args:
            book: What is known of each pair.
            comparison: Compares the book with the exchange.
            is_watched: Whether the exchange can be listed; else nothing is waited for.
        """
        self._book = book
        self._comparison = comparison
        self._is_watched = is_watched

    def unsettled(self, pair: str) -> bool:
        """Whether the exchange may hold more of a pair than any trade accounts for.

        Nobody knows before the first comparison with the exchange.
        """
        held = self._book.of(pair)
        if not self.has_looked() or held.external.position is not None or _unbooked(held):
            return True
        if held.inherited and held.required_stop is None:
            return True  # what they protect is not known yet
        return open_trade(pair) is None and is_orphan(held)

    def has_looked(self) -> bool:
        """Whether book and exchange have been compared since the start, where that can be done."""
        return not self._is_watched or self._comparison.has_started

    def unaccounted(self) -> list[Exposure]:
        """Return what the exchange holds, or may, beyond what trades account for."""
        return [found for held in self._book for found in unaccounted(held, _unbooked(held))]

    def trigger(self, pair: str, *, is_short: bool) -> float:
        """Return where the stop of a side has to stand, quote currency; 0 while unknown."""
        held = self._book.of(pair)
        return held.trigger if held.is_short is is_short else 0.0

    def stop_state(self, pair: str) -> str:
        """Return what is known of a pair's stop: live, in doubt, or none."""
        return state_of(self._book.of(pair))


def _unbooked(held: PairState) -> list[PendingEntry]:
    """Return the entries of a pair that no trade has on record: lost, or not yet told."""
    waiting = [pending for pending in held.pending_entries if not pending.is_void]
    return [pending for pending in waiting if not _is_on_record(pending)]


def _is_on_record(pending: PendingEntry) -> bool:
    """Whether a trade accounts for an entry: none does if it rests and its trade is closed."""
    row = Order.order_by_id(pending.order_id, pending.entry.pair) if pending.order_id else None
    return row is not None and (row.trade.is_open or not row.ft_is_open)
