"""What Freqtrade asks of an entry before its order: the callbacks of a strategy, answered."""

import logging
from collections.abc import Callable
from datetime import datetime
from typing import Any

from qt_protections.entry.approval import EntryApproval
from qt_protections.entry.decision import Decision, decision_on
from qt_protections.entry.entry_changes import EntryChanges
from qt_protections.entry.forced_entries import ForcedEntries
from qt_protections.entry.gates import Gates
from qt_protections.entry.sizer import PositionSizer
from qt_protections.entry.standing_refusals import Question, StandingRefusals
from qt_protections.errors import EntryRefused, gate_failed, withhold_secrets
from qt_protections.portfolio.trades import open_trade
from qt_protections.reporting.operator_log import OperatorLog
from qt_protections.rules.denial import Denial
from qt_protections.rules.entries import ApprovedEntry, EntryRequest
from qt_protections.rules.stop_price import Distance, StopBound
from qt_protections.stops.simulated.initial_stop import SimulatedStops

logger = withhold_secrets(logging.getLogger(__name__))


class EntryPolicy:
    """Lets entries go on, cuts them to what the risk allows, or refuses them.

    Attributes:
        observe: Hears each decision on what Freqtrade asks for; None if nobody looks on. A later
            question may refuse an entry that is allowed here; the last decision counts.
    """

    def __init__(
        self,
        gates: Gates,
        sizer: PositionSizer,
        approval: EntryApproval,
        operator_log: OperatorLog,
        refusals: StandingRefusals,
        forced: ForcedEntries,
        changes: EntryChanges,
        simulated_stops: SimulatedStops,
        *,
        live: bool,
    ) -> None:
        """Take the rules, and who asks and tells.

        Args:
            gates: Whether an entry may be at all.
            sizer: How large an entry may be.
            approval: Who judges the order of the entry.
            operator_log: Who says what was refused.
            refusals: Who remembers what was refused.
            forced: Who tells entries that somebody forces.
            changes: What the guard changed of an entry.
            simulated_stops: The stops of backtests.
            live: Whether orders reach an exchange.
        """
        self._gates = gates
        self._sizer = sizer
        self._approval = approval
        self._operator_log = operator_log
        self._refusals = refusals
        self._forced = forced
        self._changes = changes
        self._simulated_stops = simulated_stops
        self._live = live
        self.observe: Callable[[Decision], None] | None = None

    def loop_begins(self) -> None:
        """Note the thread of the bot's loop, and read anew what refusals depend on."""
        self._forced.loop_begins()
        self._refusals.read_anew()

    def refuses_at_sight(self, pair: str, *, is_short: bool) -> bool:
        """Whether a signal is refused before Freqtrade spends a request on it.

        Either the signal was refused already and nothing has changed, or no entry of the pair
        could go out now. An error here decides nothing: the order of the entry is judged again.
        """
        if not self._live:
            return False
        try:
            if self._refusals.stands(pair, is_short=is_short):
                return True
            denial = self._approval.not_now(pair)
        except Exception:
            logger.exception("The signal of %s could not be judged at sight.", pair)
            return False
        if denial is None:
            return False
        self._operator_log.refusal(pair, denial)
        return True

    def passes(
        self, pair: str, now: datetime, tag: str | None, *, is_short: bool, is_new: bool = False
    ) -> bool:
        """Whether an entry may go on; a forced entry goes on to hear why it may not.

        Args:
            pair: Freqtrade's pair.
            now: UTC; the wall clock, in backtests the candle's open.
            tag: The entry's; tells a forced entry.
            is_short: Side of the entry.
            is_new: Whether the entry opens a position. Such a refusal may stand. The refusal of
                a further entry depends on the price.
        """
        question = self._question(pair, tag, is_short=is_short) if is_new else None
        denial = self._gates.entry(pair, now, is_short=is_short)
        if denial is None:
            return True
        if self.observe is not None:
            self.observe(Decision(now, pair, is_short, denial.code))
        if question is not None:
            self._refusals.remember(question, denial)
        return self._forced.goes_on(pair, tag, denial)

    def confirmed(self, pair: str, *, is_short: bool) -> None:
        """Count a backtest's new entry, which the wrapped strategy has confirmed as well."""
        # A backtest asks nothing after that. For an entry that it replaces, it asks once more.
        if not self._live and open_trade(pair) is None:
            self._changes.count(pair, is_short=is_short, is_new=True)

    def capped_stake(
        self,
        wanted: Any,
        wish: EntryRequest,
        now: datetime,
        tag: str | None,
        *,
        is_new: bool = False,
    ) -> float:
        """Return the stake (stake currency) of an entry, at most what the risk allows; 0 refuses.

        Args:
            wanted: The stake of the configuration or the wrapped strategy, which wants no entry if
                the stake is not above 0.
            wish: The entry.
            now: UTC; the wall clock, in backtests the candle's open.
            tag: The entry's; tells a forced entry.
            is_new: Whether the entry opens a position, as for `passes`.
        """
        self._forced.take(wish.pair)
        question = self._question(wish.pair, tag, is_short=wish.is_short) if is_new else None
        least, allowance = 0.0, None
        try:
            least = self._sizer.least_proposed(wish)
            stake = _number(wanted)
            if not stake > 0:  # nor is NaN
                return 0.0
            allowance = self._sizer.allowance(wish, now)
            stake, denial = self._cut(allowance, stake, least)
        except EntryRefused as refusal:
            stake, denial = 0.0, refusal.denial
        except Exception as error:
            logger.exception("Sizing failed for %s.", wish.pair)
            stake, denial = 0.0, gate_failed("the sizing", error)
        if self.observe is not None:
            loss_of = self._sizer.loss_ratio
            self.observe(decision_on(wish, now, stake, allowance, denial, loss_of))
        if denial is None:
            if not is_new and not self._live:
                self._changes.count(wish.pair, is_short=wish.is_short, is_new=False)
            return stake
        self._operator_log.refusal(wish.pair, denial)
        if question is not None:
            self._refusals.remember(question, denial)
        return max(least, 1.0) if self._forced.goes_on(wish.pair, tag, denial) else 0.0

    def _cut(
        self, allowance: ApprovedEntry, stake: float, least: float
    ) -> tuple[float, Denial | None]:
        """Return a stake cut to the allowance, and the refusal of what is left; None if allowed."""
        # A hair above whole lots: Freqtrade divides by the price, and cuts what is below.
        most = allowance.stake * (1 + 1e-9)
        self._changes.note(allowance, is_cut=stake > most)
        stake = min(stake, most)
        denial = self._sizer.objection(allowance, stake, least)
        if allowance.planned is not None:
            self._plan_stop(allowance.wish.pair, allowance.planned)
        return stake, denial

    def _plan_stop(self, pair: str, planned: Distance) -> None:
        self._operator_log.stop_bounded(pair, planned)
        # With every rule off, a backtest goes by the strategy's stop, however far that is.
        as_plain = planned.bound is StopBound.FARTHEST and self._sizer.sizes_nothing
        self._simulated_stops.plan(pair, None if as_plain else planned.ratio)

    def _question(self, pair: str, tag: str | None, *, is_short: bool) -> Question | None:
        """Return what a signal is judged by; None where nobody has to remember the refusal."""
        if not self._live or self._forced.is_forced(tag):
            return None
        return self._refusals.question(pair, is_short=is_short)


def _number(stake: Any) -> float:
    """Return a stake as a number; Freqtrade takes no text for one."""
    if isinstance(stake, str):
        raise TypeError(f"a stake is no text: {stake!r}")
    return float(stake)
