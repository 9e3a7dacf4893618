"""Shorts against a rising market: refused, but for one rare and explicit exception."""

from dataclasses import dataclass
from math import isnan

import pandas as pd

from qt_protections.rules.denial import Denial, DenyCode, deny
from qt_protections.rules.regime import Regime


@dataclass(frozen=True, slots=True)
class ShortGate:
    """Refuses shorts while the global regime is an uptrend, or unknown.

    Attributes:
        exception_conf: Least confidence [0..1] of a short that is allowed in an uptrend, provided
            the symbol is below its own average. 0 switches the gate off.
    """

    exception_conf: float

    @property
    def is_off(self) -> bool:
        """Whether every short passes, as without the guard."""
        return self.exception_conf == 0

    def check(self, regime: Regime, local_distance: float, confidence: float) -> Denial | None:
        """Judge one short.

        Args:
            regime: The global regime.
            local_distance: The symbol's close over its own EMA200, minus one; NaN when unknown.
            confidence: The signal's confidence [0..1]; NaN when there is none.
        """
        if self.is_off or regime in (Regime.SIDEWAYS, Regime.DOWNTREND):
            return None
        if regime is Regime.UNKNOWN:
            text = "global regime unknown: candles missing, stale or too few"
            return deny(DenyCode.SHORT_REGIME_UNKNOWN, text)
        if self.is_exception(local_distance, confidence):
            return None
        return deny(
            DenyCode.SHORT_IN_UPTREND,
            self._text(local_distance, confidence),
            local_distance=local_distance,
            confidence=confidence,
            least=self.exception_conf,
        )

    def allowed(
        self, regimes: pd.Series, local_distances: pd.Series, confidences: pd.Series
    ) -> pd.Series:
        """Judge a short on every row; the same verdicts as `check`, vectorised."""
        if self.is_off:
            return pd.Series(True, index=regimes.index)
        free = regimes.isin([Regime.SIDEWAYS.value, Regime.DOWNTREND.value])
        return free | self.exceptions(regimes, local_distances, confidences)

    def exceptions(
        self, regimes: pd.Series, local_distances: pd.Series, confidences: pd.Series
    ) -> pd.Series:
        """Return which rows earn the exception: a short in an uptrend that may pass."""
        # Comparisons with NaN are false: neither a missing average nor confidence earns it.
        earned = (local_distances < 0) & confidences.between(self.exception_conf, 1.0)
        return (regimes == Regime.UPTREND.value) & earned & (not self.is_off)

    def is_exception(self, local_distance: float, confidence: float) -> bool:
        """Whether a short in an uptrend earns the exception; NaN never does."""
        return local_distance < 0 and self.exception_conf <= confidence <= 1

    def _text(self, local_distance: float, confidence: float) -> str:
        if not local_distance < 0:
            place = "unknown" if isnan(local_distance) else f"{local_distance:+.2%}"
            return f"the symbol is not below its own EMA200 ({place})"
        if isnan(confidence):
            return "the signal carries no confidence"
        return f"confidence {confidence:.0%} is below {self.exception_conf:.0%}"
