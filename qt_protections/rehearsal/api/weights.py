"""What a request costs, as Binance documents it for each endpoint (USD-M futures, 2026-11).

Paths are those behind `/fapi/`. What is not listed costs 1.
"""

from collections.abc import Mapping

from qt_protections.rehearsal.api.params import INTEGER

KLINE_STEPS = ((99, 1), (499, 2), (1000, 5))
DEPTH_STEPS = ((50, 2), (100, 5), (500, 10))
KLINE_PATHS = frozenset(
    {"v1/klines", "v1/continuousKlines", "v1/markPriceKlines", "v1/indexPriceKlines"}
)
ORDER_REQUESTS = frozenset(
    {
        ("POST", "v1/order"),
        ("POST", "v1/algoOrder"),
        ("POST", "v1/batchOrders"),
        ("PUT", "v1/order"),
        ("PUT", "v1/batchOrders"),
    }
)
DEFAULT_ROWS = 500

FLAT: dict[tuple[str, str], int] = {
    ("GET", "v1/trades"): 5,
    ("GET", "v1/historicalTrades"): 200,
    ("GET", "v1/aggTrades"): 20,
    # These two have a limit of their own, 500 in 5 minutes, which is not modelled.
    ("GET", "v1/fundingRate"): 0,
    ("GET", "v1/fundingInfo"): 0,
    ("GET", "v1/accountConfig"): 5,
    ("GET", "v1/positionSide/dual"): 30,
    ("GET", "v1/multiAssetsMargin"): 30,
    ("GET", "v1/feeBurn"): 30,
    ("GET", "v1/symbolConfig"): 5,
    ("GET", "v1/commissionRate"): 20,
    ("GET", "v2/balance"): 5,
    ("GET", "v3/balance"): 5,
    ("GET", "v2/account"): 5,
    ("GET", "v3/account"): 5,
    ("GET", "v2/positionRisk"): 5,
    ("GET", "v3/positionRisk"): 5,
    ("GET", "v1/allOrders"): 5,
    ("GET", "v1/allAlgoOrders"): 5,
    ("GET", "v1/userTrades"): 5,
    ("GET", "v1/income"): 30,
    ("GET", "v1/adlQuantile"): 5,
    ("POST", "v1/countdownCancelAll"): 10,
    ("POST", "v1/order"): 0,
    ("POST", "v1/algoOrder"): 0,
    ("PUT", "v1/order"): 0,
    ("POST", "v1/batchOrders"): 5,
    ("PUT", "v1/batchOrders"): 5,
}
# Cost for one symbol, and for all.
BY_SYMBOL: dict[str, tuple[int, int]] = {
    "v1/ticker/24hr": (1, 40),
    "v1/ticker/price": (1, 2),
    "v2/ticker/price": (1, 2),
    "v1/ticker/bookTicker": (2, 5),
    "v1/premiumIndex": (1, 10),
    "v1/openOrders": (1, 40),
    "v1/forceOrders": (20, 50),
    "v1/openAlgoOrders": (1, 40),
}


def request_weight(method: str, path: str, values: Mapping[str, str]) -> int:
    """Return the weight of a request, in units of the limit per minute and address.

    Args:
        method: HTTP method.
        path: Path behind `/fapi/`.
        values: The decoded parameters.
    """
    if method == "GET" and path in BY_SYMBOL:
        single, everything = BY_SYMBOL[path]
        return single if values.get("symbol") else everything
    if method == "GET" and path in KLINE_PATHS:
        return _stepped(values, KLINE_STEPS, 10)
    if method == "GET" and path == "v1/depth":
        return _stepped(values, DEPTH_STEPS, 20)
    return FLAT.get((method, path), 1)


def is_order(method: str, path: str) -> bool:
    """Say whether a request places or amends orders, and so counts on the order limits."""
    return (method, path) in ORDER_REQUESTS


def _stepped(values: Mapping[str, str], steps: tuple[tuple[int, int], ...], most: int) -> int:
    text = values.get("limit", "")
    limit = int(text) if INTEGER.fullmatch(text) else DEFAULT_ROWS
    return next((weight for bound, weight in steps if limit <= bound), most)
