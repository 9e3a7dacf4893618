"""The public endpoints."""

from collections.abc import Callable
from dataclasses import dataclass

from qt_protections.rehearsal.api import wire_market
from qt_protections.rehearsal.api.params import Params
from qt_protections.rehearsal.api.wire_contracts import exchange_info_json
from qt_protections.rehearsal.errors import VenueError
from qt_protections.rehearsal.journal import JsonObject
from qt_protections.rehearsal.market.candles import INTERVALS_MS, Window
from qt_protections.rehearsal.market.tape import Print
from qt_protections.rehearsal.venue import Venue

Handler = Callable[[Venue, Params], object]
MAX_KLINES, MAX_ROWS, MAX_DEPTH = 1500, 1000, 1000


@dataclass(frozen=True, slots=True)
class Route:
    """An endpoint: what answers, and whether the request must be signed or at least keyed."""

    handler: Handler
    signed: bool = True
    keyed: bool = True


def klines(venue: Venue, params: Params) -> object:
    """Answer klines."""
    return _klines(venue, params, params.text("symbol"), mark=False)


def mark_klines(venue: Venue, params: Params) -> object:
    """Answer markPriceKlines."""
    return _klines(venue, params, params.text("symbol"), mark=True)


def index_klines(venue: Venue, params: Params) -> object:
    """Answer indexPriceKlines; the index is the mark price here."""
    return _klines(venue, params, params.text("pair"), mark=True)


def continuous_klines(venue: Venue, params: Params) -> object:
    """Answer continuousKlines, of the perpetual contract only."""
    if params.text("contractType") != "PERPETUAL":
        raise VenueError(-1130, "Data sent for parameter 'contractType' is not valid.")
    return _klines(venue, params, params.text("pair"), mark=False)


def _klines(venue: Venue, params: Params, symbol: str, *, mark: bool) -> object:
    interval = params.text("interval")
    if interval not in INTERVALS_MS:
        raise VenueError(-1120)
    window = _window(params, 500, MAX_KLINES)
    return wire_market.klines_json(venue, symbol, interval, window, mark=mark)


def depth(venue: Venue, params: Params) -> object:
    """Answer the order book."""
    return wire_market.depth_json(venue, params.text("symbol"), _limit(params, 500, MAX_DEPTH))


def funding_rate(venue: Venue, params: Params) -> object:
    """Answer fundingRate, for one symbol or all."""
    window = _window(params, 100, MAX_ROWS)
    symbol = params.maybe_text("symbol")
    names = venue.tape.symbols if symbol is None else (symbol,)
    rows = [row for name in names for row in wire_market.funding_json(venue, name, window)]
    return rows[: window.limit]


def funding_info(venue: Venue, _params: Params) -> object:
    """Answer fundingInfo: every symbol pays every 8 hours."""
    return [
        {
            "symbol": name,
            "adjustedFundingRateCap": "0.02000000",
            "adjustedFundingRateFloor": "-0.02000000",
            "fundingIntervalHours": 8,
            "disclaimer": False,
        }
        for name in venue.tape.symbols
    ]


def _prints(venue: Venue, params: Params) -> list[Print]:
    found = list(venue.tape[params.text("symbol")].prints)
    start_ms, first = params.maybe_integer("startTime"), params.maybe_integer("fromId")
    end_ms = params.maybe_integer("endTime")
    limit = _limit(params, 500, MAX_ROWS)
    if end_ms is not None:
        found = [trade for trade in found if trade.ms <= end_ms]
    if start_ms is not None or first is not None:
        from_ms, from_number = start_ms or 0, first or 0
        found = [t for t in found if t.ms >= from_ms and t.number >= from_number]
        return found[:limit]
    return found[-limit:]


def agg_trades(venue: Venue, params: Params) -> object:
    """Answer aggTrades."""
    item = venue.tape.instrument(params.text("symbol"))
    return [wire_market.print_json(item, t, aggregate=True) for t in _prints(venue, params)]


def trades(venue: Venue, params: Params) -> object:
    """Answer trades."""
    item = venue.tape.instrument(params.text("symbol"))
    return [wire_market.print_json(item, t, aggregate=False) for t in _prints(venue, params)]


def _per_symbol(answer: Callable[[Venue, str], JsonObject]) -> Handler:
    def handler(venue: Venue, params: Params) -> object:
        symbol = params.maybe_text("symbol")
        if symbol is not None:
            return answer(venue, symbol)
        return [answer(venue, name) for name in venue.tape.symbols]

    return handler


def _window(params: Params, default: int, most: int) -> Window:
    start_ms, end_ms = params.maybe_integer("startTime"), params.maybe_integer("endTime")
    return Window(start_ms, end_ms, _limit(params, default, most))


def _limit(params: Params, default: int, most: int) -> int:
    limit = params.maybe_integer("limit")
    if limit is None:
        return default
    if limit < 1:
        raise VenueError(-1130, "Data sent for parameter 'limit' is not valid.")
    return min(limit, most)


_PUBLIC: dict[str, Handler] = {
    "v1/ping": lambda _venue, _params: {},
    "v1/time": lambda venue, _params: {"serverTime": venue.now_ms},
    "v1/exchangeInfo": lambda venue, _params: exchange_info_json(venue),
    "v1/klines": klines,
    "v1/continuousKlines": continuous_klines,
    "v1/markPriceKlines": mark_klines,
    "v1/indexPriceKlines": index_klines,
    "v1/fundingRate": funding_rate,
    "v1/fundingInfo": funding_info,
    "v1/depth": depth,
    "v1/ticker/24hr": _per_symbol(wire_market.day_ticker_json),
    "v1/ticker/bookTicker": _per_symbol(wire_market.book_ticker_json),
    "v1/ticker/price": _per_symbol(wire_market.price_json),
    "v2/ticker/price": _per_symbol(wire_market.price_json),
    "v1/openInterest": lambda venue, params: wire_market.open_interest_json(
        venue, params.text("symbol")
    ),
    "v1/insuranceBalance": lambda venue, _params: wire_market.insurance_json(venue),
    "v1/premiumIndex": _per_symbol(wire_market.premium_json),
    "v1/aggTrades": agg_trades,
    "v1/trades": trades,
    "v1/historicalTrades": trades,
}
MARKET_ROUTES: dict[tuple[str, str], Route] = {
    ("GET", path): Route(handler, signed=False, keyed=False) for path, handler in _PUBLIC.items()
}
