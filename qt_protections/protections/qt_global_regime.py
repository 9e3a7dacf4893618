"""Locks the short side of every pair while the market rises, or cannot be judged."""

from datetime import datetime, timedelta
from typing import Any

from freqtrade.constants import Config, LongShort
from freqtrade.plugins.protections import IProtection, ProtectionReturn

from qt_protections.market.trends import length_of
from qt_protections.protections.context import context_of
from qt_protections.rules.regime import Regime
from qt_protections.rules.short_gate import ShortGate


class QtGlobalRegime(IProtection):
    """Global lock on shorts; the rare exception is let past it by the guard, signal by signal."""

    has_global_stop = True
    has_local_stop = False

    def __init__(self, config: Config, protection_config: dict[str, Any]) -> None:
        super().__init__(config, protection_config)
        self._context = context_of(protection_config)
        settings = self._context.settings
        self._reference = f"{self._context.market.regime_pair} {settings.regime_timeframe}"
        self._gate = ShortGate(settings.uptrend_short_exception_conf)
        self._exception = f"below its own EMA200 and confidence >= {self._gate.exception_conf:.0%}"

    def short_desc(self) -> str:
        """Describe the rule for the start-up message."""
        if self._gate.is_off:
            return f"{self.name} - Short blocking is off (QT_UPTREND_SHORT_EXCEPTION_CONF=0)."
        return (
            f"{self.name} - No shorts while {self._reference} is in an UPTREND, except "
            f"{self._exception}, or UNKNOWN."
        )

    def global_stop(
        self, date_now: datetime, side: LongShort, starting_balance: float
    ) -> ProtectionReturn | None:
        """Lock shorts until the next candle of the regime; of the strategy, when it is unknown."""
        if self._gate.is_off or not self._context.live:
            return None
        trend = self._context.market.global_trend(date_now)
        if trend.regime is Regime.UPTREND and trend.closed_at is not None:
            interval = length_of(self._context.settings.regime_timeframe)
            # Freqtrade rounds a lock's end up to the next candle, a full one from a candle's edge.
            until = trend.closed_at + interval - timedelta(seconds=1)
            state = f"UPTREND ({trend.distance:+.1%} vs EMA200)"
            return self._lock(until, f"{state}; shorts only if {self._exception}")
        if trend.regime is Regime.UNKNOWN:
            return self._lock(
                date_now, "UNKNOWN (candles missing, stale or too few); no shorts until it is known"
            )
        return None

    def stop_per_pair(
        self, pair: str, date_now: datetime, side: LongShort, starting_balance: float
    ) -> ProtectionReturn | None:
        """Answer None: the regime concerns every pair alike."""
        return None

    def _lock(self, until: datetime, state: str) -> ProtectionReturn:
        reason = f"{self.name}: {self._reference} is in {state}"
        return ProtectionReturn(lock=True, until=until, reason=reason, lock_side="short")
