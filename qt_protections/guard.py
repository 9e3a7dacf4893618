"""QTGuard: the mixin that puts the rules and the stops between a strategy and the exchange.

    class Mine(QTGuard, AnyStrategy):
        pass

Every callback of the wrapped strategy still runs. The guard only ever refuses or shrinks entries
and never touches an exit. Whatever it cannot judge, it refuses.
"""

import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar

import pandas as pd
from freqtrade.constants import Config
from freqtrade.enums import OPTIMIZE_MODES, SignalDirection
from freqtrade.exceptions import OperationalException
from freqtrade.exchange import timeframe_to_next_date, timeframe_to_prev_date
from freqtrade.persistence import Trade
from freqtrade.strategy.interface import IStrategy

from qt_protections.configuration import SettingsError, block_of, load_settings
from qt_protections.entry.own_rules import EntryRule, own_rules
from qt_protections.errors import withhold_secrets
from qt_protections.host import backtest_cache, parameters
from qt_protections.host.callbacks import asks_freqtrade, hear_fills, or_default
from qt_protections.host.contract import verify_hooks
from qt_protections.host.mixin_order import require_in_front
from qt_protections.market.trends import LOCAL_DISTANCE, REGIME
from qt_protections.reporting.backtest_summary import await_end
from qt_protections.rules.entries import EntryRequest
from qt_protections.rules.regime import Regime
from qt_protections.runtime import NOT_RUNNING, Runtime
from qt_protections.settings import Settings

logger = withhold_secrets(logging.getLogger(__name__))


class QTGuard(IStrategy):
    """Guards the strategy that follows it in the class statement.

    Attributes:
        entry_rules: The user's own rules, asked after the guard's; none unless a class names some.
    """

    # Without a value: a value would hide an attribute of this name of the wrapped strategy.
    entry_rules: ClassVar[Sequence[EntryRule]]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        require_in_front(cls, QTGuard)

    def __init__(self, config: Config) -> None:
        verify_hooks(trades=config.get("runmode") not in OPTIMIZE_MODES)
        self._qt_settings = _loaded(config)
        self._qt_rules = own_rules(type(self), QTGuard)
        backtest_cache.mark(config, type(self), self._qt_settings, self._qt_rules)
        self._qt_runtime: Runtime | None = None
        super().__init__(config)
        await_end(self)

    def load_params_from_file(self) -> dict[str, Any]:
        """Load hyperopt's results: the guarded strategy's own, else those of the wrapped one."""
        return parameters.load(type(self), QTGuard, super().load_params_from_file)

    def bot_start(self, **kwargs: Any) -> None:
        """Wire the guard to the bot; an error stops the start, so that no bot trades unguarded."""
        super().bot_start(**kwargs)
        self._qt_runtime = Runtime(self, self._qt_settings, self._qt_rules)
        if self._qt_runtime.live:
            hear_fills(self)

    @property
    def _qt(self) -> Runtime:
        return self._qt_runtime or NOT_RUNNING

    # Each loop

    def bot_loop_start(self, current_time: datetime, **kwargs: Any) -> None:
        """Compare everything that is live with everything that should be, before any entry."""
        try:
            # By keyword, as Freqtrade calls it: many strategies take `**kwargs` alone.
            super().bot_loop_start(current_time=current_time, **kwargs)
        finally:
            # A backtest calls at the open of each candle, so the time is the candle's.
            runtime, candle = self._qt, current_time
            if runtime.live:
                candle = timeframe_to_prev_date(self.timeframe, current_time)
            runtime.loop_begins(candle)

    def ft_bot_cleanup(self) -> None:
        """End the guard's threads, as the bot ends or reloads; every stop that protects stays."""
        if self._qt_runtime is not None:
            self._qt_runtime.close()
        super().ft_bot_cleanup()

    def analyze(self, pairs: list[str]) -> None:
        """Ask the protections after every analysis, before Freqtrade looks for entries."""
        super().analyze(pairs)
        self._qt.analysed(pairs)

    # Signals

    def informative_pairs(self) -> list[Any]:
        """Add the candles the trends are read from."""
        return [*super().informative_pairs(), *self._qt.market.informative_pairs()]

    def advise_indicators(self, dataframe: pd.DataFrame, metadata: dict[str, Any]) -> pd.DataFrame:
        """Add what is known of the trends to the strategy's indicators."""
        frame = super().advise_indicators(dataframe, metadata)
        try:
            return self._qt.market.add_columns(frame, metadata["pair"])
        except Exception:
            logger.exception("No trend for %s: its shorts are refused.", metadata["pair"])
            frame[REGIME], frame[LOCAL_DISTANCE] = Regime.UNKNOWN.value, float("nan")
            return frame

    def advise_entry(self, dataframe: pd.DataFrame, metadata: dict[str, Any]) -> pd.DataFrame:
        """Gate the signals of `populate_entry_trend`, in whichever class a strategy defines it."""
        frame, pair = super().advise_entry(dataframe, metadata), metadata["pair"]
        self._qt.frame_analysed(pair, frame)
        # Without can_short Freqtrade takes no short, and the gate would take the candle's long.
        return self._qt.pre_trade.gates.signals(frame, pair) if self.can_short else frame

    def get_entry_signal(
        self, pair: str, timeframe: str, dataframe: pd.DataFrame
    ) -> tuple[SignalDirection | None, str | None]:
        """Keep a signal back that would only be refused again; only live bots ask here.

        This is the last question before Freqtrade spends requests on a signal.
        """
        signal, tag = super().get_entry_signal(pair, timeframe, dataframe)
        is_short, policy = signal is SignalDirection.SHORT, self._qt.pre_trade.policy
        if signal is not None and policy.refuses_at_sight(pair, is_short=is_short):
            return None, tag
        return signal, tag

    # Locks

    @property
    def protections(self) -> list[dict[str, Any]]:
        """The wrapped strategy's protections, and from `bot_start` on the guard's."""
        own = super().protections
        wrapped: list[dict[str, Any]] = vars(self).get("_qt_wrapped_protections", own)
        return wrapped if self._qt_runtime is None else [*wrapped, *self._qt_runtime.locks.listed()]

    @protections.setter
    def protections(self, wrapped: list[dict[str, Any]]) -> None:
        self._qt_wrapped_protections = wrapped

    def is_pair_locked(
        self, pair: str, *, candle_date: datetime | None = None, side: str = "*"
    ) -> bool:
        """Let the rare short past the regime's lock, and past no other."""
        if not super().is_pair_locked(pair, candle_date=candle_date, side=side):
            return False
        now = datetime.now(UTC)
        until = timeframe_to_next_date(self.timeframe, candle_date) if candle_date else now
        return not self._qt.locks.only_hold_rare_short(pair, until, side)

    # Entries. Freqtrade asks by keyword; what the guard does not read passes through untouched.

    def confirm_trade_entry(self, *args: Any, **asked: Any) -> bool:
        """Ask the gates for every new trade, forced trades too, then the wrapped strategy."""
        if not asks_freqtrade("confirm_trade_entry", asked):
            return super().confirm_trade_entry(*args, **asked)
        pair, tag, now = asked["pair"], asked.get("entry_tag"), asked["current_time"]
        is_short, policy = asked["side"] == "short", self._qt.pre_trade.policy
        if not policy.passes(pair, now, tag, is_short=is_short, is_new=True):
            return False
        if self._qt.stops is not None:
            self._qt.stops.tag(pair, tag)
        confirm = or_default(super().confirm_trade_entry, True)
        if not confirm(*args, **asked):
            return False
        policy.confirmed(pair, is_short=is_short)
        return True

    def leverage(self, *args: Any, **asked: Any) -> float:
        """Return the wrapped strategy's leverage, or the highest that the stop allows."""
        if not asks_freqtrade("leverage", asked):
            return super().leverage(*args, **asked)
        wanted = min(super().leverage(*args, **asked), asked["max_leverage"])
        pair, is_short = asked["pair"], asked["side"] == "short"
        return self._qt.pre_trade.liquidation.highest_leverage(pair, wanted, is_short=is_short)

    def custom_stake_amount(self, *args: Any, **asked: Any) -> float:
        """Return what the wrapped strategy stakes, at most what the risk allows."""
        if not asks_freqtrade("custom_stake_amount", asked):
            return super().custom_stake_amount(*args, **asked)
        pair, tag, is_short = asked["pair"], asked.get("entry_tag"), asked["side"] == "short"
        wish = EntryRequest(pair, is_short, asked["current_rate"], asked["leverage"])
        stake = or_default(super().custom_stake_amount, asked["proposed_stake"])
        wanted, policy = stake(*args, **asked), self._qt.pre_trade.policy
        return policy.capped_stake(wanted, wish, asked["current_time"], tag, is_new=True)

    def adjust_trade_position(self, *args: Any, **asked: Any) -> Any:
        """Ask the gates for every further entry and cap its stake; exits pass as they are."""
        if not asks_freqtrade("adjust_trade_position", asked):
            return super().adjust_trade_position(*args, **asked)
        adjustment = self._qt.pre_trade.adjustment
        own = super().adjust_trade_position
        answer = own(*args, **asked) if adjustment.strategy_adjusts else None
        rate, now = asked["current_entry_rate"], asked["current_time"]
        return adjustment.judged(answer, asked["trade"], rate, now)

    # Stops

    def ft_stoploss_adjust(
        self,
        current_rate: float,
        trade: Trade,
        current_time: datetime,
        current_profit: float,
        force_stoploss: float,
        low: float | None = None,
        high: float | None = None,
        bound_profit: float | None = None,
        after_fill: bool = False,
    ) -> None:
        """Give a filled trade its live stop, and move that stop with the strategy's."""
        adjustment = self._qt.stop_adjustment
        before = adjustment.before(
            trade, current_time, current_rate, low, high, after_fill=after_fill
        )
        super().ft_stoploss_adjust(
            current_rate,
            trade,
            current_time,
            current_profit,
            force_stoploss,
            low,
            high,
            bound_profit,
            after_fill,
        )
        if before is not None:
            adjustment.after(trade, before, current_rate, trails_itself=self.trailing_stop)


def _loaded(config: Config) -> Settings:
    """Return the guard's settings, and say what is odd about them.

    Raises:
        OperationalException: If a setting is wrong; Freqtrade prints the text and ends.
    """
    try:
        loaded = load_settings(block_of(config))
    except SettingsError as error:
        raise OperationalException(str(error)) from error
    for warning in loaded.warnings:
        logger.warning(warning)
    return loaded.settings
