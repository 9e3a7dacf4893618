"""The requests that faults may strike, by what they are for."""

PLACING = {"plain": ("POST /fapi/v1/order",), "conditional": ("POST /fapi/v1/algoOrder",)}
LOOKUPS = (
    "GET /fapi/v1/order",
    "GET /fapi/v1/openOrder",
    "GET /fapi/v1/openOrders",
    "GET /fapi/v1/algoOrder",
    "GET /fapi/v1/openAlgoOrders",
)
CANCELS = ("DELETE /fapi/v1/order", "DELETE /fapi/v1/algoOrder")
LISTS = ("GET /fapi/v1/openOrders", "GET /fapi/v1/openAlgoOrders")
HOLDINGS = ("GET /fapi/v*/positionRisk", "GET /fapi/v*/account", "GET /fapi/v*/balance")
HISTORIES = (
    "GET /fapi/v1/allOrders",
    "GET /fapi/v1/allAlgoOrders",
    "GET /fapi/v1/userTrades",
    "GET /fapi/v1/income",
)
