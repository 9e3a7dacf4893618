"""The last judgement of an entry, when its order is about to leave for the exchange."""

import logging
from collections.abc import Callable
from datetime import UTC, datetime

from qt_protections.entry.entry_changes import EntryChanges
from qt_protections.entry.forced_entries import ForcedEntries
from qt_protections.entry.gates import Gates
from qt_protections.entry.sizer import PositionSizer
from qt_protections.errors import EntryRefused, gate_failed, withhold_secrets
from qt_protections.portfolio.stop_view import StopView
from qt_protections.reporting.operator_log import OperatorLog
from qt_protections.rules.clock import check_clock
from qt_protections.rules.denial import Denial, DenyCode, deny
from qt_protections.rules.entries import ApprovedEntry, EntryRequest
from qt_protections.rules.stop_count import check_stop_count

logger = withhold_secrets(logging.getLogger(__name__))

_UNSETTLED = deny(
    DenyCode.ENTRY_UNSETTLED,
    "an earlier entry is not settled, or the exchange holds a position without a trade, or it has "
    "not been seen since the start, or a stop of an earlier run stands there and it is not certain "
    "yet that it protects nothing",
)


class EntryApproval:
    """Approves what the order interceptor sends: no order that opens a position passes by.

    Position adjustments and forced entries on an open trade skip the callbacks that the guard
    answers before. So every rule is asked here once more.
    """

    def __init__(
        self,
        gates: Gates,
        sizer: PositionSizer,
        stops: Callable[[], StopView],
        operator_log: OperatorLog,
        forced: ForcedEntries,
        changes: EntryChanges,
    ) -> None:
        """Take the rules, and who tells.

        Args:
            gates: Whether an entry may be at all.
            sizer: How large an entry may be.
            stops: Gives who knows of the stops: they are attached later than the approval.
            operator_log: Who says what was cut.
            forced: The refusals of forced entries.
            changes: What the guard changed of an entry.
        """
        self._gates = gates
        self._sizer = sizer
        self._stops = stops
        self._operator_log = operator_log
        self._forced = forced
        self._changes = changes

    def approve(self, entry: EntryRequest) -> ApprovedEntry:
        """Judge an entry, and say how large it may be and where its stop stands.

        Raises:
            EntryRefused: If a rule objects, or cannot be asked.
        """
        pair, now = entry.pair, datetime.now(UTC)
        denial = self._forced.take(pair)
        denial = denial or self._gates.entry(pair, now, is_short=entry.is_short)
        if denial is not None:
            raise EntryRefused(pair, denial)
        try:
            return self._approved(entry, now)
        except EntryRefused:
            raise
        except Exception as error:
            logger.exception("No stop could be planned for %s.", pair)
            raise EntryRefused(pair, gate_failed("the plan of its stop", error)) from error

    def not_now(self, pair: str) -> Denial | None:
        """Refuse any entry of a pair while clocks differ or the exchange may hold more of it."""
        # First: whoever cannot ask the exchange for the skew sees nothing settled either.
        denial = check_clock(self._stops().clock_skew_s())
        if denial is None and self._stops().unsettled(pair):
            denial = _UNSETTLED
        return denial

    def _approved(self, entry: EntryRequest, now: datetime) -> ApprovedEntry:
        denial = self.not_now(entry.pair)
        if denial is not None:
            raise EntryRefused(entry.pair, denial)
        allowance = self._sizer.allowance(entry, now)
        amount = min(entry.amount, allowance.amount)
        least = self._sizer.least_stake(entry)
        denial = self._sizer.objection(allowance, allowance.stake_of(amount), least)
        if denial is None:
            whole, stops = allowance.position(amount).amount, self._stops()
            denial = check_stop_count(whole, stops.largest(entry.pair), stops.free_stops())
        if denial is not None:
            raise EntryRefused(entry.pair, denial)
        if amount < entry.amount:
            self._changes.note(allowance, is_cut=True)
            self._operator_log.cut(entry.pair, entry.amount, amount, allowance.room.loss)
        self._changes.count(entry.pair, is_short=entry.is_short, is_new=allowance.is_new)
        return allowance._replace(amount=amount)
