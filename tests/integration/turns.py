"""A market that takes turns: it moves in one minute and stands still in the next, without a spread.

What a backtest assumes of fills is true here. An entry in a minute that stands still is filled at
the minute's open, whenever it comes; a stop is filled at its trigger, because the price passes
through it; and no stop is hit in the minute of an entry.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal

import numpy as np

from qt_protections.rehearsal.market.book import Level, Side
from qt_protections.rehearsal.market.candles import CLOSE, HIGH, LOW, MINUTE_MS, VOLUME, Floats
from qt_protections.rehearsal.market.feed import Tick
from qt_protections.rehearsal.market.instruments import INSTRUMENTS, Instrument
from qt_protections.rehearsal.market.tape import Tape, symbol_tape

#: The first live minute; it moves, as every odd one does. Funding is due at midnight and at eight.
START = datetime(2025, 1, 7, 0, 21, tzinfo=UTC)
MINUTES = 200
HISTORY_MINUTES = 10 * 1440
BASES = ("BTC", "ETH", "SOL", "ZEN", "DOGE")
#: Standard deviation of a move, as a ratio of price.
MOVES = {"BTC": 0.0015, "ETH": 0.002, "SOL": 0.003, "ZEN": 0.006, "DOGE": 0.004}
#: Where log prices go: at parts of the live minutes, from 0 at ten hours before them.
WAYS = {
    "BTC": ((0.0, 0.06), (0.3, 0.06), (0.4, 0.01), (0.6, -0.05), (0.75, 0.0), (1.0, 0.08)),
    "ETH": ((0.0, 0.02), (1.0, -0.03)),
    "SOL": ((0.0, -0.03), (1.0, 0.03)),
    "ZEN": ((0.0, -0.06), (1.0, -0.08)),
    "DOGE": ((0.0, -0.04), (1.0, -0.02)),
}
_RAMP_MINUTES = 600
#: Seconds of a moving minute between which the price is on its way.
_FROM_S, _TO_S = 5, 35


class FairTape(Tape):
    """Everybody buys and sells at the last price, as much as they want."""

    def book(self, symbol: str, taker: Side, depth_ratio: float) -> Iterator[Level]:
        """Yield one level."""
        yield Level(self.last(symbol), Decimal(10**9))


class TurnsFeed:
    """The ticks of the live minutes; on its way a price stops at every trigger.

    Attributes:
        triggers: Gives the trigger prices of the stops that are live in a symbol.
    """

    def __init__(
        self, symbols: Sequence[str], ticks: Iterable[Tick], prices: Sequence[float]
    ) -> None:
        """Take the ticks to come, and the prices before them."""
        self.triggers: Callable[[str], Iterable[float]] = lambda _: ()
        self._symbols = symbols
        self._ticks = deque(ticks)
        self._prices = list(prices)
        self._ms = self._ticks[0].ms

    def until(self, now_ms: int) -> Iterator[Tick]:
        """Yield the ticks not yet read with `ms <= now_ms`, oldest first."""
        while self._ticks and self._ticks[0].ms <= now_ms:
            tick = self._ticks.popleft()
            yield from self._stops_on_the_way(tick)
            self._ms, self._prices = tick.ms, list(tick.prices)
            yield tick

    def _stops_on_the_way(self, tick: Tick) -> Iterator[Tick]:
        for index, symbol in enumerate(self._symbols):
            here, there = self._prices[index], tick.prices[index]
            low, high = min(here, there), max(here, there)
            between = {price for price in self.triggers(symbol) if low < price < high}
            for price in sorted(between, reverse=there < here):
                self._ms += 20  # its order reaches the engine 10 ms after a trigger
                self._prices[index] = price
                yield Tick(self._ms, tuple(self._prices), (1.0,) * len(self._symbols))


def turns_market(seed: int = 1) -> tuple[FairTape, TurnsFeed]:
    """Return the history and the feed."""
    rng = np.random.default_rng(seed)
    items = [item for item in INSTRUMENTS if item.base in BASES]
    start_ms = int(START.timestamp() * 1000)
    columns = [_minutes(item, rng) for item in items]
    opens_ms = start_ms - HISTORY_MINUTES * MINUTE_MS
    tapes = [
        symbol_tape(item, opens_ms, rows[:, :HISTORY_MINUTES], opens_with_trade=True)
        for item, rows in zip(items, columns, strict=True)
    ]
    ticks = [
        tick
        for minute in range(MINUTES)
        for tick in _ticks(
            start_ms + minute * MINUTE_MS, [rows[:, HISTORY_MINUTES + minute] for rows in columns]
        )
    ]
    symbols = [item.symbol for item in items]
    prices = [float(rows[CLOSE, HISTORY_MINUTES - 1]) for rows in columns]
    return FairTape(tapes), TurnsFeed(symbols, ticks, prices)


def _minutes(item: Instrument, rng: np.random.Generator) -> Floats:
    """Return the candles of history and live market; rows open, high, low, close, volume."""
    count = HISTORY_MINUTES + MINUTES
    live = np.arange(count) - HISTORY_MINUTES
    moves = live % 2 == 0
    # Half an hour is wild, the next usual, the third calm: stops taken from the ATR vary.
    size = MOVES[item.base] * np.array([2.0, 1.0, 0.3])[live // 30 % 3]
    steps = rng.standard_normal(count) * size * moves
    noise = np.zeros(count)
    for i in np.flatnonzero(moves)[1:]:
        noise[i - 1] = noise[i - 2]
        noise[i] = noise[i - 1] * 0.98 + steps[i]
    noise[-1] = noise[-2]
    parts, logs = zip(*WAYS[item.base], strict=True)
    at = [-_RAMP_MINUTES, *(part * MINUTES for part in parts)]
    way = np.interp(live - live % 2, at, [0.0, *logs])
    path = way + noise
    closes = np.round(item.reference_price * np.exp(path), item.price_decimals)
    opens = np.concatenate([closes[:1], closes[:-1]])
    reach = np.abs(rng.standard_normal((2, count))) * size * moves
    high = np.round(np.maximum(opens, closes) * (1 + reach[0]), item.price_decimals)
    low = np.round(np.minimum(opens, closes) * (1 - reach[1]), item.price_decimals)
    return np.stack([opens, high, low, closes, np.full(count, 1000.0)])


def _ticks(opens_ms: int, candles: Sequence[Floats]) -> Iterator[Tick]:
    """Yield the ticks of one minute: from the opens over highs and lows to the closes."""
    seconds = np.arange(_FROM_S, _TO_S + 1)
    corners = np.array([_FROM_S - 1, _FROM_S + 8, _FROM_S + 20, _TO_S])
    volumes = (1.0,) * len(candles)
    yield Tick(opens_ms, tuple(float(candle[0]) for candle in candles), volumes)
    if all(candle[HIGH] == candle[LOW] for candle in candles):
        return
    paths = [np.interp(seconds, corners, candle[:VOLUME]) for candle in candles]
    for row, second in enumerate(seconds):
        yield Tick(opens_ms + int(second) * 1000, tuple(float(p[row]) for p in paths), volumes)
