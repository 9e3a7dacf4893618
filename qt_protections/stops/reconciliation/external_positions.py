"""Positions that no trade accounts for: covered, said once, and left to whoever opened them."""

import logging
from dataclasses import replace
from time import monotonic, time
from typing import Protocol

from qt_protections.errors import withhold_secrets
from qt_protections.rules.amounts import sum_exact
from qt_protections.rules.pairs import symbol_of
from qt_protections.rules.stop_plan import covered
from qt_protections.stops.manager import StopManager
from qt_protections.stops.reconciliation.absence import Absence
from qt_protections.stops.state.pair import PairState
from qt_protections.stops.venue.protocol import Position, RequestError

logger = withhold_secrets(logging.getLogger(__name__))


class StopOfStranger(Protocol):
    """Says where the stop of a position stands that no trade accounts for."""

    def __call__(
        self, pair: str, entry_price: float, leverage: float, *, is_short: bool
    ) -> float: ...


class ExternalPositions:
    """Notes and covers what somebody else holds on the account."""

    def __init__(
        self, manager: StopManager, absence: Absence, stop_of_stranger: StopOfStranger
    ) -> None:
        """Take the tools.

        Args:
            manager: Its venue tells prices and the time; it calls entries off.
            absence: Says for how long a list may lag.
            stop_of_stranger: Says where the stop of such a position stands.
        """
        self._manager = manager
        self._absence = absence
        self._stop_of_stranger = stop_of_stranger
        self._smaller_since: dict[str, float] = {}

    @property
    def are_shrinking(self) -> bool:
        """Whether a position was listed smaller than it was until lately."""
        return bool(self._smaller_since)

    def disown(self, held: PairState, price: float) -> None:
        """Take what a deleted trade held for nobody's: another trade of the pair begins.

        That may be a part of the same position, an entry that filled while its trade was deleted.
        Of the rest only the list of positions tells, and that may lag.

        Args:
            held: The pair; its lock is held.
            price: Quote currency, about what the position was entered at.
        """
        if held.external.position is None:
            held.external.since_ms = self._now_ms()
            amount = sum_exact(held.base, *(pending.unbooked for pending in held.pending_entries))
            held.external.position = Position(
                held.pair, held.is_short, amount, price, held.leverage
            )

    def shelter(self, held: PairState, position: Position) -> None:
        """Cover a position no trade accounts for, say so once, and let nothing else enter."""
        if held.external.position is None:
            logger.error(
                "[ALERT] %s holds %s on the exchange that no trade accounts for: it is covered, "
                "and no entry goes out until it is gone.",
                symbol_of(held.pair),
                position.amount,
            )
        position = self._not_smaller(held, position)
        if held.external.position is None or held.external.position.amount != position.amount:
            # Of the list that may lag: what filled later is not in it yet.
            held.external.since_ms = position.updated_ms or self._now_ms()
        held.external.position = position
        if any(pending.entry.is_short != position.is_short for pending in held.pending_entries):
            self._manager.closes.call_off(held)  # a stop stands for one side only
        if held.base:
            return  # a part of it is a trade's, and stands where that one's stop stands
        need = held.required_stop
        is_covered = need is not None and covered(need, held.standing)
        if held.is_short != position.is_short or not is_covered:
            # What stood may have been a trade's, and passed by the price since.
            held.is_short = position.is_short
            held.trigger, held.trigger_inferred = self._stop_for(position), True
        held.leverage = position.leverage

    def _not_smaller(self, held: PairState, position: Position) -> Position:
        """Return a stranger's position as it is shown, or was until lately if that was larger.

        A list may be old; a stop for more than there is closes no more than there is.
        """
        known = held.external.position
        same = known is not None and known.is_short == position.is_short
        if known is None or not same or position.amount >= known.amount:
            self._smaller_since.pop(held.pair, None)
            return position
        since = self._smaller_since.setdefault(held.pair, monotonic())
        if monotonic() - since > self._absence.needed_s:
            return position
        return replace(position, amount=known.amount)

    def _stop_for(self, position: Position) -> float:
        """Return where a stranger's stop stands: from its entry, or from now if that is passed.

        One just beyond the price would close what somebody means to keep.
        """

        def stop_from(price: float) -> float:
            return self._stop_of_stranger(
                position.pair, price, position.leverage, is_short=position.is_short
            )

        stop = stop_from(position.entry_price)
        try:
            price = self._manager.venue.price(position.pair)
        except RequestError as error:
            logger.warning("Could not ask for the price of %s: %s", position.pair, error)
            return stop
        passed = price >= stop if position.is_short else price <= stop
        return stop_from(price) if passed else stop

    def _now_ms(self) -> int:
        """Return the exchange's time, epoch milliseconds."""
        return int((time() - self._manager.venue.clock_skew_s) * 1000)
