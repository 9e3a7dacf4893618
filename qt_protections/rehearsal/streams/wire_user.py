"""What the user data stream says of an event: the state of the moment, as Binance's JSON."""

from collections.abc import Callable
from decimal import Decimal

from qt_protections.rehearsal.api.wire import algo_query_json, money, number, order_json
from qt_protections.rehearsal.api.wire_account import asset_json, position_v2_json
from qt_protections.rehearsal.engine.conditional import UNTOLD
from qt_protections.rehearsal.engine.orders import (
    AlgoOrder,
    Order,
    OrderType,
    TimeInForce,
    Trade,
)
from qt_protections.rehearsal.engine.triggers import is_active
from qt_protections.rehearsal.journal import Event, EventKind, JsonObject
from qt_protections.rehearsal.venue import Venue

# Expiry reasons (field `er`) as the documents number them.
NO_REASON, IOC_REMAINDER, KNOCKED_OUT, MARKET_REMAINDER = "0", "2", "4", "9"


def user_stream_json(venue: Venue, event: Event) -> list[JsonObject]:
    """Return the messages that tell of `event`, in order; none if the stream is silent on it.

    Call it while the venue is as the event left it: the messages carry the state of orders,
    position and wallet as they are now.
    """
    tell = _TELLERS.get(event.kind)
    return [] if tell is None else tell(venue, event)


def listen_key_expired_json(key: str, now_ms: int) -> JsonObject:
    """Return the last message of a user data stream whose key ran out."""
    return {"e": "listenKeyExpired", "E": now_ms, "listenKey": key}


def _fill(venue: Venue, event: Event) -> list[JsonObject]:
    order, trade = _order(venue, event), venue.ledger.trades[-1]
    forced = order.request.cause.is_forced
    update = _order_update(event, order, "CALCULATED" if forced else "TRADE", trade)
    return [_trade_lite(event, order, trade), _account_update(venue, event, "ORDER"), update]


def _order_change(execution: str) -> Callable[[Venue, Event], list[JsonObject]]:
    return lambda venue, event: [_order_update(event, _order(venue, event), execution)]


def _algo_change(venue: Venue, event: Event) -> list[JsonObject]:
    if event.algo_id is None:
        raise ValueError(f"{event.kind} without a conditional order")
    return [_algo_update(event, venue.conditional.algos[event.algo_id])]


def _dead_algo(venue: Venue, event: Event) -> list[JsonObject]:
    return [] if event.cause == UNTOLD else _algo_change(venue, event)


def _account_change(reason: str) -> Callable[[Venue, Event], list[JsonObject]]:
    return lambda venue, event: [
        _account_update(venue, event, reason, -(event.fee or Decimal(0))),
    ]


def _insurance(venue: Venue, event: Event) -> list[JsonObject]:
    # What the fund makes of a position it took over moves no wallet.
    return [] if event.fee is None else _account_change("INSURANCE_CLEAR")(venue, event)


def _leverage(venue: Venue, event: Event) -> list[JsonObject]:
    config = {"s": event.symbol, "l": venue.account.leverage_of(event.symbol)}
    return [_head("ACCOUNT_CONFIG_UPDATE", event) | {"ac": config}]


def _order(venue: Venue, event: Event) -> Order:
    if event.order_id is None:
        raise ValueError(f"{event.kind} without an order")
    return venue.desk.orders[event.order_id]


def _head(name: str, event: Event) -> JsonObject:
    return {"e": name, "E": event.ms, "T": event.ms}


def _order_update(
    event: Event, order: Order, execution: str, trade: Trade | None = None
) -> JsonObject:
    row = order_json(order)
    fill: JsonObject = {"l": "0", "L": "0", "t": 0, "m": False, "rp": "0"}
    if trade is not None:
        fill = {
            "l": number(trade.quantity),
            "L": number(trade.price),
            "N": "USDT",
            "n": money(trade.fee),
            "t": trade.trade_id,
            "m": trade.maker,
            "rp": money(trade.realized),
        }
    about: JsonObject = {
        "s": row["symbol"],
        "c": row["clientOrderId"],
        "S": row["side"],
        "o": row["type"],
        "f": row["timeInForce"],
        "q": row["origQty"],
        "p": row["price"],
        "ap": row["avgPrice"],
        "sp": row["stopPrice"],
        "x": execution,
        "X": row["status"],
        "i": row["orderId"],
        "z": row["executedQty"],
        "T": event.ms,
        "b": "0",
        "a": "0",
        "R": row["reduceOnly"],
        "wt": row["workingType"],
        "ot": row["origType"],
        "ps": row["positionSide"],
        "cp": row["closePosition"],
        "pP": row["priceProtect"],
        "si": 0,
        "ss": 0,
        "V": row["selfTradePreventionMode"],
        "pm": row["priceMatch"],
        "gtd": row["goodTillDate"],
        "er": _expiry_reason(order) if execution == "EXPIRED" else NO_REASON,
    }
    return _head("ORDER_TRADE_UPDATE", event) | {"o": about | fill}


def _expiry_reason(order: Order) -> str:
    request = order.request
    if request.type is OrderType.MARKET:
        return MARKET_REMAINDER
    return IOC_REMAINDER if request.tif is TimeInForce.IOC else KNOCKED_OUT


def _trade_lite(event: Event, order: Order, trade: Trade) -> JsonObject:
    return _head("TRADE_LITE", event) | {
        "s": trade.symbol,
        "q": number(order.quantity),
        "p": number(order.request.price),
        "m": trade.maker,
        "c": order.request.client_id,
        "S": trade.side,
        "L": number(trade.price),
        "l": number(trade.quantity),
        "t": trade.trade_id,
        "i": order.order_id,
    }


def _account_update(
    venue: Venue, event: Event, reason: str, change: Decimal = Decimal(0)
) -> JsonObject:
    asset, position = asset_json(venue), position_v2_json(venue, event.symbol)
    balance = {
        "a": "USDT",
        "wb": asset["walletBalance"],
        "cw": asset["crossWalletBalance"],
        "bc": money(change),
    }
    held = {
        "s": event.symbol,
        "pa": position["positionAmt"],
        "ep": position["entryPrice"],
        "bep": position["breakEvenPrice"],
        "cr": money(venue.ledger.realized[event.symbol]),
        "up": position["unRealizedProfit"],
        "mt": position["marginType"],
        "iw": position["isolatedWallet"],
        "ps": position["positionSide"],
    }
    update = {"m": reason, "B": [balance], "P": [held]}
    return _head("ACCOUNT_UPDATE", event) | {"a": update}


def _algo_update(event: Event, algo: AlgoOrder) -> JsonObject:
    row, request = algo_query_json(algo), algo.request
    about = {
        "caid": row["clientAlgoId"],
        "aid": row["algoId"],
        "at": row["algoType"],
        "o": row["orderType"],
        "s": row["symbol"],
        "S": row["side"],
        "ps": row["positionSide"],
        "f": row["timeInForce"],
        "q": row["quantity"],
        "X": row["algoStatus"],
        "ai": row["actualOrderId"],
        "ap": row["actualPrice"],
        "aq": row["actualQty"],
        "act": row["actualType"] or "0",
        "tp": row["triggerPrice"],
        "p": row["price"],
        "V": row["selfTradePreventionMode"],
        "wt": row["workingType"],
        "pm": row["priceMatch"],
        "cp": row["closePosition"],
        "pP": row["priceProtect"],
        "R": row["reduceOnly"],
        "tt": row["triggerTime"],
        "gtd": row["goodTillDate"],
        "rm": algo.reason,
        "ia": request.type.is_trailing and is_active(request, algo.extreme),
    }
    return _head("ALGO_UPDATE", event) | {"o": about}


_TELLERS: dict[EventKind, Callable[[Venue, Event], list[JsonObject]]] = {
    EventKind.ORDER_ACCEPTED: _order_change("NEW"),
    EventKind.ORDER_AMENDED: _order_change("AMENDMENT"),
    EventKind.ORDER_FILLED: _fill,
    EventKind.ORDER_CANCELED: _order_change("CANCELED"),
    EventKind.ORDER_EXPIRED: _order_change("EXPIRED"),
    EventKind.STOP_ACCEPTED: _algo_change,
    EventKind.STOP_DEAD: _dead_algo,
    EventKind.STOP_TRIGGERED: _algo_change,
    EventKind.STOP_RELEASED: _algo_change,
    EventKind.STOP_FINISHED: _algo_change,
    EventKind.STOP_REFUSED_AT_TRIGGER: _algo_change,
    EventKind.STOP_CANCELED: _algo_change,
    EventKind.STOP_EXPIRED: _algo_change,
    EventKind.STOP_WITHDRAWN: _algo_change,
    EventKind.FUNDING: _account_change("FUNDING_FEE"),
    EventKind.INSURANCE: _insurance,
    EventKind.LEVERAGE_CHANGED: _leverage,
    EventKind.MARGIN_TYPE_CHANGED: _account_change("MARGIN_TYPE_CHANGE"),
    EventKind.MARGIN_MOVED: _account_change("MARGIN_TRANSFER"),
}
