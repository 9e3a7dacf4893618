"""What the market streams say, as Binance's JSON, made of what the REST endpoints answer."""

from qt_protections.rehearsal.api.wire import money, number
from qt_protections.rehearsal.api.wire_market import (
    book_ticker_json,
    day_ticker_json,
    premium_json,
    print_json,
)
from qt_protections.rehearsal.engine.orders import Order, Trade
from qt_protections.rehearsal.journal import JsonObject
from qt_protections.rehearsal.market.tape import Print
from qt_protections.rehearsal.venue import Venue


def print_event_json(venue: Venue, symbol: str, trade: Print, *, aggregate: bool) -> JsonObject:
    """Return a public trade: `aggTrade`, or `trade` if not `aggregate`."""
    row = print_json(venue.tape.instrument(symbol), trade, aggregate=aggregate)
    head: JsonObject = {"E": venue.now_ms, "s": symbol}
    if aggregate:
        return {"e": "aggTrade"} | head | row
    return (
        {"e": "trade"}
        | head
        | {
            "t": row["id"],
            "p": row["price"],
            "q": row["qty"],
            "X": "MARKET",
            "T": row["time"],
            "m": row["isBuyerMaker"],
        }
    )


def kline_event_json(
    venue: Venue,
    symbol: str,
    interval: str,
    row: tuple[object, ...],
    *,
    closed: bool,
    continuous: bool = False,
) -> JsonObject:
    """Return `kline`, or `continuous_kline` of the perpetual contract.

    Args:
        venue: The exchange.
        symbol: Exchange name.
        interval: Length of the candle.
        row: The candle as `klines` answers it.
        closed: Whether nothing more will be added to it.
        continuous: Which of the two.
    """
    candle: JsonObject = {
        "t": row[0],
        "T": row[6],
        **({} if continuous else {"s": symbol}),
        "i": interval,
        # The tape does not keep which trades made a candle; -1 is Binance's "none".
        "f": -1,
        "L": -1,
        "o": row[1],
        "c": row[4],
        "h": row[2],
        "l": row[3],
        "v": row[5],
        "n": row[8],
        "x": closed,
        "q": row[7],
        "V": row[9],
        "Q": row[10],
        "B": "0",
    }
    if continuous:
        head: JsonObject = {"ps": symbol, "ct": "PERPETUAL"}
        return {"e": "continuous_kline", "E": venue.now_ms} | head | {"k": candle}
    return {"e": "kline", "E": venue.now_ms, "s": symbol, "k": candle}


def mark_price_event_json(venue: Venue, symbol: str) -> JsonObject:
    """Return `markPriceUpdate`."""
    row = premium_json(venue, symbol)
    return {
        "e": "markPriceUpdate",
        "E": row["time"],
        "s": symbol,
        "p": row["markPrice"],
        "i": row["indexPrice"],
        "P": row["estimatedSettlePrice"],
        "r": row["lastFundingRate"],
        "T": row["nextFundingTime"],
    }


def mini_ticker_event_json(venue: Venue, symbol: str) -> JsonObject:
    """Return `24hrMiniTicker`."""
    return _day_event(venue, day_ticker_json(venue, symbol), "24hrMiniTicker")


def _day_event(venue: Venue, row: JsonObject, name: str) -> JsonObject:
    return {
        "e": name,
        "E": venue.now_ms,
        "s": row["symbol"],
        "c": row["lastPrice"],
        "o": row["openPrice"],
        "h": row["highPrice"],
        "l": row["lowPrice"],
        "v": row["volume"],
        "q": row["quoteVolume"],
    }


def ticker_event_json(venue: Venue, symbol: str) -> JsonObject:
    """Return `24hrTicker`."""
    row = day_ticker_json(venue, symbol)
    return _day_event(venue, row, "24hrTicker") | {
        "p": row["priceChange"],
        "P": row["priceChangePercent"],
        "w": row["weightedAvgPrice"],
        "Q": row["lastQty"],
        "O": row["openTime"],
        "C": row["closeTime"],
        "F": row["firstId"],
        "L": row["lastId"],
        "n": row["count"],
    }


def book_ticker_event_json(venue: Venue, symbol: str) -> JsonObject:
    """Return `bookTicker`."""
    row = book_ticker_json(venue, symbol)
    return {
        "e": "bookTicker",
        "u": row["time"],
        "E": row["time"],
        "T": row["time"],
        "s": symbol,
        "b": row["bidPrice"],
        "B": row["bidQty"],
        "a": row["askPrice"],
        "A": row["askQty"],
    }


def force_order_event_json(order: Order, trade: Trade) -> JsonObject:
    """Return `forceOrder`: a fill of a liquidation."""
    request = order.request
    return {
        "e": "forceOrder",
        "E": trade.ms,
        "o": {
            "s": trade.symbol,
            "S": trade.side,
            "o": request.type,
            "f": request.tif,
            "q": number(order.quantity),
            "p": number(request.price),
            "ap": money(order.average_price),
            "X": order.status,
            "l": number(trade.quantity),
            "z": number(order.executed),
            "T": trade.ms,
        },
    }
