"""Proof that a position is closed, and what follows while there is none."""

import logging
from time import monotonic

from freqtrade.persistence import Trade

from qt_protections.errors import withhold_secrets
from qt_protections.rules.pairs import symbol_of
from qt_protections.stops.manager import StopManager
from qt_protections.stops.reconciliation.absence import Absence
from qt_protections.stops.reconciliation.trade_writer import write_off
from qt_protections.stops.state.pair import PairState
from qt_protections.stops.venue.protocol import RequestError

logger = withhold_secrets(logging.getLogger(__name__))

#: How often the engine has to see no position before a trade is closed in the books for that.
_DENIALS = 2


class ClosureProof:
    """Finds out whether a position that is not shown is closed, and by which orders."""

    def __init__(self, manager: StopManager, absence: Absence) -> None:
        """Take who has the order history, and who compares the account's lists."""
        self._manager = manager
        self._absence = absence
        self._unproven: set[str] = set()
        self._began = monotonic()

    @property
    def is_missing(self) -> bool:
        """Whether a position is not shown, and nothing proves yet that it is closed."""
        return bool(self._unproven)

    def shown_again(self, pair: str) -> None:
        """Note that the position of a pair is listed."""
        self._unproven.discard(pair)

    def is_closed(self, held: PairState) -> bool:
        """Whether there is proof that the position of a deleted trade is closed."""
        return not held.base or self.was_closed(held, held.base, held.known_since_ms)

    def was_closed(self, held: PairState, amount: float, since_ms: int) -> bool:
        """Whether a position that is not shown is closed: by its orders, or by two lists."""
        is_proven = self._absence.is_proven(held.pair)
        return is_proven or self._orders_tell(held, amount, since_ms, is_short=held.is_short)

    def explain_inherited(self, held: PairState) -> None:
        """Let go of an earlier run's stops whose position, which is not shown, is closed.

        Both lists tell that after a minute. Orders tell it as soon as nothing that the earlier run
        sent can arrive any more: they closed what the stop was placed for, and all since. A stop
        that went ahead of its entry was placed for nothing yet, so that one waits for the lists.
        """
        is_proven = self._absence.is_proven(held.pair)
        has_arrived = monotonic() - self._began > self._manager.venue.arrives_within_s
        for stop in held.inherited:
            is_short, placed_ms = stop.is_short, int(stop.order.get("timestamp") or 0)
            if is_proven or (
                has_arrived and self._orders_tell(held, stop.amount, placed_ms, is_short=is_short)
            ):
                stop.track.is_inherited = False

    def _orders_tell(
        self, held: PairState, amount: float, since_ms: int, *, is_short: bool
    ) -> bool:
        """Whether orders closed a position that neither list shows."""
        if self._absence.may_be_shown(held.pair):
            return False
        try:
            return self._manager.history.is_closed(held, amount, since_ms, is_short=is_short)
        except RequestError as error:
            logger.warning("Could not ask what closed %s: %s", symbol_of(held.pair), error)
            return False

    def find(self, held: PairState, trade: Trade | None) -> None:
        """Book what closed a position that is not there; end its trade, or say that it stays."""
        is_asked = self._manager.history.is_due(held)
        # The loop holds Freqtrade's lock of exits: one without a record stays without one.
        # One list that is empty proves nothing: somebody else's part may only not be shown.
        shown = 0.0 if self._absence.is_proven(held.pair) else None
        found = self._manager.closes.book(held, shown=shown, with_exits=True)
        if not found and is_asked and not self._is_written_off(held, trade):
            self._say_unproven(held)

    def _is_written_off(self, held: PairState, trade: Trade | None) -> bool:
        """Close a trade in the books that the exchange holds nothing of, by three witnesses.

        Both lists have shown nothing for a minute, no order closed the position, and the engine
        itself has refused to reduce it more than once. Else a trade that counted something twice
        would be protected, and exited in vain, for ever.
        """
        if (
            trade is None
            or not held.base
            or held.trouble.denied < _DENIALS
            or not self._absence.is_proven(held.pair)
        ):
            return False
        logger.error(
            "[ALERT] %s is closed in the books: the exchange has no position of it, refuses to "
            "reduce one, and knows no order that closed it.",
            trade,
        )
        write_off(trade)
        return True

    def _say_unproven(self, held: PairState) -> None:
        if held.pair in self._unproven:
            return
        self._unproven.add(held.pair)
        logger.error(
            "[ALERT] The exchange does not show the position of %s, and knows no order that closed "
            "it: its stop stays.",
            symbol_of(held.pair),
        )
