"""Names of market streams: what each one is, and under which path it is served."""

import re
from collections.abc import Callable
from enum import StrEnum
from functools import partial

from qt_protections.rehearsal.market.candles import INTERVALS_MS
from qt_protections.rehearsal.streams.topics import (
    DepthTopic,
    DiffTopic,
    KlineTopic,
    PrintTopic,
    StateTopic,
    Topic,
)
from qt_protections.rehearsal.streams.wire_market import (
    book_ticker_event_json,
    mark_price_event_json,
    mini_ticker_event_json,
    ticker_event_json,
)
from qt_protections.rehearsal.venue import Venue

Maker = Callable[[Venue, re.Match[str]], Topic]
DEPTH_PACE_MS = 250


class Category(StrEnum):
    """The paths Binance serves streams under since 2026-03 (USD-M websocket change notice)."""

    PUBLIC = "public"
    MARKET = "market"
    PRIVATE = "private"


def categories_of(name: str) -> frozenset[Category]:
    """Return the paths a stream is served under; anything without `@` or `!` is a listen key.

    ccxt asks for `@trade` under `public`, others under `market`; both are answered.
    """
    if name.endswith("@trade"):
        return frozenset({Category.PUBLIC, Category.MARKET})
    if "@depth" in name or name.endswith("bookTicker"):
        return frozenset({Category.PUBLIC})
    is_market = "@" in name or name.startswith("!")
    return frozenset({Category.MARKET if is_market else Category.PRIVATE})


def topic_of(venue: Venue, name: str) -> Topic | None:
    """Return the market stream of that name, None if there is none (symbols in lower case)."""
    for pattern, make in _MAKERS:
        found = re.fullmatch(pattern, name)
        if found is not None and _is_known(venue, found.groupdict()):
            return make(venue, found)
    return None


def _is_known(venue: Venue, parts: dict[str, str | None]) -> bool:
    symbol = parts.get("symbol")
    return (symbol is None or symbol.upper() in venue.tape.symbols) and (
        parts.get("interval", "1m") in INTERVALS_MS
    )


def _symbol(found: re.Match[str]) -> str:
    return found["symbol"].upper()


def _prints(venue: Venue, found: re.Match[str], *, aggregate: bool) -> Topic:
    return PrintTopic(venue, _symbol(found), aggregate=aggregate)


def _klines(venue: Venue, found: re.Match[str], *, continuous: bool) -> Topic:
    return KlineTopic(venue, _symbol(found), found["interval"], continuous=continuous)


def _state(tell: Callable[[Venue, str], dict[str, object]], pace_ms: int) -> Maker:
    return lambda venue, found: StateTopic(venue, [_symbol(found)], tell, pace_ms)


def _states(tell: Callable[[Venue, str], dict[str, object]], pace_ms: int) -> Maker:
    return lambda venue, _found: StateTopic(venue, venue.tape.symbols, tell, pace_ms, as_list=True)


def _mark(venue: Venue, found: re.Match[str]) -> Topic:
    pace_ms = 3000 if found["fast"] is None else 1000
    return StateTopic(venue, [_symbol(found)], mark_price_event_json, pace_ms, always=True)


def _marks(venue: Venue, found: re.Match[str]) -> Topic:
    pace_ms = 3000 if found["fast"] is None else 1000
    symbols = venue.tape.symbols
    return StateTopic(venue, symbols, mark_price_event_json, pace_ms, as_list=True, always=True)


def _depth(venue: Venue, found: re.Match[str]) -> Topic:
    pace_ms = DEPTH_PACE_MS if found["pace"] is None else int(found["pace"])
    if found["levels"] is None:
        return DiffTopic(venue, _symbol(found), pace_ms)
    return DepthTopic(venue, _symbol(found), int(found["levels"]), pace_ms)


def _all_book_tickers(venue: Venue, _found: re.Match[str]) -> Topic:
    return StateTopic(venue, venue.tape.symbols, book_ticker_event_json, 5000)


_OF = r"(?P<symbol>[0-9a-z]+)"
_MAKERS: tuple[tuple[str, Maker], ...] = (
    (rf"{_OF}@aggTrade", partial(_prints, aggregate=True)),
    (rf"{_OF}@trade", partial(_prints, aggregate=False)),
    (rf"{_OF}@kline_(?P<interval>\w+)", partial(_klines, continuous=False)),
    (rf"{_OF}_perpetual@continuousKline_(?P<interval>\w+)", partial(_klines, continuous=True)),
    (rf"{_OF}@markPrice(?P<fast>@1s)?", _mark),
    (r"!markPrice@arr(?P<fast>@1s)?", _marks),
    (rf"{_OF}@miniTicker", _state(mini_ticker_event_json, 2000)),
    (r"!miniTicker@arr", _states(mini_ticker_event_json, 1000)),
    (rf"{_OF}@ticker", _state(ticker_event_json, 2000)),
    (r"!ticker@arr", _states(ticker_event_json, 1000)),
    (rf"{_OF}@bookTicker", _state(book_ticker_event_json, 0)),
    (r"!bookTicker", _all_book_tickers),
    (rf"{_OF}@depth(?P<levels>5|10|20)?(?:@(?P<pace>100|250|500)ms)?", _depth),
)
