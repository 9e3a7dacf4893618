"""The contracts as Binance JSON: filters, order types, leverage tables."""

from decimal import Decimal

from qt_protections.rehearsal.api.wire import number
from qt_protections.rehearsal.engine.orders import AlgoType, OrderType, TimeInForce
from qt_protections.rehearsal.journal import JsonObject
from qt_protections.rehearsal.limits import (
    ORDERS_PER_10_S,
    ORDERS_PER_MINUTE,
    WEIGHT_PER_MINUTE,
)
from qt_protections.rehearsal.market.instruments import Instrument
from qt_protections.rehearsal.venue import Venue

PERPETUAL_DELIVERY_MS = 4_133_404_800_000


def exchange_info_json(venue: Venue) -> JsonObject:
    """Return the contracts on offer and the rate limits."""
    return {
        "timezone": "UTC",
        "serverTime": venue.now_ms,
        "futuresType": "U_MARGINED",
        "rateLimits": [
            weight_limit_json(),
            *order_limits_json(),
        ],
        "exchangeFilters": [],
        "assets": [{"asset": "USDT", "marginAvailable": True, "autoAssetExchange": "-10000"}],
        "symbols": [_symbol_json(venue.tape.instrument(name)) for name in venue.tape.symbols],
    }


def weight_limit_json() -> JsonObject:
    """Return the limit on request weight."""
    return _rate_limit("REQUEST_WEIGHT", "MINUTE", 1, WEIGHT_PER_MINUTE)


def order_limits_json() -> list[JsonObject]:
    """Return the limits on the number of orders."""
    return [
        _rate_limit("ORDERS", "MINUTE", 1, ORDERS_PER_MINUTE),
        _rate_limit("ORDERS", "SECOND", 10, ORDERS_PER_10_S),
    ]


def _rate_limit(kind: str, interval: str, count: int, limit: int) -> JsonObject:
    return {
        "rateLimitType": kind,
        "interval": interval,
        "intervalNum": count,
        "limit": limit,
    }


def _symbol_json(item: Instrument) -> JsonObject:
    return {
        "symbol": item.symbol,
        "pair": item.symbol,
        "contractType": "PERPETUAL",
        "deliveryDate": PERPETUAL_DELIVERY_MS,
        "onboardDate": 1_569_398_400_000,
        "status": "TRADING",
        "maintMarginPercent": "2.5000",
        "requiredMarginPercent": "5.0000",
        "baseAsset": item.base,
        "quoteAsset": "USDT",
        "marginAsset": "USDT",
        "pricePrecision": item.price_decimals,
        "quantityPrecision": item.qty_decimals,
        "baseAssetPrecision": 8,
        "quotePrecision": 8,
        "underlyingType": "COIN",
        "underlyingSubType": [],
        "settlePlan": 0,
        "triggerProtect": _ratio(item.trigger_protect_ratio),
        "liquidationFee": f"{item.liquidation_fee_ratio:.6f}",
        "marketTakeBound": "0.05",
        "filters": _filters_json(item),
        "orderTypes": [*OrderType, *AlgoType],
        "timeInForce": [*TimeInForce],
    }


def _filters_json(item: Instrument) -> list[JsonObject]:
    return [
        {
            "filterType": "PRICE_FILTER",
            "minPrice": number(item.min_price),
            "maxPrice": number(item.max_price),
            "tickSize": number(item.tick),
        },
        {"filterType": "LOT_SIZE", **_lot_json(item, item.max_qty)},
        {"filterType": "MARKET_LOT_SIZE", **_lot_json(item, item.market_max_qty)},
        {"filterType": "MAX_NUM_ORDERS", "limit": item.max_orders},
        {"filterType": "MIN_NOTIONAL", "notional": number(item.min_notional)},
        {
            "filterType": "PERCENT_PRICE",
            "multiplierUp": _ratio(item.multiplier_up),
            "multiplierDown": _ratio(item.multiplier_down),
            "multiplierDecimal": "4",
        },
    ]


def _lot_json(item: Instrument, most: Decimal) -> JsonObject:
    return {
        "minQty": number(item.min_qty),
        "maxQty": number(most),
        "stepSize": number(item.step),
    }


def _ratio(value: Decimal) -> str:
    return f"{value:.4f}"


def brackets_json(item: Instrument) -> JsonObject:
    """Return the leverage table; its numbers are plain JSON numbers, as on Binance."""
    return {
        "symbol": item.symbol,
        "notionalCoef": 1.0,
        "brackets": [
            {
                "bracket": position,
                "initialLeverage": bracket.leverage,
                "notionalCap": int(bracket.cap),
                "notionalFloor": int(bracket.floor),
                "maintMarginRatio": float(bracket.maintenance_ratio),
                "cum": float(bracket.cum),
            }
            for position, bracket in enumerate(item.brackets, start=1)
        ],
    }
