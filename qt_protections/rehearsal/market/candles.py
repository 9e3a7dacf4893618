"""One-minute candles that grow, and their aggregation to every interval."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

MINUTE_MS = 60_000
DAY_MS = 86_400_000
INTERVALS_MS: dict[str, int] = {
    "1m": MINUTE_MS,
    "3m": 3 * MINUTE_MS,
    "5m": 5 * MINUTE_MS,
    "15m": 15 * MINUTE_MS,
    "30m": 30 * MINUTE_MS,
    "1h": 60 * MINUTE_MS,
    "2h": 120 * MINUTE_MS,
    "4h": 240 * MINUTE_MS,
    "6h": 360 * MINUTE_MS,
    "8h": 480 * MINUTE_MS,
    "12h": 720 * MINUTE_MS,
    "1d": DAY_MS,
}
OPEN, HIGH, LOW, CLOSE, VOLUME = range(5)


@dataclass(frozen=True, slots=True)
class Window:
    """Which candles are asked for, by the rules of Binance's klines.

    Attributes:
        start_ms: Earliest opening time; if given, the first `limit` candles from there are meant,
            otherwise the latest `limit`.
        end_ms: Latest opening time; None includes the growing candle.
        limit: Most candles.
    """

    start_ms: int | None = None
    end_ms: int | None = None
    limit: int = 500


@dataclass(frozen=True, slots=True)
class Bars:
    """Candles of one interval, oldest first; the last one may still be growing.

    Attributes:
        open_ms: Opening times, epoch milliseconds.
        columns: Rows open, high, low, close (USDT) and volume (base units).
    """

    open_ms: NDArray[np.int64]
    columns: Floats

    def __len__(self) -> int:
        """Return the number of candles."""
        return len(self.open_ms)


class CandleSeries:
    """The 1m candles of one price, without gaps, history first and live ticks after it."""

    def __init__(self, start_ms: int, columns: Floats, *, opens_with_trade: bool = False) -> None:
        """Start from history.

        Args:
            start_ms: Opening time of the first candle, a whole minute. Longer candles begin at
                their usual UTC times; the first one is short where history begins inside it.
            columns: History; rows open, high, low, close, volume.
            opens_with_trade: Whether a new candle opens at its first trade, rather than at the
                last close.
        """
        if start_ms % MINUTE_MS:
            raise ValueError(f"history must start at a whole minute, was {start_ms}")
        self.start_ms = start_ms
        self._lead = start_ms % DAY_MS // MINUTE_MS  # minutes between midnight and history
        self._opens_with_trade = opens_with_trade
        self._columns = np.pad(columns, ((0, 0), (0, 1440)))
        self._count: int = columns.shape[1]
        # Plain numbers, stored when the next candle opens or somebody looks: a tick is ten times
        # as frequent as a request.
        self._growing: list[float] = columns[:, -1].tolist()

    def __len__(self) -> int:
        """Return the number of 1m candles, the growing one included."""
        return self._count

    @property
    def last_close(self) -> float:
        """Price of the latest candle, in USDT."""
        return self._growing[CLOSE]

    def add_tick(self, ms: int, price: float, volume: float) -> None:
        """Grow the series by one trade; minutes without trades repeat the last close.

        Args:
            ms: Time of the trade, epoch milliseconds, not before the latest candle.
            price: Price in USDT.
            volume: Size in base units.
        """
        index = (ms - self.start_ms) // MINUTE_MS
        is_first = self._count <= index
        while self._count <= index:
            self._open_candle()
        candle = self._growing
        if is_first and self._opens_with_trade:
            candle[:VOLUME] = [price] * VOLUME
        candle[HIGH] = max(candle[HIGH], price)
        candle[LOW] = min(candle[LOW], price)
        candle[CLOSE] = price
        candle[VOLUME] += volume

    def _open_candle(self) -> None:
        self._store()
        if self._count == self._columns.shape[1]:
            self._columns = np.pad(self._columns, ((0, 0), (0, 1440)))
        self._growing = [self.last_close] * VOLUME + [0.0]
        self._count += 1

    def _store(self) -> None:
        self._columns[:, self._count - 1] = self._growing

    def aggregate(self, interval: str, window: Window) -> Bars:
        """Return candles of `interval`, a key of `INTERVALS_MS`."""
        self._store()
        width_ms = INTERVALS_MS[interval]
        minutes = width_ms // MINUTE_MS
        midnight_ms = self.start_ms - self._lead * MINUTE_MS
        earliest = self._lead // minutes
        last = (self._lead + self._count - 1) // minutes
        if window.end_ms is not None:
            last = min(last, (window.end_ms - midnight_ms) // width_ms)
        first = max(earliest, last - window.limit + 1)
        if window.start_ms is not None:
            first = max(earliest, -((midnight_ms - window.start_ms) // width_ms))
            last = min(last, first + window.limit - 1)
        return self._buckets(first, last, minutes)

    def _buckets(self, first: int, last: int, minutes: int) -> Bars:
        if last < first:
            return Bars(np.empty(0, dtype=np.int64), np.empty((5, 0)))
        edges = np.arange(first, last + 2) * minutes - self._lead
        edges = np.clip(edges, 0, self._count)
        ones = self._columns[:, edges[0] : edges[-1]]
        starts, ends = edges[:-1] - edges[0], edges[1:] - edges[0] - 1
        columns = np.stack(
            [
                ones[OPEN, starts],
                np.maximum.reduceat(ones[HIGH], starts),
                np.minimum.reduceat(ones[LOW], starts),
                ones[CLOSE, ends],
                np.add.reduceat(ones[VOLUME], starts),
            ]
        )
        numbers = np.arange(first, last + 1, dtype=np.int64)
        midnight_ms = self.start_ms - self._lead * MINUTE_MS
        return Bars(midnight_ms + numbers * minutes * MINUTE_MS, columns)
