"""What Binance documents of each answer: numbers are strings, flags booleans, ids integers."""

from typing import Any


def shape(*, text: str, whole: str = "", flags: str = "") -> dict[str, type]:
    """Return the type of each key; a key may be absent or null if it ends with `?`."""
    kinds = ((text, str), (whole, int), (flags, bool))
    return {key: kind for keys, kind in kinds for key in keys.split()}


_ORDER = (
    "symbol status clientOrderId price origQty executedQty timeInForce type side positionSide "
    "stopPrice workingType origType priceMatch selfTradePreventionMode "
)
NEW_ORDER = shape(
    text=_ORDER + "cumQty cumQuote avgPrice",
    whole="orderId updateTime goodTillDate",
    flags="reduceOnly closePosition priceProtect",
)
ORDER = shape(
    text=_ORDER + "cumQuote avgPrice",
    whole="orderId time updateTime goodTillDate",
    flags="reduceOnly closePosition priceProtect",
)
ALGO = shape(
    text="clientAlgoId algoType orderType symbol side positionSide timeInForce quantity "
    "algoStatus triggerPrice price icebergQuantity? selfTradePreventionMode workingType "
    "priceMatch",
    whole="algoId createTime updateTime triggerTime goodTillDate",
    flags="closePosition priceProtect reduceOnly",
)
NEW_ALGO = ALGO | shape(text="activatePrice callbackRate")
# The official connector's models drop those marked here.
AMENDED = shape(
    text=_ORDER + "pair cumQty cumQuote? avgPrice?",
    whole="orderId updateTime goodTillDate",
    flags="reduceOnly closePosition priceProtect",
)
BATCHED = shape(
    text=_ORDER + "pair? cumQty cumQuote? avgPrice?",
    whole="orderId updateTime goodTillDate",
    flags="reduceOnly closePosition priceProtect",
)
AMENDMENT = shape(text="symbol pair clientOrderId", whole="amendmentId orderId time")
# The official connector's models of queries drop these two.
ALGO_QUERY = ALGO | shape(
    text="actualOrderId actualPrice actualQty actualType activatePrice? callbackRate?"
)
ALGO_CANCEL = shape(text="clientAlgoId code msg", whole="algoId")
DONE = shape(text="msg", whole="code")
TRADE = shape(
    text="symbol side price qty realizedPnl quoteQty commission commissionAsset positionSide",
    whole="id orderId time",
    flags="buyer maker",
)
INCOME = shape(text="symbol incomeType income asset info tradeId", whole="time tranId")
ACCOUNT = shape(
    text="totalInitialMargin totalMaintMargin totalWalletBalance totalUnrealizedProfit "
    "totalMarginBalance totalPositionInitialMargin totalOpenOrderInitialMargin "
    "totalCrossWalletBalance totalCrossUnPnl availableBalance maxWithdrawAmount",
    whole="feeTier updateTime tradeGroupId",
    flags="canTrade canDeposit canWithdraw multiAssetsMargin feeBurn",
)
BALANCE = shape(
    text="accountAlias asset balance crossWalletBalance crossUnPnl availableBalance "
    "maxWithdrawAmount",
    whole="updateTime",
    flags="marginAvailable",
)
POSITION = shape(
    text="symbol positionSide positionAmt entryPrice breakEvenPrice markPrice unRealizedProfit "
    "liquidationPrice isolatedMargin notional marginAsset isolatedWallet initialMargin "
    "maintMargin positionInitialMargin openOrderInitialMargin bidNotional askNotional",
    whole="adl updateTime",
)
SYMBOL = shape(
    text="symbol pair contractType status maintMarginPercent requiredMarginPercent baseAsset "
    "quoteAsset marginAsset underlyingType triggerProtect liquidationFee marketTakeBound",
    whole="deliveryDate onboardDate pricePrecision quantityPrecision baseAssetPrecision "
    "quotePrecision",
)
RATE_LIMIT = shape(text="rateLimitType interval", whole="intervalNum limit")
KLINE = [int, str, str, str, str, str, int, str, int, str, str, str]
MARK = shape(
    text="symbol markPrice indexPrice estimatedSettlePrice lastFundingRate interestRate",
    whole="nextFundingTime time",
)
TICKER = shape(
    text="symbol priceChange priceChangePercent weightedAvgPrice lastPrice lastQty openPrice "
    "highPrice lowPrice volume quoteVolume",
    whole="openTime closeTime firstId lastId count",
)
PRINT = shape(text="price qty quoteQty", whole="id time", flags="isBuyerMaker isRPITrade")
AGG_PRINT = shape(text="p q nq", whole="a f l T", flags="m")
COMMISSION = shape(text="symbol makerCommissionRate takerCommissionRate rpiCommissionRate")
LEVERAGE = shape(text="symbol maxNotionalValue", whole="leverage")
SYMBOL_CONFIG = shape(
    text="symbol marginType maxNotionalValue", whole="leverage", flags="isAutoAddMargin"
)
MARGIN_CHANGE = shape(text="symbol deltaType amount asset positionSide", whole="type time")
FORCE_ORDER = shape(
    text="symbol status clientOrderId price avgPrice origQty executedQty cumQuote timeInForce "
    "type side positionSide stopPrice workingType origType",
    whole="orderId time updateTime",
    flags="reduceOnly closePosition",
)
OPEN_INTEREST = shape(text="symbol openInterest", whole="time")
INSURANCE = shape(text="asset marginBalance", whole="updateTime")
COUNTDOWN = shape(text="symbol countdownTime")


def assert_shape(row: Any, expected: dict[str, type]) -> None:
    """Check that a JSON object holds every key with its type.

    Args:
        row: The object.
        expected: From `shape`.
    """
    wrong = {}
    for key, kind in expected.items():
        value = row.get(key.removesuffix("?"))
        if type(value) is not kind and not (key.endswith("?") and value is None):
            wrong[key] = value
    assert not wrong, wrong


_HEAD = shape(text="e", whole="E T")
_STREAM: dict[str, dict[str, dict[str, type]]] = {
    "ORDER_TRADE_UPDATE": {
        "": _HEAD,
        "o": shape(
            text="s c S o f q p ap sp x X l z L N? n? b a wt ot ps rp V pm er",
            whole="i T t si ss gtd",
            flags="m R cp pP",
        ),
    },
    "ALGO_UPDATE": {
        "": _HEAD,
        "o": shape(
            text="caid at o s S ps f q X ai ap aq act tp p V wt pm rm",
            whole="aid tt gtd",
            flags="cp pP R ia",
        ),
    },
    "ACCOUNT_UPDATE": {
        "": _HEAD,
        "a": shape(text="m"),
        "B": shape(text="a wb cw bc"),
        "P": shape(text="s pa ep bep cr up mt iw ps"),
    },
    "ACCOUNT_CONFIG_UPDATE": {"": _HEAD, "ac": shape(text="s", whole="l")},
    "TRADE_LITE": {"": _HEAD | shape(text="s q p c S L l", whole="t i", flags="m")},
    "listenKeyExpired": {"": shape(text="e listenKey", whole="E")},
    "aggTrade": {"": shape(text="e s p q nq", whole="E a f l T", flags="m")},
    "trade": {"": shape(text="e s p q X", whole="E t T", flags="m")},
    "kline": {
        "": shape(text="e s", whole="E"),
        "k": shape(text="s i o c h l v q V Q B", whole="t T f L n", flags="x"),
    },
    "continuous_kline": {
        "": shape(text="e ps ct", whole="E"),
        "k": shape(text="i o c h l v q V Q B", whole="t T f L n", flags="x"),
    },
    "markPriceUpdate": {"": shape(text="e s p i P r", whole="E T")},
    "24hrMiniTicker": {"": shape(text="e s c o h l v q", whole="E")},
    "24hrTicker": {"": shape(text="e s p P w c Q o h l v q", whole="E O C F L n")},
    "bookTicker": {"": shape(text="e s b B a A", whole="u E T")},
    "depthUpdate": {"": shape(text="e s", whole="E T U u pu") | {"b": list, "a": list}},
    "forceOrder": {
        "": shape(text="e", whole="E"),
        "o": shape(text="s S o f q p ap X l z", whole="T"),
    },
}


def assert_stream_shape(message: Any) -> None:
    """Check a message of a stream against what Binance documents of its kind."""
    parts = _STREAM[message["e"]]
    account = message.get("a") if message["e"] == "ACCOUNT_UPDATE" else None
    for part, expected in parts.items():
        if part in {"B", "P"}:
            assert account
            for row in account[part]:
                assert_shape(row, expected)
        else:
            assert_shape(message[part] if part else message, expected)
