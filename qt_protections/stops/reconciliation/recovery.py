"""Entries that this bot sent and did not live to put on record: they become trades after all."""

import logging
from collections.abc import Sequence
from time import monotonic

from freqtrade.enums import ExitType
from freqtrade.persistence import Trade

from qt_protections.errors import withhold_secrets
from qt_protections.rules.amounts import subtract_exact, sum_exact
from qt_protections.stops.manager import StopManager
from qt_protections.stops.reconciliation.absence import Absence
from qt_protections.stops.reconciliation.differences import SAME
from qt_protections.stops.reconciliation.entries import EntryReconciliation
from qt_protections.stops.reconciliation.strays import Strays
from qt_protections.stops.state.booking import book_close
from qt_protections.stops.state.pair import PairState
from qt_protections.stops.venue.protocol import CcxtOrder, Position, RequestError

logger = withhold_secrets(logging.getLogger(__name__))


class EntryRecovery:
    """Finds entries without a record by the orders of the exchange, and takes them up.

    A pair is asked about from the moment something shows that an entry may be missing, until its
    orders explain what is held, or the history can lag no longer.
    """

    def __init__(
        self, manager: StopManager, entries: EntryReconciliation, absence: Absence
    ) -> None:
        """Take the tools.

        Args:
            manager: Books what closed a position.
            entries: Finds entries without a record, and makes trades of them.
            absence: Says for how long a list may lag.
        """
        self._manager = manager
        self._entries = entries
        self._absence = absence
        #: Since when a pair's orders are asked for that may explain a position, monotonic.
        self._asking: dict[str, float] = {}

    @property
    def is_asking(self) -> bool:
        """Whether some pair's orders have yet to explain its position."""
        return bool(self._asking)

    def ask_about(self, pair: str) -> None:
        """Have the orders of a pair asked for with the next comparisons."""
        self._asking.setdefault(pair, monotonic())

    def recover(self, held: PairState, position: Position, trade: Trade | None) -> bool:
        """Put entries on record that this bot sent and did not live to put there.

        They become a trade of their own, or part of the pair's: a replaced entry, a second one.
        """
        if held.external.position is None or position.amount > held.external.position.amount:
            self._asking[held.pair] = monotonic()
        if held.pair not in self._asking:
            return False
        if trade is not None and (held.ledger.ends_first or trade.is_short != position.is_short):
            return False  # asked once that is over
        strays = self._strays(held, is_short=position.is_short)
        if strays is None:
            return False
        is_told = not strays.lags and strays.known >= position.amount * (1 - SAME)
        left = subtract_exact(_filled(strays.entries), _filled(strays.closes))
        # A trade that was deleted takes its entries along: they are nobody's.
        is_both = left and trade is not None
        lacking = subtract_exact(sum_exact(held.base, left), position.amount) if is_both else 0.0
        if lacking and self._manager.closes.book(held, lacking, with_exits=True):
            return False  # that closed what the trade has on record, and is booked before them
        is_over = monotonic() - self._asking[held.pair] > self._absence.needed_s
        if is_over or (is_told and not lacking):
            del self._asking[held.pair]  # else the history may lag as any list does
            if trade is not None and not strays.entries:
                # Somebody's own part may hide that others closed the trade's, unheard.
                self._manager.closes.book(held, shown=position.amount, with_exits=True)
        if not strays.entries or left > subtract_exact(position.amount, held.base) * (1 + SAME):
            return False
        self._take_up_all(held, position, trade, strays)
        return True

    def _take_up_all(
        self, held: PairState, position: Position, trade: Trade | None, strays: Strays
    ) -> None:
        """Put entries on record that a list of positions shows."""
        if trade is None:
            held.base = 0.0  # of a deleted trade: these are the entries that it was made of
        trade = self._take_up(held, trade, strays, position.leverage, position.entry_price)
        if not held.trigger and trade is not None:
            held.trigger, held.trigger_inferred = trade.stop_loss, True
        held.is_short, held.leverage = position.is_short, position.leverage

    def recover_unseen(self, held: PairState, trade: Trade | None) -> None:
        """Put entries on record that the list of positions does not show beside the trade.

        The list may be old, or something has closed a part that is not booked either. The orders
        are proof, and without the entries a stop that covers the whole would be booked on a part.
        """
        if trade is None or held.pair not in self._asking or held.ledger.ends_first:
            return
        strays = self._strays(held, is_short=trade.is_short)
        is_over = monotonic() - self._asking[held.pair] > self._absence.needed_s
        if is_over or (strays is not None and not strays.lags):
            del self._asking[held.pair]
        if strays is not None:
            self._take_up(held, trade, strays, trade.leverage or 1.0, trade.open_rate)

    def _strays(self, held: PairState, *, is_short: bool) -> Strays | None:
        """Return what the orders tell of entries without a trade; None without an answer."""
        try:
            self._entries.strays.cancel(held.pair)  # one that rests is nobody's yet, and fills on
            return self._entries.strays.find(held, is_short=is_short)
        except RequestError as error:
            logger.warning("Could not ask for the orders of %s: %s", held.pair, error)
            return None

    def _take_up(
        self, held: PairState, trade: Trade | None, strays: Strays, leverage: float, rate: float
    ) -> Trade | None:
        for order in strays.entries:
            average = float(order.get("average") or rate)
            trade = self._entries.take_up(held, trade, order, leverage, average)
        for order in strays.closes:
            book_close(held, order, ExitType.SOLD_ON_EXCHANGE.value)
        return trade


def _filled(orders: Sequence[CcxtOrder]) -> float:
    return sum_exact(*(float(order["filled"]) for order in orders))
