"""Pre-trade risk of one strategy: the rules between a signal and its order, put together."""

from collections.abc import Callable, Sequence

from freqtrade.exchange import timeframe_to_seconds
from freqtrade.strategy.interface import IStrategy

from qt_protections.entry.approval import EntryApproval
from qt_protections.entry.book_prices import BookPrices
from qt_protections.entry.entry_changes import EntryChanges
from qt_protections.entry.forced_entries import ForcedEntries
from qt_protections.entry.gates import Gates
from qt_protections.entry.initial_stop import InitialStop
from qt_protections.entry.liquidation_check import LiquidationCheck
from qt_protections.entry.own_rules import EntryRule, OwnRules
from qt_protections.entry.policy import EntryPolicy
from qt_protections.entry.position_adjustment import PositionAdjustment
from qt_protections.entry.sizer import PositionSizer
from qt_protections.entry.standing_refusals import StandingRefusals
from qt_protections.market.signals import Signals
from qt_protections.market.trends import Market
from qt_protections.portfolio.account import Account
from qt_protections.portfolio.open_risk import OpenRisk
from qt_protections.portfolio.stop_view import StopView
from qt_protections.reporting.operator_log import OperatorLog
from qt_protections.rules.sizing import RiskBudget
from qt_protections.rules.stacking import StackingRule
from qt_protections.settings import Settings
from qt_protections.stops.simulated.initial_stop import SimulatedStops


class PreTradeRisk:
    """Has one object for each question that an entry raises, so that every asker hears the same.

    Attributes:
        signals: What the newest candles say.
        gates: Whether an entry may be at all.
        stop: Where its stop stands.
        liquidation: The leverage that keeps the liquidation beyond that stop.
        sizer: How large the entry may be.
        approval: Judges the order of an entry.
        policy: Answers what Freqtrade asks before the order.
        adjustment: Judges the further entries of an open trade.
    """

    def __init__(
        self,
        strategy: IStrategy,
        settings: Settings,
        rules: Sequence[EntryRule],
        market: Market,
        account: Account,
        operator_log: OperatorLog,
        stops: Callable[[], StopView],
        simulated: SimulatedStops,
        entries: int | None,
    ) -> None:
        """Put the rules together.

        Args:
            strategy: The guarded strategy.
            settings: The guard's.
            rules: The user's own entry rules.
            market: Who knows which symbols move together.
            account: What there is, what is held, and what a contract costs.
            operator_log: Who says and counts what becomes of entries.
            stops: Gives who knows of the stops: they are attached later than the rules.
            simulated: The stops of backtests.
            entries: How many entries of a trade share its risk; None if each has its own.
        """
        signals = Signals(strategy.dp, settings.confidence_column, strategy.timeframe)
        own = OwnRules(rules, strategy.dp) if rules else None
        gates = Gates(settings, signals, operator_log, account.exposures, own)
        budget, stacking = _budget(settings, entries), StackingRule(settings.stack_distance)
        stop = InitialStop(strategy, account, signals, settings)
        buffer, share = settings.liquidation_buffer, budget.largest_share
        liquidation = LiquidationCheck(account, stop, buffer, share, operator_log.lowered)
        risk = OpenRisk(account, market, limits_groups=budget.max_group_ratio is not None)
        book, live = BookPrices(account, stops, live=signals.live), signals.live
        sizer = PositionSizer(
            strategy, account, budget, stacking, risk, stop, liquidation, book, live=live
        )
        forced, changes = ForcedEntries(live=live), EntryChanges(operator_log)
        approval = EntryApproval(gates, sizer, stops, operator_log, forced, changes)
        refusals = _refusals(strategy, signals, account)
        self.signals, self.gates, self.stop = signals, gates, stop
        self.liquidation, self.sizer, self.approval = liquidation, sizer, approval
        self.policy = EntryPolicy(
            gates, sizer, approval, operator_log, refusals, forced, changes, simulated, live=live
        )
        self.adjustment = PositionAdjustment(
            strategy, signals, stacking, self.policy, operator_log, stacks=settings.stack_entries
        )


def _budget(settings: Settings, entries: int | None) -> RiskBudget:
    return RiskBudget(
        _ratio(settings.risk_per_trade),
        _ratio(settings.max_open_risk),
        _ratio(settings.max_group_risk),
        less_open_risk=settings.risk_equity == "balance_less_open_risk",
        entries=entries,
    )


def _ratio(percent: float | None) -> float | None:
    return None if percent is None else percent / 100


def _refusals(strategy: IStrategy, signals: Signals, account: Account) -> StandingRefusals:
    return StandingRefusals(
        signals.version,
        account.all_exposures,
        lambda: (account.equity(), account.balance),
        timeframe_to_seconds(strategy.timeframe),
    )
