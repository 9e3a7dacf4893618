"""The entry rules, asked with what Freqtrade knows; what cannot be judged is refused."""

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime

import pandas as pd

from qt_protections.entry import locks
from qt_protections.entry.own_rules import OwnRules
from qt_protections.errors import gate_failed, withhold_secrets
from qt_protections.market.confidence import confidences
from qt_protections.market.signals import Signal, Signals
from qt_protections.market.trends import LOCAL_DISTANCE, REGIME
from qt_protections.portfolio.trades import open_trade
from qt_protections.reporting.operator_log import OperatorLog
from qt_protections.rules.denial import Denial, DenyCode
from qt_protections.rules.exposure import Exposure
from qt_protections.rules.pairs import base_of
from qt_protections.rules.regime import Regime
from qt_protections.rules.short_gate import ShortGate
from qt_protections.rules.stacking import StackingLimit
from qt_protections.settings import Settings

logger = withhold_secrets(logging.getLogger(__name__))

#: The signal of an entry whose candle nobody reads.
_UNREAD = Signal.unknown()

#: Added to the enter tag of a short that earned the exception.
RARE_SHORT_TAG = "rare_short"


class Gates:
    """Short gate, stacking limit, locks and the user's own rules, for one entry.

    The short gate judges whole frames of signals as well.
    """

    def __init__(
        self,
        settings: Settings,
        signals: Signals,
        operator_log: OperatorLog,
        exposures: Callable[[str | None], Sequence[Exposure]],
        own_rules: OwnRules | None = None,
    ) -> None:
        """Take what the rules ask for.

        Args:
            settings: The guard's.
            signals: What the newest candles say.
            operator_log: Who says what was refused.
            exposures: Gives the positions and entries under way that count: those of a symbol, or
                all for None.
            own_rules: The user's own.
        """
        self._short_gate = ShortGate(settings.uptrend_short_exception_conf)
        self._limit = StackingLimit(settings.max_positions_per_symbol)
        self._heeds_locks = settings.locks_hold_forced_entries
        self._column = settings.confidence_column
        self._signals = signals
        self._operator_log = operator_log
        self._exposures = exposures
        self._own_rules = own_rules

    def entry(self, pair: str, now: datetime, *, is_short: bool) -> Denial | None:
        """Judge one more entry on a pair; announce the refusal, or the rare short that passes.

        Args:
            pair: Freqtrade's pair.
            now: UTC; the wall clock, in backtests the candle's open.
            is_short: Side of the entry.
        """
        signal = _UNREAD
        try:
            # No long is judged by its candle. Where that cannot be read something is wrong, and a
            # live bot refuses; in a backtest to read it costs more than all else.
            if is_short or self._signals.live:
                signal = self._signals.newest(pair)
            denial = self._limit.check(self.entries_held(pair))
            if denial is None and is_short:
                denial = self._short(signal)
            if denial is None and self._heeds_locks and open_trade(pair) is None:
                # Freqtrade holds signals back itself, before it asks here, and leaves positions
                # that are open to the strategy. So this is for those that somebody forces.
                denial = locks.denial(pair, now, is_short=is_short)
            if denial is None and self._own_rules is not None:
                denial = self._own_rules.check(pair, now, is_short=is_short)
        except Exception as error:
            logger.exception("The entry gate failed for %s.", pair)
            denial = gate_failed("the entry gate", error)
        if denial is not None:
            self._operator_log.refusal(pair, denial, signal.confidence)
        elif is_short and signal.regime is Regime.UPTREND and not self._short_gate.is_off:
            self._operator_log.rare_short(pair, signal)
        return denial

    def entries_held(self, pair: str) -> int:
        """Return the entries, filled or waiting, that the symbol of a pair holds over all pairs."""
        return sum(held.entries for held in self._exposures(base_of(pair)))

    def entries_by_symbol(self) -> Counter[str]:
        """Return the entries that each symbol holds; who asks for many pairs asks here once."""
        held: Counter[str] = Counter()
        for exposure in self._exposures(None):
            held[exposure.symbol] += exposure.entries
        return held

    def short_passes(self, pair: str) -> bool:
        """Whether the pair's newest signal may go short; not when it cannot be judged."""
        try:
            return self._short(self._signals.newest(pair)) is None
        except Exception:
            logger.exception("The short gate failed for %s.", pair)
            return False

    def signals(self, frame: pd.DataFrame, pair: str) -> pd.DataFrame:
        """Take the refused shorts out of a frame of signals, and tag the exceptions."""
        if self._short_gate.is_off or "enter_short" not in frame.columns:
            return frame
        try:
            return self._gated(frame, pair)
        except Exception:
            logger.exception("The short gate failed for %s: all its shorts are refused.", pair)
            return _without(frame, frame["enter_short"] == 1)

    def _gated(self, frame: pd.DataFrame, pair: str) -> pd.DataFrame:
        wanted = frame["enter_short"] == 1
        self._operator_log.tally.removed.pop(pair, None)
        if not wanted.any():
            return frame
        facts = frame[REGIME], frame[LOCAL_DISTANCE], confidences(frame, self._column)
        refused = wanted & ~self._short_gate.allowed(*facts)
        if not self._signals.live:
            self._operator_log.tally.removed[pair] = self._removed(frame[refused])
        rare = wanted & self._short_gate.exceptions(*facts)
        frame = _without(frame, refused)
        if rare.any():
            frame["enter_tag"] = _tagged(frame, rare)
        if refused.iloc[-1] and self._signals.live:
            self._announce_refused_short(frame, pair)
        return frame

    def _removed(self, refused: pd.DataFrame) -> dict[str, pd.Series]:
        """Return when the candles of refused shorts closed (UTC), by rule."""
        closes = refused["date"] + self._signals.candle
        unknown = refused[REGIME] == Regime.UNKNOWN.value
        return {
            DenyCode.SHORT_IN_UPTREND.value: closes[~unknown],
            DenyCode.SHORT_REGIME_UNKNOWN.value: closes[unknown],
        }

    def _announce_refused_short(self, frame: pd.DataFrame, pair: str) -> None:
        signal = self._signals.of(frame)
        denial = self._short(signal)
        if denial is not None:
            self._operator_log.refusal(pair, denial, signal.confidence)

    def _short(self, signal: Signal) -> Denial | None:
        return self._short_gate.check(signal.regime, signal.local_distance, signal.confidence)


def _tagged(frame: pd.DataFrame, rare: pd.Series) -> pd.Series:
    """Return the tags, of whatever type the strategy wrote them, with the exceptions marked."""
    tags = frame["enter_tag"] if "enter_tag" in frame.columns else pd.Series("", frame.index)
    text = tags.fillna("").astype(str)
    return tags.astype(object).mask(rare, (text + f" {RARE_SHORT_TAG}").str.strip())


def _without(frame: pd.DataFrame, refused: pd.Series) -> pd.DataFrame:
    """Take the refused rows' signals out, of whatever type the strategy wrote them.

    Both sides go: Freqtrade drops a candle that signals both ways, and a guard that took only the
    short away would turn it into a long.
    """
    for column in ("enter_short", "enter_long"):
        if column in frame.columns:
            frame[column] = ((frame[column] == 1) & ~refused).astype(int)
    return frame
