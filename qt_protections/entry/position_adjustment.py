"""Further entries of an open trade: the strategy's own, and those that a repeated signal adds."""

from datetime import datetime
from typing import Any

from freqtrade.persistence import Trade
from freqtrade.strategy.interface import IStrategy

from qt_protections.entry import locks
from qt_protections.entry.policy import EntryPolicy
from qt_protections.market.signals import Signals
from qt_protections.portfolio.trades import one_r
from qt_protections.reporting.operator_log import OperatorLog
from qt_protections.rules.entries import EntryRequest
from qt_protections.rules.stacking import StackingRule

#: Added to the enter tag of an entry that a repeated signal adds.
STACKED_TAG = "stacked"


class PositionAdjustment:
    """Judges what Freqtrade's `adjust_trade_position` may add; exits pass as they are.

    Attributes:
        strategy_adjusts: Whether the wrapped strategy adjusts positions itself.
    """

    def __init__(
        self,
        strategy: IStrategy,
        signals: Signals,
        rule: StackingRule,
        policy: EntryPolicy,
        operator_log: OperatorLog,
        *,
        stacks: bool,
    ) -> None:
        """Have Freqtrade ask for adjustments, if repeated signals are to add entries.

        Args:
            strategy: The guarded strategy.
            signals: What the newest candles say.
            rule: How far apart the entries of a trade are.
            policy: Judges an entry.
            operator_log: Who says what was refused.
            stacks: The setting `stack_entries`.
        """
        self._signals = signals
        self._rule = rule
        self._policy = policy
        self._operator_log = operator_log
        self._stacks = stacks
        self.strategy_adjusts = strategy.position_adjustment_enable
        if stacks:
            strategy.position_adjustment_enable = True

    def judged(self, answer: Any, trade: Trade, rate: float, now: datetime) -> Any:
        """Return what Freqtrade may do of a strategy's answer: exits whole, entries capped.

        Args:
            answer: The wrapped strategy's: a stake, a tuple of stake and tag, or None.
            trade: The open trade.
            rate: Price of an entry, quote currency.
            now: UTC; the wall clock, in backtests the candle's open.
        """
        # Freqtrade reads a tuple of any length.
        stake, tag = (*answer, None)[:2] if isinstance(answer, tuple) else (answer, None)
        if stake is None or stake == 0:
            stake, tag = self._repeated(trade, rate, now)
        if stake <= 0:
            return answer
        if not self._policy.passes(trade.pair, now, tag, is_short=trade.is_short):
            return None
        wish = EntryRequest(trade.pair, trade.is_short, rate, trade.leverage)
        stake = self._policy.capped_stake(stake, wish, now, tag)
        return (stake, tag) if stake > 0 else None

    def _repeated(self, trade: Trade, rate: float, now: datetime) -> tuple[float, str | None]:
        """Return stake and tag of the entry that a repeated signal adds; a stake of 0 without any.

        The stake is that of the first entry, before the risk caps it. A locked pair takes no
        signal, so a repeated signal adds nothing there.
        """
        if not self._stacks or trade.has_open_orders:
            return 0.0, None
        entries = trade.select_filled_orders(trade.entry_side)
        tag = self._signals.again(trade.pair, trade.date_last_filled_utc, is_short=trade.is_short)
        if not entries or tag is None:
            return 0.0, None
        if not self._rule.is_far_enough(rate, entries[-1].safe_price, one_r(trade)):
            return 0.0, None
        if (denial := locks.denial(trade.pair, now, is_short=trade.is_short)) is not None:
            self._operator_log.refusal(trade.pair, denial)
            return 0.0, None
        return entries[0].stake_amount_filled, f"{tag} {STACKED_TAG}".strip()
