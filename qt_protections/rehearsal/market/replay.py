"""The live market of a replay: recorded candles, walked tick by tick, shifted to the present."""

import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from qt_protections.rehearsal.market.candles import (
    CLOSE,
    HIGH,
    LOW,
    MINUTE_MS,
    OPEN,
    VOLUME,
    Floats,
)
from qt_protections.rehearsal.market.feed import TICK_MS, BlockFeed, Tick
from qt_protections.rehearsal.market.instruments import Instrument
from qt_protections.rehearsal.market.recordings import (
    Recording,
    ReplayError,
    ReplayFacts,
    read_recording,
    recorded_files,
    utc_text,
)
from qt_protections.rehearsal.market.tape import Tape, symbol_tape

logger = logging.getLogger(__name__)

MIN_SPEED, MAX_SPEED = 0.1, 100.0
# Half spread as a share of the candle's range: a minute of 0.5 % has twice the usual spread.
SPREAD_SHARE = 0.02


class CandleFeed(BlockFeed):
    """Ticks that touch every candle's open, high, low and close; still prices after the last."""

    def __init__(
        self,
        instruments: Sequence[Instrument],
        candles: Sequence[Floats],
        speed: float,
        rng: np.random.Generator,
        start_ms: int,
    ) -> None:
        """Start at the first candle.

        Args:
            instruments: The symbols.
            candles: Of each symbol, as many 1m candles; rows open, high, low, close, volume.
            speed: Candles per minute, within `MIN_SPEED` and `MAX_SPEED`.
            rng: Source of chance, owned by the feed from now on.
            start_ms: When the first candle opens, exchange time, epoch milliseconds.
        """
        self._instruments = tuple(instruments)
        self._candles = tuple(candles)
        self._count = len(self._candles[0][CLOSE])
        self._width_ms = MINUTE_MS / speed
        self._ticks = int(self._width_ms / TICK_MS)
        self._rng = rng
        self._start_ms = start_ms
        self._next = 0
        self._block: list[Tick] = []

    @property
    def ends_ms(self) -> int:
        """When the last candle closes, exchange time, epoch milliseconds."""
        return self._start_ms + round(self._count * self._width_ms)

    def _next_block(self) -> list[Tick]:
        walks = [self._walk(*pair) for pair in zip(self._instruments, self._candles, strict=True)]
        prices = np.stack([path for path, _, _ in walks], axis=1).tolist()
        volumes = np.stack([volume for _, volume, _ in walks], axis=1).tolist()
        spreads = tuple(half_spread for *_, half_spread in walks)
        moments = np.arange(self._ticks) / self._ticks
        times = self._start_ms + np.rint((self._next + moments) * self._width_ms).astype(np.int64)
        if self._next == self._count:
            logger.warning("the recorded candles have ended: prices hold still from now on")
        self._next += 1
        rows = zip(times.tolist(), prices, volumes, strict=True)
        return [Tick(ms, tuple(price), tuple(volume), spreads) for ms, price, volume in rows][::-1]

    def _walk(self, item: Instrument, candles: Floats) -> tuple[Floats, Floats, float]:
        """Return prices, volumes and half spread of one symbol for the next candle."""
        if self._next >= self._count:
            still = np.full(self._ticks, candles[CLOSE, -1])
            return still, np.zeros(self._ticks), 0.0
        candle = candles[:, self._next]
        path = candle_path(candle, self._ticks, self._rng, item.price_decimals)
        shares = np.cumsum(self._rng.exponential(1.0, self._ticks))
        traded = np.round(candle[VOLUME] * shares / shares[-1], item.qty_decimals)
        traded[-1] = candle[VOLUME]
        volumes = np.maximum(np.diff(traded, prepend=0.0), 0.0)
        half_spread = SPREAD_SHARE * (candle[HIGH] - candle[LOW]) / candle[CLOSE]
        return path, volumes, float(half_spread)


def candle_path(candle: Floats, ticks: int, rng: np.random.Generator, decimals: int) -> Floats:
    """Return prices from a candle's open over its high and low, in either order, to its close.

    Args:
        candle: Open, high, low, close in USDT; more is ignored.
        ticks: Number of prices, at least 4.
        rng: Source of chance: which extreme comes first, and when each is reached.
        decimals: Digits after the point of the prices in between.
    """
    extremes = [candle[HIGH], candle[LOW]] if rng.random() < 0.5 else [candle[LOW], candle[HIGH]]
    inner = np.sort(rng.choice(np.arange(1, ticks - 1), 2, replace=False))
    corners = np.array([0, *inner, ticks - 1])
    values = np.array([candle[OPEN], *extremes, candle[CLOSE]])
    path: Floats = np.round(np.interp(np.arange(ticks), corners, values), decimals)
    path = np.clip(path, candle[LOW], candle[HIGH])
    path[corners] = values
    return path


def open_replay(
    folder: Path, start_ms: int, speed: float, seed: int, now_ms: int
) -> tuple[Tape, CandleFeed, ReplayFacts]:
    """Return the market recorded in a Freqtrade data folder.

    The candles before `start_ms` become history that ends with the minute of `now_ms`; those from
    it on become the live market, up to the end of the shortest file.

    Args:
        folder: Holds `futures/BASE_USDT_USDT-1m-futures.feather`.
        start_ms: First live candle, file time, epoch milliseconds, a whole minute.
        speed: Candles per minute.
        seed: Same seed, files and start: same ticks.
        now_ms: When the exchange opens, epoch milliseconds.

    Raises:
        ReplayError: If there are no files, a file has a gap, or `start_ms` is outside of one.
    """
    recordings = [read_recording(*found) for found in recorded_files(folder)]
    for recording in recordings:
        _check_start(recording, start_ms)
    live_ms = now_ms // MINUTE_MS * MINUTE_MS
    shift_ms = live_ms - start_ms
    count = min(recording.last_ms - start_ms for recording in recordings) // MINUTE_MS + 1
    tapes, candles = [], []
    for recording in recordings:
        past = (start_ms - recording.start_ms) // MINUTE_MS
        opens_ms, history = recording.start_ms + shift_ms, recording.columns[:, :past]
        tapes.append(symbol_tape(recording.instrument, opens_ms, history, opens_with_trade=True))
        candles.append(recording.columns[:, past : past + count])
    rng = np.random.default_rng([seed, start_ms // MINUTE_MS])
    feed = CandleFeed([r.instrument for r in recordings], candles, speed, rng, live_ms)
    start = datetime.fromtimestamp(start_ms / 1000, UTC)
    facts = ReplayFacts(start=start, shift_ms=shift_ms, speed=speed, ends_ms=feed.ends_ms)
    return Tape(tapes), feed, facts


def _check_start(recording: Recording, start_ms: int) -> None:
    if recording.start_ms < start_ms <= recording.last_ms:
        return
    raise ReplayError(
        f"--start {utc_text(start_ms)} is outside the candles of {recording.instrument.symbol}: "
        f"choose a minute after {utc_text(recording.start_ms)} and not after "
        f"{utc_text(recording.last_ms)} (UTC)."
    )
