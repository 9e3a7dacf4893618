"""What the guard changed of each entry, kept until that entry goes out and is counted."""

from qt_protections.reporting.operator_log import OperatorLog
from qt_protections.rules.denial import DenyCode
from qt_protections.rules.entries import ApprovedEntry
from qt_protections.rules.stop_price import StopBound


class EntryChanges:
    """Counts the entries that go out, with the limits and bounds that changed them."""

    def __init__(self, operator_log: OperatorLog) -> None:
        """Count in the operator log."""
        self._operator_log = operator_log
        #: By pair: the limit that cut the entry, and what moved its stop.
        self._changed: dict[str, tuple[DenyCode | None, StopBound | None]] = {}

    def note(self, allowance: ApprovedEntry, *, is_cut: bool) -> None:
        """Note what the guard changes of an entry that is asked for."""
        bound = None if allowance.planned is None else allowance.planned.bound
        self._changed[allowance.wish.pair] = (allowance.room.limit if is_cut else None, bound)

    def count(self, pair: str, *, is_short: bool, is_new: bool) -> None:
        """Count an entry that goes out, with what was noted of the pair."""
        cut_by, bound = self._changed.pop(pair, (None, None))
        self._operator_log.allowed(is_short=is_short, is_new=is_new, cut_by=cut_by, bound=bound)
