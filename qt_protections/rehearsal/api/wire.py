"""Orders and fills as Binance JSON: numbers are strings, flags booleans, times integers."""

from decimal import Context, Decimal

from qt_protections.rehearsal.api.params import UNTIL_FLAT
from qt_protections.rehearsal.engine.ledger import MONEY_STEP, Income
from qt_protections.rehearsal.engine.orders import (
    AlgoOrder,
    AlgoStatus,
    Amendment,
    Order,
    OrderStatus,
    Trade,
)
from qt_protections.rehearsal.journal import JsonObject
from qt_protections.rehearsal.market.book import Side

AVERAGE_CONTEXT = Context(prec=16)


def number(value: Decimal) -> str:
    """Return an exact number without exponent or trailing zeros."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def average(value: Decimal) -> str:
    """Return a mean price exactly, or with 16 digits where its division does not end sooner.

    Binance does not document how it rounds averages; 16 digits are what a client's float holds.
    """
    return number(AVERAGE_CONTEXT.plus(value))


def money(value: Decimal) -> str:
    """Return a number with eight decimals."""
    return format(value.quantize(MONEY_STEP), "f")


def order_json(order: Order) -> JsonObject:
    """Return a plain order."""
    request = order.request
    return {
        "orderId": order.order_id,
        "symbol": request.symbol,
        "status": order.status,
        "clientOrderId": request.client_id,
        "price": number(request.price),
        "avgPrice": average(order.average_price),
        "origQty": number(order.quantity),
        "executedQty": number(order.executed),
        "cumQty": number(order.executed),
        "cumQuote": money(order.quote),
        "timeInForce": request.tif,
        "type": request.type,
        "reduceOnly": request.reduce_only,
        "closePosition": request.close_position,
        "side": request.side,
        "positionSide": "BOTH",
        "stopPrice": "0",
        "workingType": "CONTRACT_PRICE",
        "priceProtect": False,
        "origType": request.type,
        "priceMatch": "NONE",
        "selfTradePreventionMode": "EXPIRE_MAKER",
        "goodTillDate": 0,
        "time": order.created_ms,
        "updateTime": order.updated_ms,
    }


def acknowledgement_json(order: Order) -> JsonObject:
    """Return a plain order as ACK tells of it: received, nothing known of its fills."""
    return order_json(order) | {
        "status": OrderStatus.NEW,
        "avgPrice": "0.00",
        "executedQty": "0",
        "cumQty": "0",
        "cumQuote": "0",
        "updateTime": order.created_ms,
    }


def amendment_json(amendment: Amendment) -> JsonObject:
    """Return one change of a plain order."""
    request = amendment.order.request
    return {
        "amendmentId": amendment.number,
        "symbol": request.symbol,
        "pair": request.symbol,
        "orderId": amendment.order.order_id,
        "clientOrderId": request.client_id,
        "time": amendment.ms,
        "amendment": {
            "price": _change_json(amendment.price),
            "origQty": _change_json(amendment.quantity),
            "count": amendment.count,
        },
        "priceMatch": "NONE",
    }


def algo_json(algo: AlgoOrder) -> JsonObject:
    """Return a conditional order as its creation answers."""
    request = algo.request
    rate = request.callback_ratio
    return {
        "algoId": algo.algo_id,
        "clientAlgoId": request.client_id,
        "algoType": "CONDITIONAL",
        "orderType": request.type,
        "symbol": request.symbol,
        "side": request.side,
        "positionSide": "BOTH",
        "timeInForce": UNTIL_FLAT if request.until_flat else request.tif,
        "quantity": number(request.quantity or Decimal(0)),
        "algoStatus": algo.status,
        "triggerPrice": number(request.trigger_price or Decimal(0)),
        "price": number(request.price or Decimal(0)),
        "icebergQuantity": None,
        "selfTradePreventionMode": "EXPIRE_MAKER",
        "workingType": request.working_type,
        "priceMatch": "NONE",
        "closePosition": request.close_position,
        "priceProtect": request.price_protect,
        "reduceOnly": request.reduce_only,
        "activatePrice": number(request.activate_price or Decimal(0)),
        "callbackRate": "" if rate is None else number(rate * 100),
        "createTime": algo.created_ms,
        "updateTime": algo.updated_ms,
        "triggerTime": algo.trigger_ms,
        "goodTillDate": 0,
    }


def algo_query_json(algo: AlgoOrder) -> JsonObject:
    """Return a conditional order as a query answers: with the order it sent, if any."""
    child = algo.child
    done = child is not None and algo.status in {AlgoStatus.TRIGGERED, AlgoStatus.FINISHED}
    return algo_json(algo) | {
        "actualOrderId": str(child.order_id) if child is not None and done else "",
        "actualPrice": average(child.average_price) if child is not None and done else "0",
        "actualQty": number(child.executed) if child is not None and done else "0",
        "actualType": child.request.type if child is not None and done else "",
        "tpTriggerPrice": "0.000",
        "tpPrice": "0.000",
        "slTriggerPrice": "0.000",
        "slPrice": "0.000",
        "tpOrderType": "",
    }


def _change_json(values: tuple[Decimal, Decimal]) -> JsonObject:
    before, after = values
    return {"before": number(before), "after": number(after)}


def trade_json(trade: Trade) -> JsonObject:
    """Return one of our fills."""
    return {
        "symbol": trade.symbol,
        "id": trade.trade_id,
        "orderId": trade.order_id,
        "side": trade.side,
        "price": number(trade.price),
        "qty": number(trade.quantity),
        "realizedPnl": money(trade.realized),
        "quoteQty": money(trade.price * trade.quantity),
        "commission": money(trade.fee),
        "commissionAsset": "USDT",
        "time": trade.ms,
        "positionSide": "BOTH",
        "buyer": trade.side is Side.BUY,
        "maker": trade.maker,
    }


def income_json(income: Income) -> JsonObject:
    """Return a line of the income history."""
    return {
        "symbol": income.symbol,
        "incomeType": income.kind,
        "income": money(income.amount),
        "asset": "USDT",
        "time": income.ms,
        "info": income.kind if income.trade_id is None else str(income.trade_id),
        "tranId": 90_000_000_000 + income.number,
        "tradeId": "" if income.trade_id is None else str(income.trade_id),
    }
