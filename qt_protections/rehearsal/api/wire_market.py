"""The market side as Binance JSON."""

from decimal import Decimal
from functools import lru_cache
from itertools import islice

from qt_protections.rehearsal.api.wire import money, number
from qt_protections.rehearsal.engine.funding import due_times
from qt_protections.rehearsal.journal import JsonObject
from qt_protections.rehearsal.market.book import Side
from qt_protections.rehearsal.market.candles import (
    CLOSE,
    HIGH,
    INTERVALS_MS,
    LOW,
    OPEN,
    VOLUME,
    Window,
)
from qt_protections.rehearsal.market.instruments import Instrument
from qt_protections.rehearsal.market.tape import Print
from qt_protections.rehearsal.venue import Venue

DAY_MINUTES, HOUR_MINUTES = 1440, 60
KEPT_KLINES = 50_000


def klines_json(
    venue: Venue, symbol: str, interval: str, window: Window, *, mark: bool = False
) -> list[tuple[object, ...]]:
    """Return candles; the arguments are those of `Tape.bars`."""
    item = venue.tape.instrument(symbol)
    bars = venue.tape.bars(symbol, interval, window, mark=mark)
    decimals = (8 if mark else item.price_decimals, item.qty_decimals)
    width_ms = INTERVALS_MS[interval]
    return [
        _kline(open_ms, width_ms, decimals, *column)
        for open_ms, column in zip(bars.open_ms.tolist(), bars.columns.T.tolist(), strict=True)
    ]


# Bots ask for the same closed candles again and again, and a thousand rows take milliseconds.
@lru_cache(maxsize=KEPT_KLINES)
def _kline(
    open_ms: int,
    width_ms: int,
    decimals: tuple[int, int],
    open_: float,
    high: float,
    low: float,
    close: float,
    volume: float,
) -> tuple[object, ...]:
    price_decimals, qty_decimals = decimals
    value = volume * (open_ + close) / 2
    return (
        open_ms,
        *(f"{price:.{price_decimals}f}" for price in (open_, high, low, close)),
        f"{volume:.{qty_decimals}f}",
        open_ms + width_ms - 1,
        f"{value:.4f}",
        max(1, int(value / 500)),
        f"{volume / 2:.{qty_decimals}f}",
        f"{value / 2:.4f}",
        "0",
    )


def depth_json(venue: Venue, symbol: str, limit: int) -> JsonObject:
    """Return the order book, best levels first."""

    def levels(taker: Side) -> list[list[str]]:
        book = venue.tape.book(symbol, taker, venue.depth_ratio)
        return [[number(level.price), number(level.quantity)] for level in islice(book, limit)]

    return {
        "lastUpdateId": venue.now_ms,
        "E": venue.now_ms,
        "T": venue.now_ms,
        "bids": levels(Side.SELL),
        "asks": levels(Side.BUY),
    }


def day_ticker_json(venue: Venue, symbol: str) -> JsonObject:
    """Return the statistics of the last 24 hours."""
    tape = venue.tape[symbol]
    item, last = tape.instrument, tape.last
    bars = venue.tape.bars(symbol, "1m", Window(limit=DAY_MINUTES))
    open_, volume = float(bars.columns[OPEN, 0]), bars.columns[VOLUME]
    quote = float(volume @ bars.columns[CLOSE])
    total = float(volume.sum())

    def price(value: float) -> str:
        return f"{value:.{item.price_decimals}f}"

    return {
        "symbol": symbol,
        "priceChange": price(last - open_),
        "priceChangePercent": f"{(last / open_ - 1) * 100:.3f}",
        "weightedAvgPrice": price(quote / total if total else last),
        "lastPrice": price(last),
        "lastQty": f"{bars.columns[VOLUME, -1]:.{item.qty_decimals}f}",
        "openPrice": price(open_),
        "highPrice": price(float(bars.columns[HIGH].max())),
        "lowPrice": price(float(bars.columns[LOW].min())),
        "volume": f"{total:.{item.qty_decimals}f}",
        "quoteVolume": f"{quote:.2f}",
        "openTime": int(bars.open_ms[0]),
        "closeTime": venue.now_ms,
        "firstId": 1,
        "lastId": tape.count,
        "count": tape.count,
    }


def book_ticker_json(venue: Venue, symbol: str) -> JsonObject:
    """Return the best bid and ask."""
    bid = next(venue.tape.book(symbol, Side.SELL, venue.depth_ratio))
    ask = next(venue.tape.book(symbol, Side.BUY, venue.depth_ratio))
    return {
        "symbol": symbol,
        "bidPrice": number(bid.price),
        "bidQty": number(bid.quantity),
        "askPrice": number(ask.price),
        "askQty": number(ask.quantity),
        "time": venue.now_ms,
    }


def price_json(venue: Venue, symbol: str) -> JsonObject:
    """Return the last price."""
    return {"symbol": symbol, "price": number(venue.tape.last(symbol)), "time": venue.now_ms}


def premium_json(venue: Venue, symbol: str) -> JsonObject:
    """Return mark price, index price (the same here) and funding."""
    mark = number(venue.tape.mark(symbol))
    return {
        "symbol": symbol,
        "markPrice": mark,
        "indexPrice": mark,
        "estimatedSettlePrice": mark,
        "lastFundingRate": money(venue.funding.next_rate(symbol)),
        "interestRate": "0.00010000",
        "nextFundingTime": venue.funding.next_ms,
        "time": venue.now_ms,
    }


def funding_json(venue: Venue, symbol: str, window: Window) -> list[JsonObject]:
    """Return past funding rates, oldest first, with the mark prices they were charged at."""
    start_ms, limit = window.start_ms, window.limit
    end_ms = venue.now_ms if window.end_ms is None else min(window.end_ms, venue.now_ms)
    first_ms = venue.tape[symbol].candles.start_ms
    if start_ms is not None:
        first_ms = max(first_ms, start_ms)
    times = due_times(first_ms, end_ms)
    chosen = times[:limit] if start_ms is not None else times[-limit:]
    return [
        {
            "symbol": symbol,
            "fundingTime": time_ms,
            "fundingRate": money(venue.funding.rate(symbol, time_ms)),
            "markPrice": _mark_at(venue, symbol, time_ms),
        }
        for time_ms in chosen
    ]


def _mark_at(venue: Venue, symbol: str, time_ms: int) -> str:
    charged = venue.funding.charged_mark(symbol, time_ms)
    if charged is not None:
        return money(charged)
    marks = venue.tape.bars(symbol, "1m", Window(time_ms, limit=1), mark=True).columns
    return f"{marks[OPEN, 0]:.8f}" if marks.shape[1] else ""


def open_interest_json(venue: Venue, symbol: str) -> JsonObject:
    """Return the open interest: made up, an hour's usual volume at the present price."""
    item, last = venue.tape.instrument(symbol), venue.tape.last(symbol)
    size = Decimal(item.minute_volume * HOUR_MINUTES) / last
    return {
        "symbol": symbol,
        "openInterest": number(size.quantize(item.step)),
        "time": venue.now_ms,
    }


def insurance_json(venue: Venue) -> JsonObject:
    """Return the balance of the insurance fund, one for all symbols."""
    fund = {"asset": "USDT", "marginBalance": money(venue.ledger.insurance_fund)}
    return {"symbols": list(venue.tape.symbols), "assets": [fund | {"updateTime": venue.now_ms}]}


def print_json(item: Instrument, trade: Print, *, aggregate: bool) -> JsonObject:
    """Return a public trade, in the aggregate form or the plain one."""
    price, size = f"{trade.price:.{item.price_decimals}f}", f"{trade.volume:.{item.qty_decimals}f}"
    if aggregate:
        return {
            "a": trade.number,
            "p": price,
            "q": size,
            "nq": size,
            "f": trade.number,
            "l": trade.number,
            "T": trade.ms,
            "m": not trade.rising,
        }
    return {
        "id": trade.number,
        "price": price,
        "qty": size,
        "quoteQty": f"{trade.price * trade.volume:.4f}",
        "time": trade.ms,
        "isBuyerMaker": not trade.rising,
        "isRPITrade": False,
    }
