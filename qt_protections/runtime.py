"""The guard's post: everything it keeps while a bot runs, wired to that bot once, at its start."""

import logging
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from math import inf
from time import monotonic
from typing import TYPE_CHECKING

from freqtrade.enums import RunMode
from freqtrade.exchange import Exchange, timeframe_to_seconds
from freqtrade.plugins.protectionmanager import ProtectionManager
from freqtrade.strategy.interface import IStrategy

from qt_protections import __version__
from qt_protections.entry import locks
from qt_protections.entry.config_checks import FirstFrames, entries_sharing, say_what_does_not_fit
from qt_protections.entry.gates import Gates
from qt_protections.entry.own_rules import EntryRule, OwnRules
from qt_protections.entry.policy import EntryPolicy
from qt_protections.entry.sizer import PositionSizer
from qt_protections.entry.standing_refusals import StandingRefusals
from qt_protections.errors import GuardNotInstalled, withhold_secrets
from qt_protections.host.contract import verify_attributes
from qt_protections.host.trade_lock import exit_lock, lock_reloads
from qt_protections.host.versions import say_untested
from qt_protections.host.warm_up import ask_for_candles
from qt_protections.market.signals import Signals
from qt_protections.market.trends import LIVE_MODES, Market, whitelist
from qt_protections.portfolio.account import Account
from qt_protections.portfolio.stop_view import StopView
from qt_protections.protections.context import ProtectionContext
from qt_protections.reporting.backtest_summary import Backtest, begins
from qt_protections.reporting.operator_log import OperatorLog
from qt_protections.reporting.status import Known, snapshot
from qt_protections.reporting.status_file import (
    Bot,
    StatusFile,
    StreamSeen,
    ThreadSeen,
    WatchSeen,
    status_path,
)
from qt_protections.rules.exposure import risk_of
from qt_protections.rules.pairs import base_of
from qt_protections.rules.trailing import TrailingRule
from qt_protections.settings import Settings
from qt_protections.stops.simulated.initial_stop import SimulatedStops
from qt_protections.stops.simulated.trailing import SimulatedTrailing
from qt_protections.stops.state.client_ids import identity
from qt_protections.stops.venue.capabilities import capabilities

if TYPE_CHECKING:
    from qt_protections.stops.monitor.monitor import Health
    from qt_protections.stops.service import StopService

logger = withhold_secrets(logging.getLogger(__name__))

#: The rules that count on it that a stop moves no farther from its entry; None is off.
_OF_STOPS = (
    "risk_per_trade", "max_open_risk", "max_group_risk", "max_stop", "liquidation_buffer"
)  # fmt: skip
#: Seconds from one status to the next while nothing changes.
_TELL_EVERY_S = 15.0


class Runtime:
    """Rules, market and stops of one running strategy.

    Attributes:
        live: Whether orders reach an exchange, or a dry run's imitation of one.
        context: What the guard's protections may know.
        account: What there is, what is held, and what it costs.
        sizer: What one more entry may be.
        first_frames: Compares settings with what the first candles tell.
        entries: Every way into a position.
        stops: What keeps the positions covered; None unless live.
        counts_on_stops: Whether a rule is on that a stop which moves away from the price would
            break. Freqtrade lets `custom_stoploss` do that right after a fill.
        trailing: The simulated trailing stop; None if switched off, or where the exchange trails.
        simulated: The stops of backtests; None if live.
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
        self._strategy = strategy
        self._settings = settings
        self.live = strategy.dp.runmode in LIVE_MODES
        self.counts_on_stops = any(getattr(settings, name) is not None for name in _OF_STOPS)
        if not self.live and strategy.config.get("position_stacking"):
            raise GuardNotInstalled(
                "position_stacking (--eps) is on: it gives a pair several trades, and a live bot "
                "has one. Leave it out; the guard's stack_entries adds entries to that trade."
            )
        self.operator_log = OperatorLog(
            speaks=self.live, explains=strategy.dp.runmode is not RunMode.HYPEROPT
        )
        self.market = Market(strategy.dp, strategy.config, settings)
        self.backtest: Backtest | None = None
        if not self.live:
            self.backtest = Backtest(
                strategy, self.operator_log, self.market, says_epochs=settings.hyperopt_summary
            )
            begins(strategy, self.backtest)
        self.signals = Signals(strategy.dp, settings.confidence_column, strategy.timeframe)
        self.stops: StopService | None = None
        self._held: Counter[str] | None = None
        self._simulated = SimulatedStops(strategy)
        self.account = Account(strategy, settings, self._view)
        self.sizer = PositionSizer(
            strategy,
            self.account,
            self.market,
            settings,
            self.signals,
            self._view,
            self.operator_log.lowered,
            entries_sharing(strategy, settings),
        )
        say_what_does_not_fit(strategy, settings, len(whitelist(strategy.dp)))
        self.first_frames = FirstFrames(strategy, settings, self.market.regime_pair)
        self.gates = Gates(
            settings,
            self.signals,
            self.operator_log,
            self.account.exposures,
            OwnRules(rules, strategy.dp) if rules else None,
        )
        self.entries = EntryPolicy(
            strategy,
            settings,
            self.sizer,
            self.gates,
            self.signals,
            self.operator_log,
            StandingRefusals(
                self.signals.version,
                self.account.all_exposures,
                lambda: (self.account.equity(), self.account.balance),
                timeframe_to_seconds(strategy.timeframe),
            ),
            self._view,
            self._simulated,
        )
        self.simulated = None if self.live else self._simulated
        self.context = ProtectionContext(settings, self.market, self._entries_held, live=self.live)
        self.trailing = None if strategy.dp.runmode is RunMode.LIVE else _simulated(settings)
        # In a comparison of strategies the bot's configuration is not the strategy's own.
        self._bot_config = strategy.dp._config
        logger.info("[OK] GlobalRegimeDetector initialized")
        most = settings.max_positions_per_symbol
        logger.info("[SAFETY] Per-symbol position limits: max %s", "none" if most is None else most)
        if self.live:
            # Freqtrade sets it before bot_start, in every mode that trades.
            self._attach(strategy.dp._exchange)  # type: ignore[arg-type]

    def _attach(self, exchange: Exchange) -> None:
        """Put the entry door in front of the exchange object the bot trades with."""
        from qt_protections.stops.service import StopService  # noqa: PLC0415  backtests have no use

        strategy = self._strategy
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
            self.entries.approve,
            self.operator_log.refusal,
            self.sizer.stop_of_stranger,
            exit_lock(strategy.dp),
        )
        lock_reloads(strategy.dp)
        locks.release(datetime.now(UTC))
        self._protections = ProtectionManager(self._bot_config, self.protections())
        self._bot = _bot(strategy)
        self._told: tuple[object, ...] = ()
        self._tell_at = -inf
        self._status = StatusFile(status_path(strategy.config["user_data_dir"], self._bot.id))

    def protections(self) -> list[dict[str, object]]:
        """Return the guard's entries of a strategy's `protections`."""
        return locks.protection_list(self.context, self._bot_config)

    def ask_protections(self, pairs: list[str], now: datetime) -> None:
        """Say the regime, and let the protections lock what they want locked at `now` (UTC)."""
        try:
            self.operator_log.regime(
                self.market.regime_pair,
                self._settings.regime_timeframe,
                self.market.global_trend(now),
            )
            held = self._held = self.gates.entries_by_symbol()
            locks.ask(self._protections, [pair for pair in pairs if held[base_of(pair)]], now)
        except Exception:
            # The gates still refuse what these locks would; a loop that ends here manages no exits.
            logger.exception("Could not ask the guard's protections.")
        finally:
            self._held = None

    def loop_begins(self, candle: datetime) -> None:
        """Look after the stops, before any entry; `candle` is the open time of the running one."""
        self.operator_log.new_candle(candle)
        if self.backtest is not None:
            self.first_frames.all_seen()  # backtests analyse all pairs before their first loop
            self.backtest.candle(candle)
            return
        self.entries.loop_begins()
        if self.stops is not None:
            self.stops.loop()
            counts = self.operator_log.count, self.operator_log.tally.allowed.total()
            state = (counts, *self.stops.state())
            if state != self._told or monotonic() >= self._tell_at:
                self._told, self._tell_at = state, monotonic() + _TELL_EVERY_S
                self._tell(self.stops, is_running=True)

    def close(self) -> None:
        """End the watch, whether the bot ends or reloads; every stop that protects stays."""
        if self.stops is not None:
            self.stops.close()
            self._tell(self.stops, is_running=False)

    def _tell(self, stops: "StopService", *, is_running: bool) -> None:
        """Write down what is known for `qt-guard status`."""
        now = datetime.now(UTC)
        self._status.write(
            lambda: snapshot(self._known(stops, now), self._bot, now, is_running=is_running)
        )

    def _known(self, stops: "StopService", now: datetime) -> Known:
        exposures, costs_of = self.account.exposures(), self.account.costs
        return Known(
            regime_of=(self.market.regime_pair, self._settings.regime_timeframe),
            trend=self.market.global_trend(now),
            currency=self.account.currency,
            equity=self.account.equity(),
            exposures=exposures,
            limits=self.sizer.limits(risk_of(exposures, costs_of)),
            costs_of=costs_of,
            stop_state=stops.stop_state,
            refused=list(self.operator_log.refused.values()),  # remote control may add to it
            watch=None if (health := stops.health) is None else _watch_seen(health, now),
            tally=self.operator_log.tally,
        )

    def _entries_held(self, pair: str) -> int:
        """Return the entries that the symbol of a pair holds, counted once for a row of pairs."""
        return self.gates.entries_held(pair) if self._held is None else self._held[base_of(pair)]

    def _view(self) -> StopView:
        return self._simulated if self.stops is None else self.stops


def _bot(strategy: IStrategy) -> Bot:
    name = strategy.config.get("bot_name", "")
    return Bot(
        id=identity(name, strategy.config["db_url"]),
        name=name,
        strategy=strategy.get_strategy_name(),
        mode=strategy.dp.runmode.value,
        version=__version__,
        started_at=datetime.now(UTC),
    )


def _watch_seen(health: "Health", now: datetime) -> WatchSeen:
    return WatchSeen(
        threads=tuple(
            ThreadSeen(each.name, each.life.value, each.restarts, round(each.silent_s, 1))
            for each in health.threads
        ),
        stream=StreamSeen(health.stream.value, now - timedelta(seconds=health.stream_s)),
        looked_s=None if health.looked_s is None else round(health.looked_s, 1),
    )


def _simulated(settings: Settings) -> SimulatedTrailing | None:
    rule = TrailingRule.of(settings.trail_callback, settings.trail_activation)
    if rule is None:
        return None
    logger.info(
        "[OK] Trailing stop, simulated: %g %% behind the best price, from a gain of %g R",
        rule.callback_pct,
        rule.activation_r,
    )
    return SimulatedTrailing(rule)
