"""Market streams: what is new since they were last asked, at the pace Binance keeps."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Protocol, cast

from qt_protections.rehearsal.api.wire import number
from qt_protections.rehearsal.api.wire_market import klines_json
from qt_protections.rehearsal.journal import JsonObject
from qt_protections.rehearsal.market.book import MAX_LEVELS, Side
from qt_protections.rehearsal.market.candles import Window
from qt_protections.rehearsal.streams.wire_market import kline_event_json, print_event_json
from qt_protections.rehearsal.venue import Venue

KLINE_PACE_MS = 250
# Fields that differ in each message, whether or not there is anything new.
_STAMPS = frozenset({"E", "T", "u", "O", "C"})
_TAKERS = {"b": Side.SELL, "a": Side.BUY}

Levels = dict[str, str]
Book = dict[str, Levels]


class Topic(Protocol):
    """A market stream that somebody listens to."""

    def news(self) -> list[object]:
        """Return the messages that are due, oldest first."""
        ...


@dataclass(slots=True)
class Pace:
    """Says when it is time again, in steps that begin at whole multiples of the width.

    Attributes:
        width_ms: Least time between two messages, milliseconds; 0 for no limit.
        next_ms: When the next one may leave, epoch milliseconds.
    """

    width_ms: int
    next_ms: int = 0

    def is_due(self, now_ms: int) -> bool:
        """Say whether it is time, and if so wait for the next step."""
        if now_ms < self.next_ms:
            return False
        if self.width_ms:
            self.next_ms = (now_ms // self.width_ms + 1) * self.width_ms
        return True


class PrintTopic:
    """Every public trade, as it happens."""

    def __init__(self, venue: Venue, symbol: str, *, aggregate: bool) -> None:
        """Start after the latest trade of `symbol`."""
        self._venue = venue
        self._symbol = symbol
        self._aggregate = aggregate
        self._told = venue.tape[symbol].count

    def news(self) -> list[object]:
        """Return the trades since the last call."""
        tape = self._venue.tape[self._symbol]
        known = max(0, len(tape.prints) - (tape.count - self._told))
        self._told = tape.count
        return [
            print_event_json(self._venue, self._symbol, trade, aggregate=self._aggregate)
            for trade in islice(tape.prints, known, None)
        ]


class KlineTopic:
    """The growing candle whenever it changed, and each candle once more when it has closed."""

    def __init__(
        self, venue: Venue, symbol: str, interval: str, *, continuous: bool = False
    ) -> None:
        """Start with the candle that grows now."""
        self._venue = venue
        self._symbol = symbol
        self._interval = interval
        self._continuous = continuous
        self._pace = Pace(KLINE_PACE_MS)
        self._latest: tuple[object, ...] = (None,)
        (growing,) = klines_json(venue, symbol, interval, Window(limit=1))
        self._open_ms = cast("int", growing[0])

    def news(self) -> list[object]:
        """Return what became of the candle told of last, and of those after it."""
        if not self._pace.is_due(self._venue.now_ms):
            return []
        *closed, growing = klines_json(
            self._venue, self._symbol, self._interval, Window(self._open_ms)
        )
        told: list[object] = [self._event(row, closed=True) for row in closed]
        if growing != self._latest:
            told.append(self._event(growing, closed=False))
        self._latest, self._open_ms = growing, cast("int", growing[0])
        return told

    def _event(self, row: tuple[object, ...], *, closed: bool) -> JsonObject:
        return kline_event_json(
            self._venue,
            self._symbol,
            self._interval,
            row,
            closed=closed,
            continuous=self._continuous,
        )


class StateTopic:
    """One state of each of some symbols, such as a ticker: all of it, if anything in it changed."""

    def __init__(
        self,
        venue: Venue,
        symbols: Sequence[str],
        tell: Callable[[Venue, str], JsonObject],
        pace_ms: int,
        *,
        as_list: bool = False,
        always: bool = False,
    ) -> None:
        """Start with nothing told.

        Args:
            venue: The exchange.
            symbols: Exchange names.
            tell: Makes the message of a symbol.
            pace_ms: Least time between two messages, milliseconds.
            as_list: Whether the messages of all symbols travel as one list.
            always: Whether to tell again what has not changed.
        """
        self._venue = venue
        self._symbols = symbols
        self._tell = tell
        self._pace = Pace(pace_ms)
        self._as_list = as_list
        self._always = always
        self._told: dict[str, JsonObject] = {}

    def news(self) -> list[object]:
        """Return the states that are due."""
        if not self._pace.is_due(self._venue.now_ms):
            return []
        rows = list(self._changed())
        return [rows] if rows and self._as_list else [*rows]

    def _changed(self) -> Iterator[JsonObject]:
        for symbol in self._symbols:
            row = self._tell(self._venue, symbol)
            facts = {key: value for key, value in row.items() if key not in _STAMPS}
            if self._always or facts != self._told.get(symbol):
                self._told[symbol] = facts
                yield row


class DepthTopic:
    """The best levels of the book, whenever they changed."""

    def __init__(self, venue: Venue, symbol: str, levels: int, pace_ms: int) -> None:
        """Start with nothing told; `levels` a side, at most every `pace_ms`."""
        self._venue = venue
        self._symbol = symbol
        self._levels = levels
        self._pace = Pace(pace_ms)
        self._book: Book = {}
        self._last_id = venue.now_ms

    def news(self) -> list[object]:
        """Return the book if it is due."""
        now_ms = self._venue.now_ms
        if not self._pace.is_due(now_ms):
            return []
        book = read_book(self._venue, self._symbol, self._levels)
        if book == self._book:
            return []
        previous, self._book, self._last_id = self._last_id, book, now_ms
        sides = {side: [[*level] for level in levels.items()] for side, levels in book.items()}
        return [_depth_json(self._symbol, previous, now_ms, sides)]


class DiffTopic:
    """Every price of the book whose size changed, so that a copy can be kept.

    The book is compared each time the market has moved, not only when a message is due: a
    snapshot taken in between shows levels that the next message must take away again.
    """

    def __init__(self, venue: Venue, symbol: str, pace_ms: int) -> None:
        """Start from the present book; tell of changes at most every `pace_ms`."""
        self._venue = venue
        self._symbol = symbol
        self._pace = Pace(pace_ms)
        self._book = read_book(venue, symbol, MAX_LEVELS)
        self._touched: dict[str, dict[str, None]] = {side: {} for side in _TAKERS}
        self._last_id = venue.now_ms

    def news(self) -> list[object]:
        """Return the changes if they are due."""
        now_ms = self._venue.now_ms
        self._compare()
        if not any(self._touched.values()) or not self._pace.is_due(now_ms):
            return []
        sides = {
            side: [[price, self._book[side].get(price, "0")] for price in touched]
            for side, touched in self._touched.items()
        }
        previous, self._last_id = self._last_id, now_ms
        self._touched = {side: {} for side in _TAKERS}
        return [_depth_json(self._symbol, previous, now_ms, sides)]

    def _compare(self) -> None:
        book = read_book(self._venue, self._symbol, MAX_LEVELS)
        for side, levels in book.items():
            old = self._book[side]
            for price in old | levels:
                if old.get(price) != levels.get(price):
                    self._touched[side][price] = None
        self._book = book


def read_book(venue: Venue, symbol: str, levels: int) -> Book:
    """Return the sizes of the best `levels` prices of each side, as `depth` words them."""
    return {
        side: {
            number(level.price): number(level.quantity)
            for level in islice(venue.tape.book(symbol, taker, venue.depth_ratio), levels)
        }
        for side, taker in _TAKERS.items()
    }


def _depth_json(
    symbol: str, previous_id: int, last_id: int, sides: dict[str, list[list[str]]]
) -> JsonObject:
    return {
        "e": "depthUpdate",
        "E": last_id,
        "T": last_id,
        "s": symbol,
        "U": min(previous_id + 1, last_id),
        "u": last_id,
        "pu": previous_id,
        **sides,
    }
