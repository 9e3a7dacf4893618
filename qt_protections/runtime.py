"""Everything the guard keeps while a bot runs, wired to that bot once, at its start."""

import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

import pandas as pd
from freqtrade.enums import RunMode
from freqtrade.exceptions import OperationalException
from freqtrade.exchange import Exchange
from freqtrade.strategy.interface import IStrategy

from qt_protections.entry.config_checks import (
    FirstFrames,
    entries_sharing,
    refuse_position_stacking,
    say_what_does_not_fit,
)
from qt_protections.entry.own_rules import EntryRule
from qt_protections.entry.pre_trade import PreTradeRisk
from qt_protections.entry.protection_locks import ProtectionLocks
from qt_protections.errors import withhold_secrets
from qt_protections.host.contract import verify_attributes
from qt_protections.host.trade_lock import exit_lock, lock_reloads
from qt_protections.host.versions import say_untested
from qt_protections.host.warm_up import ask_for_candles
from qt_protections.market.trends import LIVE_MODES, Market, whitelist
from qt_protections.portfolio.account import Account
from qt_protections.portfolio.stop_view import StopView
from qt_protections.reporting.backtest_summary import Backtest, begins
from qt_protections.reporting.operator_log import OperatorLog
from qt_protections.rules.trailing import TrailingRule
from qt_protections.settings import Settings
from qt_protections.stops.adjustment import StopAdjustment
from qt_protections.stops.simulated.initial_stop import SimulatedStops
from qt_protections.stops.simulated.trailing import SimulatedTrailing

if TYPE_CHECKING:
    from qt_protections.live_status import LiveStatus
    from qt_protections.stops.service import StopService

logger = withhold_secrets(logging.getLogger(__name__))

#: The rules that count on it that a stop moves no farther from its entry; None is off.
_OF_STOPS = (
    "risk_per_trade", "max_open_risk", "max_group_risk", "max_stop", "liquidation_buffer"
)  # fmt: skip


class Runtime:
    """Rules, market and stops of one running strategy.

    Attributes:
        live: Whether orders reach an exchange, or a dry run's imitation of one.
        operator_log: What was said and counted.
        market: The trends.
        account: What there is, what is held, and what a contract costs.
        pre_trade: The rules between a signal and its order.
        first_frames: Compares settings with what the first candles tell.
        locks: The guard's protections.
        stops: What keeps the positions covered; None unless live.
        stop_adjustment: What the guard does when Freqtrade adjusts the stop of a trade.
        backtest: What is summed up at its end; None if live.
    """

    def __init__(
        self, strategy: IStrategy, settings: Settings, rules: Sequence[EntryRule] = ()
    ) -> None:
        """Begin.

        Args:
            strategy: The guarded strategy.
            settings: The guard's.
            rules: The user's own entry rules.
        """
        verify_attributes(strategy.dp)
        say_untested()
        self._settings, mode = settings, strategy.dp.runmode
        self.live = mode in LIVE_MODES
        if not self.live:
            refuse_position_stacking(strategy)
        self.operator_log = OperatorLog(speaks=self.live, explains=mode is not RunMode.HYPEROPT)
        self.market = Market(strategy.dp, strategy.config, settings)
        self.backtest = None if self.live else self._begin_backtest(strategy)
        self.stops: StopService | None = None
        self._status: LiveStatus | None = None
        self._simulated = SimulatedStops(strategy)
        self.account = Account(strategy, settings, self._view)
        entries = entries_sharing(strategy, settings)
        say_what_does_not_fit(strategy, settings, len(whitelist(strategy.dp)))
        self.first_frames = FirstFrames(strategy, settings, self.market.regime_pair)
        self.pre_trade = PreTradeRisk(
            strategy,
            settings,
            rules,
            self.market,
            self.account,
            self.operator_log,
            self._view,
            self._simulated,
            entries,
        )
        gates = self.pre_trade.gates
        self.locks = ProtectionLocks(strategy, settings, self.market, gates, live=self.live)
        trailing = None if mode is RunMode.LIVE else _simulated_trailing(settings)
        _say_rules(settings.max_positions_per_symbol)
        if self.live:
            # Freqtrade sets it before bot_start, in every mode that trades.
            self._attach(strategy, strategy.dp._exchange)  # type: ignore[arg-type]
        self.stop_adjustment = StopAdjustment(
            self.stops,
            None if self.live else self._simulated,
            trailing,
            counts_on_stops=any(getattr(settings, name) is not None for name in _OF_STOPS),
        )

    def _begin_backtest(self, strategy: IStrategy) -> Backtest:
        says_epochs = self._settings.hyperopt_summary
        backtest = Backtest(strategy, self.operator_log, self.market, says_epochs=says_epochs)
        begins(strategy, backtest)
        return backtest

    def _attach(self, strategy: IStrategy, exchange: Exchange) -> None:
        """Put the order interceptor in front of the exchange object the bot trades with."""
        # Backtests have no use for these, and each process of theirs would pay to load them.
        from qt_protections.live_status import LiveStatus  # noqa: PLC0415
        from qt_protections.stops.registry import capabilities  # noqa: PLC0415
        from qt_protections.stops.service import StopService  # noqa: PLC0415

        can = capabilities(exchange, strategy.config)  # before Freqtrade refuses with fewer words
        strategy.order_types = {
            **strategy.order_types,
            "stoploss": "market",  # the child of a limit stop may never fill
            "stoploss_on_exchange": True,
        }
        exchange.validate_ordertypes(strategy.order_types)
        ask_for_candles(exchange, strategy.config, self._settings)
        if (denial := self.account.check_equity(self.account.equity())) is not None:
            logger.warning("[SAFETY] Nothing will be entered: %s", denial.text)
        self.stops = StopService(
            strategy,
            exchange,
            can,
            self._settings,
            self.pre_trade.approval.approve,
            self.operator_log.refusal,
            self.pre_trade.stop.of_external_position,
            exit_lock(strategy.dp),
        )
        lock_reloads(strategy.dp)
        self.locks.start()
        self._status = LiveStatus(
            strategy,
            self._settings,
            self.market,
            self.account,
            self.pre_trade.sizer,
            self.operator_log,
            self.stops,
        )

    def frame_analysed(self, pair: str, frame: pd.DataFrame) -> None:
        """Compare settings with a pair's analysed frame, and note what a backtest has to sum up."""
        self.first_frames.look(pair, frame)
        if self.backtest is not None:
            self.backtest.analysed(frame)

    def analysed(self, pairs: list[str]) -> None:
        """Say the regime, and let the protections lock; Freqtrade looks for entries after that.

        Backtests analyse all pairs before their first loop, and gate whole frames of signals.
        """
        if not self.live:
            return
        self.first_frames.all_seen()
        now = datetime.now(UTC)
        try:
            self.operator_log.regime(
                self.market.regime_pair,
                self._settings.regime_timeframe,
                self.market.global_trend(now),
            )
            self.locks.ask(pairs, now)
        except Exception:
            # The gates still refuse what these locks would; a loop that ends here manages no exits.
            logger.exception("Could not ask the guard's protections.")

    def loop_begins(self, candle: datetime) -> None:
        """Look after the stops, before any entry; `candle` is the open time of the running one."""
        self.operator_log.new_candle(candle)
        if self.backtest is not None:
            self.first_frames.all_seen()  # backtests analyse all pairs before their first loop
            self.backtest.candle(candle)
            return
        self.pre_trade.policy.loop_begins()
        if self.stops is not None and self._status is not None:
            self.stops.loop()
            self._status.update()

    def close(self) -> None:
        """End the watch, whether the bot ends or reloads; every stop that protects stays."""
        if self.stops is not None and self._status is not None:
            self.stops.close()
            self._status.write(is_running=False)

    def _view(self) -> StopView:
        return self._simulated if self.stops is None else self.stops


class NotRunning:
    """Stands in for the runtime before `bot_start`.

    Freqtrade's search for parameters reads every attribute of a strategy, and FreqUI has it search
    a strategy that is never started. So to read the runtime must not fail, and to use it must.
    """

    def __getattr__(self, name: str) -> Any:
        raise OperationalException("QTGuard is not at its post: bot_start has not run.")


NOT_RUNNING = cast(Runtime, NotRunning())


def _say_rules(most: int | None) -> None:
    """Say which rules hold; `most` is how many entries a symbol may have, None for any number."""
    logger.info("[OK] GlobalRegimeDetector initialized")
    logger.info("[SAFETY] Per-symbol position limits: max %s", "none" if most is None else most)


def _simulated_trailing(settings: Settings) -> SimulatedTrailing | None:
    rule = TrailingRule.of(settings.trail_callback, settings.trail_activation)
    if rule is None:
        return None
    logger.info(
        "[OK] Trailing stop, simulated: %g %% behind the best price, from a gain of %g R",
        rule.callback_pct,
        rule.activation_r,
    )
    return SimulatedTrailing(rule)
