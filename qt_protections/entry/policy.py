"""Every way into a position, by one policy: what Freqtrade asks before it, and the door itself."""

import logging
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from math import nan
from typing import Any

from freqtrade.persistence import Trade
from freqtrade.strategy.interface import IStrategy

from qt_protections.entry import locks
from qt_protections.entry.decision import Decision
from qt_protections.entry.gates import Gates
from qt_protections.entry.sizer import PositionSizer, one_r
from qt_protections.entry.standing_refusals import Question, StandingRefusals
from qt_protections.errors import EntryRefused, gate_failed, withhold_secrets
from qt_protections.market.signals import Signals
from qt_protections.portfolio.stop_view import StopView
from qt_protections.portfolio.trades import open_trade
from qt_protections.reporting.operator_log import OperatorLog
from qt_protections.rules.clock import check_clock
from qt_protections.rules.denial import Denial, DenyCode, deny
from qt_protections.rules.entries import ApprovedEntry, EntryRequest
from qt_protections.rules.sizing import stake_too_small
from qt_protections.rules.stop_count import check_stop_count
from qt_protections.rules.stop_price import Distance, StopBound
from qt_protections.settings import Settings
from qt_protections.stops.simulated.initial_stop import SimulatedStops

logger = withhold_secrets(logging.getLogger(__name__))

#: Added to the enter tag of an entry that a repeated signal adds.
STACKED_TAG = "stacked"
#: The tag of a forced entry, unless whoever forces it gives another.
_FORCED = "force_entry"
_UNSETTLED = deny(
    DenyCode.ENTRY_UNSETTLED,
    "an earlier entry is not settled, or the exchange holds a position without a trade, or it has "
    "not been seen since the start, or a stop of an earlier run stands there and it is not certain "
    "yet that it protects nothing",
)


class EntryPolicy:
    """Lets entries in, cuts them to what the risk allows, or refuses them.

    Attributes:
        adjusts: Whether the wrapped strategy adjusts positions itself.
        observe: Hears each decision on what Freqtrade asks for; None if nobody looks on. An entry
            that is allowed may be refused by a later question; its last decision counts.
    """

    def __init__(
        self,
        strategy: IStrategy,
        settings: Settings,
        sizer: PositionSizer,
        gates: Gates,
        signals: Signals,
        operator_log: OperatorLog,
        refusals: StandingRefusals,
        stops: Callable[[], StopView],
        simulated_stops: SimulatedStops,
    ) -> None:
        """Take the rules, and who asks and tells.

        Args:
            strategy: The guarded strategy.
            settings: The guard's.
            sizer: What an entry may be.
            gates: Whether it may be at all.
            signals: What the newest candles say.
            operator_log: Who says what was refused.
            refusals: Who remembers it.
            stops: Gives who knows of the stops: they are attached later than the policy.
            simulated_stops: The stops of backtests.
        """
        self._strategy = strategy
        self._settings = settings
        self._sizer = sizer
        self._gates = gates
        self._signals = signals
        self._operator_log = operator_log
        self._refusals = refusals
        self._stops = stops
        self._simulated_stops = simulated_stops
        self._bot_thread = threading.get_ident()
        self._for_the_interceptor: dict[str, Denial] = {}
        #: The limit that cut a pair's entry that is asked for, and what moved its stop.
        self._changed: dict[str, tuple[DenyCode | None, StopBound | None]] = {}
        self.observe: Callable[[Decision], None] | None = None
        self.adjusts = strategy.position_adjustment_enable
        if settings.stack_entries:
            strategy.position_adjustment_enable = True

    # As Freqtrade asks for them

    def loop_begins(self) -> None:
        """Note which thread the bot's loop runs in: entries from another are forced."""
        self._bot_thread = threading.get_ident()
        self._refusals.read_anew()

    def refuses_at_sight(self, pair: str, *, is_short: bool) -> bool:
        """Whether a signal is refused before Freqtrade spends a request on it.

        Either it was refused already and nothing has changed, or the door would let no entry of
        the pair out now. An error here decides nothing: the door decides.
        """
        if not self._signals.live:
            return False
        try:
            if self._refusals.stands(pair, is_short=is_short):
                return True
            denial = self._not_now(pair)
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
        """Whether an entry may go on; one that somebody forces goes on to hear why it may not.

        Args:
            pair: Freqtrade's pair.
            now: UTC; the wall clock, in backtests the candle's open.
            tag: The entry's; tells one that somebody forces.
            is_short: Side of the entry.
            is_new: Whether it opens a position: its refusal may stand, which the price decides of
                one that adds to a position.
        """
        question = self._question(pair, tag, is_short=is_short) if is_new else None
        denial = self._gates.entry(pair, now, is_short=is_short)
        if denial is None:
            return True
        if self.observe is not None:
            self.observe(Decision(now, pair, is_short, denial.code))
        if question is not None:
            self._refusals.remember(question, denial)
        return self._goes_on(pair, tag, denial)

    def confirmed(self, pair: str, *, is_short: bool) -> None:
        """Count a backtest's new entry, which the wrapped strategy has confirmed as well."""
        # A backtest asks nothing after that; it does ask again for an entry it replaces.
        if not self._signals.live and open_trade(pair) is None:
            self._count(pair, is_short=is_short, is_new=True)

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
            wanted: What the configuration or the wrapped strategy asks for; it wants no entry if
                that is not above 0.
            wish: The entry.
            now: UTC; the wall clock, in backtests the candle's open.
            tag: The entry's; tells one that somebody forces.
            is_new: Whether it opens a position, as for `passes`.
        """
        self._for_the_interceptor.pop(wish.pair, None)
        question = self._question(wish.pair, tag, is_short=wish.is_short) if is_new else None
        least, allowance = 0.0, None
        try:
            least = self._sizer.least_proposed(wish)
            stake = _number(wanted)
            if not stake > 0:  # nor is NaN
                return 0.0
            allowance = self._sizer.allowance(wish, now)
            # A hair above whole lots: Freqtrade divides by the price, and cuts what is below.
            most = allowance.stake * (1 + 1e-9)
            self._note_changes(allowance, is_cut=stake > most)
            stake = min(stake, most)
            denial = self._objection(allowance, stake, least)
            if allowance.planned is not None:
                self._plan_stop(wish.pair, allowance.planned)
        except EntryRefused as refusal:
            stake, denial = 0.0, refusal.denial
        except Exception as error:
            logger.exception("Sizing failed for %s.", wish.pair)
            stake, denial = 0.0, gate_failed("the sizing", error)
        if self.observe is not None:
            self.observe(self._decision(wish, now, stake, allowance, denial))
        if denial is None:
            if not is_new and not self._signals.live:
                self._count(wish.pair, is_short=wish.is_short, is_new=False)
            return stake
        self._operator_log.refusal(wish.pair, denial)
        if question is not None:
            self._refusals.remember(question, denial)
        return max(least, 1.0) if self._goes_on(wish.pair, tag, denial) else 0.0

    def repeated(self, trade: Trade, rate: float, now: datetime) -> tuple[float, str | None]:
        """Return stake and tag of the entry that a signal which repeats adds; 0 without one.

        It is as large as the first, before the risk caps it. A locked pair takes no signal, so it
        adds none there.
        """
        if not self._settings.stack_entries or trade.has_open_orders:
            return 0.0, None
        entries = trade.select_filled_orders(trade.entry_side)
        tag = self._signals.again(trade.pair, trade.date_last_filled_utc, is_short=trade.is_short)
        if not entries or tag is None:
            return 0.0, None
        if not self._sizer.stacking.is_far_enough(rate, entries[-1].safe_price, one_r(trade)):
            return 0.0, None
        if (denial := locks.denial(trade.pair, now, is_short=trade.is_short)) is not None:
            self._operator_log.refusal(trade.pair, denial)
            return 0.0, None
        return entries[0].stake_amount_filled, f"{tag} {STACKED_TAG}".strip()

    def _plan_stop(self, pair: str, planned: Distance) -> None:
        self._operator_log.stop_bounded(pair, planned)
        # With every rule off, a backtest goes by the strategy's stop, however far that is.
        as_plain = planned.bound is StopBound.FARTHEST and self._sizer.sizes_nothing
        self._simulated_stops.plan(pair, None if as_plain else planned.ratio)

    def _objection(self, allowance: ApprovedEntry, stake: float, least: float) -> Denial | None:
        if not allowance.amount or allowance.stake < least:
            return allowance.room.too_small(allowance.stake, least)
        risk_pct = self._settings.risk_per_trade
        if risk_pct is not None and stake < least:  # without it Freqtrade may raise the stake
            return stake_too_small(stake, least, risk_pct / 100)
        denial = self._sizer.check_liquidation(allowance, allowance.amount_of(stake))
        return denial or self._sizer.check_spread(allowance)

    def _decision(
        self,
        wish: EntryRequest,
        now: datetime,
        stake: float,
        allowance: ApprovedEntry | None,
        denial: Denial | None,
    ) -> Decision:
        distance = loss_ratio = nan
        if allowance is not None:
            distance = allowance.distance
            if denial is None:
                loss_ratio = self._sizer.loss_ratio(allowance, stake)
        return Decision(
            now,
            wish.pair,
            wish.is_short,
            None if denial is None else denial.code,
            wish.rate,
            wish.leverage,
            distance,
            loss_ratio,
        )

    def _note_changes(self, allowance: ApprovedEntry, *, is_cut: bool) -> None:
        """Remember what the guard changes of an entry, until the entry goes out."""
        bound = None if allowance.planned is None else allowance.planned.bound
        self._changed[allowance.wish.pair] = (allowance.room.limit if is_cut else None, bound)

    def _count(self, pair: str, *, is_short: bool, is_new: bool) -> None:
        cut_by, bound = self._changed.pop(pair, (None, None))
        self._operator_log.allowed(is_short=is_short, is_new=is_new, cut_by=cut_by, bound=bound)

    def _goes_on(self, pair: str, tag: str | None, denial: Denial) -> bool:
        """Send a forced entry on to the door with its refusal.

        Freqtrade has no words for one that ends before: "Failed to enter position". An exception at
        the door reaches whoever forced it, with its reason.
        """
        if not self._is_forced(tag):
            return False
        self._for_the_interceptor[pair] = denial
        return True

    def _is_forced(self, tag: str | None) -> bool:
        forced = tag == _FORCED or threading.get_ident() != self._bot_thread
        return self._signals.live and forced

    def _question(self, pair: str, tag: str | None, *, is_short: bool) -> Question | None:
        """Return what a signal is judged by; None where nobody has to remember it."""
        if not self._signals.live or self._is_forced(tag):
            return None
        return self._refusals.question(pair, is_short=is_short)

    # At the door

    def approve(self, entry: EntryRequest) -> ApprovedEntry:
        """Judge an entry at the door, and say how large it may be and where its stop stands.

        Raises:
            EntryRefused: If a rule objects, or cannot be asked.
        """
        pair, now = entry.pair, datetime.now(UTC)
        denial = self._for_the_interceptor.pop(pair, None)
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

    def _approved(self, entry: EntryRequest, now: datetime) -> ApprovedEntry:
        denial = self._not_now(entry.pair)
        if denial is not None:
            raise EntryRefused(entry.pair, denial)
        allowance = self._sizer.allowance(entry, now)
        amount = min(entry.amount, allowance.amount)
        least = self._sizer.least_stake(entry)
        denial = self._objection(allowance, allowance.stake_of(amount), least)
        if denial is None:
            whole, stops = allowance.position(amount).amount, self._stops()
            denial = check_stop_count(whole, stops.largest(entry.pair), stops.free_stops())
        if denial is not None:
            raise EntryRefused(entry.pair, denial)
        if amount < entry.amount:
            self._note_changes(allowance, is_cut=True)
            self._operator_log.cut(entry.pair, entry.amount, amount, allowance.room.loss)
        self._count(entry.pair, is_short=entry.is_short, is_new=allowance.is_new)
        return replace(allowance, amount=amount)

    def _not_now(self, pair: str) -> Denial | None:
        """Refuse any entry of a pair while clocks differ or the exchange may hold more of it."""
        # First: whoever cannot ask the exchange for the skew sees nothing settled either.
        denial = check_clock(self._stops().clock_skew_s())
        if denial is None and self._stops().unsettled(pair):
            denial = _UNSETTLED
        return denial


def _number(stake: Any) -> float:
    """Return a stake as a number; Freqtrade takes no text for one."""
    if isinstance(stake, str):
        raise TypeError(f"a stake is no text: {stake!r}")
    return float(stake)
