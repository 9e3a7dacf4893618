"""What the newest candles of a pair say to the gates."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pandas as pd
from freqtrade.data.dataprovider import DataProvider
from freqtrade.exchange import timeframe_to_seconds

from qt_protections.market.confidence import confidences
from qt_protections.market.trends import ATR, LIVE_MODES, LOCAL_DISTANCE, REGIME, length_of
from qt_protections.rules.regime import Regime


@dataclass(frozen=True, slots=True)
class Signal:
    """What the last closed candle of a pair says to the short gate; NaN is unknown."""

    regime: Regime
    local_distance: float
    confidence: float
    atr_ratio: float = float("nan")

    @classmethod
    def unknown(cls) -> "Signal":
        """Return the signal of which nothing is known."""
        return cls(Regime.UNKNOWN, float("nan"), float("nan"))


def last_signal(
    frame: pd.DataFrame, column: str, timeframe: str, now: datetime | None = None
) -> Signal:
    """Return what the newest row of an analysed frame says.

    Args:
        frame: As Freqtrade analysed it, with the guard's columns; may be empty.
        column: The confidence column.
        timeframe: The strategy's interval.
        now: Wall clock (UTC) in live modes; a candle is news until two intervals after its close,
            because the analysis of the next one takes its time. None in backtesting, where the
            last row is the signal's.
    """
    if frame.empty or REGIME not in frame.columns:
        return Signal.unknown()
    if _is_old(frame, timeframe, now):
        return Signal.unknown()
    # Cell by cell: a whole row of a wide frame takes ten times as long to put together.
    given = frame[[column]].iloc[-1:] if column in frame.columns else frame.iloc[-1:, :0]
    confidence = float(confidences(given, column).iloc[0])
    atr_ratio = float(frame[ATR].iloc[-1]) if ATR in frame.columns else float("nan")
    distance = float(frame[LOCAL_DISTANCE].iloc[-1])
    return Signal(Regime(frame[REGIME].iloc[-1]), distance, confidence, atr_ratio)


def _is_old(frame: pd.DataFrame, timeframe: str, now: datetime | None) -> bool:
    return now is not None and now - frame["date"].iloc[-1] > timedelta(
        seconds=3 * timeframe_to_seconds(timeframe)
    )


class Signals:
    """The newest candles of the strategy's frames.

    Attributes:
        candle: The length of one.
        live: Whether the newest is now.
    """

    def __init__(self, dp: DataProvider, column: str, timeframe: str) -> None:
        """Take Freqtrade's frames, the confidence column and the strategy's interval."""
        self._dp = dp
        self._column = column
        self._timeframe = timeframe
        self.candle = length_of(timeframe)
        self.live = dp.runmode in LIVE_MODES

    def of(self, frame: pd.DataFrame) -> Signal:
        """Return what the newest row of a frame says, however old it is."""
        return last_signal(frame, self._column, self._timeframe)

    def newest(self, pair: str) -> Signal:
        """Return what the newest candle of a pair says, as long as it is news."""
        return last_signal(self._frame(pair), self._column, self._timeframe, self._now())

    def version(self, pair: str) -> tuple[datetime, datetime]:
        """Return what is another one once a pair was analysed anew: its newest candle, and when."""
        frame, analysed_at = self._dp.get_analyzed_dataframe(pair, self._timeframe)
        return frame["date"].iloc[-1], analysed_at

    def again(self, pair: str, since: datetime | None, *, is_short: bool) -> str | None:
        """Return the tag of a pair's signal if it came after `since` (UTC); None without one.

        As to Freqtrade, a candle that signals the exit or the other side as well signals nothing.
        """
        frame = self._frame(pair)
        side, other = ("short", "long") if is_short else ("long", "short")
        column = f"enter_{side}"
        if frame.empty or column not in frame.columns or frame[column].iloc[-1] != 1:
            return None
        row = frame.iloc[-1]
        if row.get(f"exit_{side}") == 1 or row.get(f"enter_{other}") == 1:
            return None
        if _is_old(frame, self._timeframe, self._now()):
            return None
        if since is not None and row["date"] + length_of(self._timeframe) <= since:
            return None
        tag = row.get("enter_tag")
        return tag if isinstance(tag, str) else ""

    def _now(self) -> datetime | None:
        return datetime.now(UTC) if self.live else None

    def _frame(self, pair: str) -> pd.DataFrame:
        return self._dp.get_analyzed_dataframe(pair, self._timeframe)[0]
