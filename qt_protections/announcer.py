"""The operator's lines: their wording is an interface, so it stands in one place."""

import logging
import math
from datetime import datetime

from qt_protections.rules.regime import Trend
from qt_protections.rules.verdict import Denial, DenyCode
from qt_protections.snapshots import Signal, symbol_of

logger = logging.getLogger(__name__)


class Announcer:
    """Says each thing once per candle."""

    def __init__(self) -> None:
        self._candle: datetime | None = None
        self._said: set[tuple[str, str]] = set()
        self._regime_said: str | None = None

    def new_candle(self, candle: datetime) -> None:
        """Forget what was said; `candle` is the open time (UTC) of the one that began."""
        if candle != self._candle:
            self._candle = candle
            self._said.clear()

    def refusal(self, pair: str, denial: Denial, confidence: float = math.nan) -> None:
        """Say that an entry was refused."""
        self._once(pair, denial.code, _refusal(symbol_of(pair), denial, confidence))

    def rare_short(self, pair: str, signal: Signal) -> None:
        """Say that a short passes although the market rises."""
        self._once(
            pair,
            "rare_short",
            f"[SAFETY] RARE SHORT ALLOWED in UPTREND | symbol={symbol_of(pair)} | "
            f"local_regime=DOWN | conf={_percent(signal.confidence)}",
        )

    def regime(self, pair: str, interval: str, trend: Trend) -> None:
        """Say where the market stands; once for each of its own candles."""
        place = (
            f"{trend.distance:+.2%} vs EMA200 at {trend.closed_at:%Y-%m-%d %H:%M} UTC"
            if trend.closed_at
            else "candles missing, stale or too few: shorts are refused"
        )
        line = f"[GLOBE] Global Regime: {trend.regime} | {pair} {interval} | {place}"
        if line != self._regime_said:
            self._regime_said = line
            logger.info(line)

    def _once(self, subject: str, what: str, line: str) -> None:
        if (subject, what) not in self._said:
            self._said.add((subject, what))
            logger.warning(line) if what == DenyCode.GATE_FAILED else logger.info(line)


def _refusal(symbol: str, denial: Denial, confidence: float) -> str:
    match denial.code:
        case DenyCode.SHORT_IN_UPTREND:
            return (
                f"[SAFETY] SHORT BLOCKED by global uptrend rule | symbol={symbol} | "
                f"conf={_percent(confidence)} | {denial.text}"
            )
        case DenyCode.SHORT_REGIME_UNKNOWN:
            return f"[SAFETY] SHORT BLOCKED | symbol={symbol} | {denial.text}"
        case _:
            return f"[SAFETY] Skipping {symbol}: {denial.text}"


def _percent(ratio: float) -> str:
    return "none" if math.isnan(ratio) else f"{ratio:.0%}"
