"""What the market has printed: last and mark prices, candles and recent trades per symbol."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

import numpy as np

from qt_protections.rehearsal.errors import VenueError
from qt_protections.rehearsal.market.book import Level, Side, ladder
from qt_protections.rehearsal.market.candles import Bars, CandleSeries, Floats, Window
from qt_protections.rehearsal.market.feed import RandomFeed, Tick
from qt_protections.rehearsal.market.history import (
    history_columns,
    history_start_ms,
    mark_columns,
    market_noise,
)
from qt_protections.rehearsal.market.instruments import INSTRUMENTS, Instrument
from qt_protections.rehearsal.market.scenarios import Scenario

HISTORY_DAYS = 181
# Where there are made-up contracts beside the usual ones, which cost 0.1 MB a day each: an EMA200
# on 4h candles takes 34 days.
MANY_HISTORY_DAYS = 60
# The mark price follows the last price with this share of the gap a tick: about 1 s of memory.
MARK_PACE = 0.1
RECENT_TRADES = 1000


class Print(NamedTuple):
    """One trade on the tape.

    Attributes:
        number: Running number of the trade.
        ms: Time, epoch milliseconds.
        price: Price in USDT.
        volume: Size in base units.
        rising: Whether the price did not fall against the print before.
    """

    number: int
    ms: int
    price: float
    volume: float
    rising: bool


@dataclass(slots=True)
class SymbolTape:
    """Prices of one symbol.

    Attributes:
        instrument: The symbol's contract.
        candles: Last-price candles.
        mark_candles: Mark-price candles.
        last: Last price in USDT.
        mark: Mark price in USDT.
        prints: The latest trades, oldest first.
        half_spread: Distance of the best bid and ask from the last price, as a ratio of it; the
            book's usual distance if that is more.
        volume: Base units traded in the latest tick.
    """

    instrument: Instrument
    candles: CandleSeries
    mark_candles: CandleSeries
    last: float
    mark: float
    prints: deque[Print] = field(default_factory=lambda: deque(maxlen=RECENT_TRADES))
    count: int = 0
    half_spread: float = 0.0
    volume: float = 0.0

    def record(self, ms: int, price: float, volume: float) -> None:
        """Take in one tick (milliseconds, USDT, base units); without volume it is no trade."""
        rising = price >= self.last
        self.last, self.volume = price, volume
        self.mark += (price - self.mark) * MARK_PACE
        self.candles.add_tick(ms, price, volume)
        self.mark_candles.add_tick(ms, self.mark, 0.0)
        if not volume:
            return
        self.count += 1
        self.prints.append(Print(self.count, ms, price, volume, rising))


class Tape:
    """Prices of every symbol."""

    def __init__(self, tapes: Iterable[SymbolTape]) -> None:
        """Hold the tapes; ticks name prices in this order."""
        self._tapes = {tape.instrument.symbol: tape for tape in tapes}

    @property
    def symbols(self) -> tuple[str, ...]:
        """The symbols on offer."""
        return tuple(self._tapes)

    def __getitem__(self, symbol: str) -> SymbolTape:
        """Return the tape of `symbol`; refuse an unknown one (-1121)."""
        if symbol not in self._tapes:
            raise VenueError(-1121)
        return self._tapes[symbol]

    def instrument(self, symbol: str) -> Instrument:
        """Return the contract of `symbol`; refuse an unknown one (-1121)."""
        return self[symbol].instrument

    def last(self, symbol: str) -> Decimal:
        """Return the last price in USDT, on the tick."""
        tape = self[symbol]
        return Decimal(f"{tape.last:.{tape.instrument.price_decimals}f}")

    def volume(self, symbol: str) -> Decimal:
        """Return what the latest tick traded, in base units on the step."""
        tape = self[symbol]
        return Decimal(f"{tape.volume:.{tape.instrument.qty_decimals}f}")

    def mark(self, symbol: str) -> Decimal:
        """Return the mark price in USDT."""
        return Decimal(f"{self[symbol].mark:.8f}")

    def record(self, tick: Tick) -> None:
        """Take in one tick of every symbol."""
        for tape, price, volume in zip(
            self._tapes.values(), tick.prices, tick.volumes, strict=True
        ):
            tape.record(tick.ms, price, volume)
        for tape, half_spread in zip(self._tapes.values(), tick.half_spreads, strict=False):
            tape.half_spread = half_spread

    def book(self, symbol: str, taker: Side, depth_ratio: float) -> Iterator[Level]:
        """Yield the levels a taker would meet now, best price first; see `ladder`."""
        tape = self[symbol]
        return ladder(tape.instrument, self.last(symbol), taker, depth_ratio, tape.half_spread)

    def bars(self, symbol: str, interval: str, window: Window, *, mark: bool = False) -> Bars:
        """Return candles of `symbol`, of the mark price if `mark`."""
        tape = self[symbol]
        series = tape.mark_candles if mark else tape.candles
        return series.aggregate(interval, window)


def symbol_tape(
    instrument: Instrument, start_ms: int, columns: Floats, *, opens_with_trade: bool = False
) -> SymbolTape:
    """Return a tape that goes on from 1m history opening at `start_ms`, see `CandleSeries`."""
    candles = CandleSeries(start_ms, columns, opens_with_trade=opens_with_trade)
    marks = CandleSeries(start_ms, mark_columns(columns))
    return SymbolTape(instrument, candles, marks, candles.last_close, marks.last_close)


def build_market(
    scenario: Scenario,
    seed: int,
    start_ms: int,
    instruments: Sequence[Instrument] = INSTRUMENTS,
    days: int = HISTORY_DAYS,
) -> tuple[Tape, RandomFeed]:
    """Return a market: its history until the minute of `start_ms`, and its future.

    Args:
        scenario: What kind of market.
        seed: Same seed, scenario and start: same market.
        start_ms: When the exchange opens, epoch milliseconds. The live market starts with that
            minute; a shock counts from the moment itself.
        instruments: The symbols.
        days: Least days of history.
    """
    minute = start_ms // 60_000
    rng = np.random.default_rng([seed, scenario.number, minute])
    opens_ms = history_start_ms(start_ms, days)
    common = market_noise(rng, minute - opens_ms // 60_000)
    tapes = [
        symbol_tape(
            item, opens_ms, history_columns(item, scenario.trend_of(item.symbol), rng, common)
        )
        for item in instruments
    ]
    prices = [tape.last for tape in tapes]
    feed = RandomFeed(instruments, scenario, rng, minute * 60_000, prices, start_ms)
    return Tape(tapes), feed
