"""What the exchange refuses, as Binance's codes."""

MESSAGES: dict[int, str] = {
    -1000: "An unknown error occurred while processing the request.",
    -1003: "Too many requests; please use the websocket for live updates to avoid polling the API.",
    -1007: (
        "Timeout waiting for response from backend server. "
        "Send status unknown; execution status unknown."
    ),
    -1008: (
        "Server is currently overloaded with other requests. Please try again in a few minutes."
    ),
    -1021: "Timestamp for this request is outside of the recvWindow.",
    -1022: "Signature for this request is not valid.",
    -1102: "Mandatory parameter was not sent, was empty/null, or malformed.",
    -1111: "Precision is over the maximum defined for this asset.",
    -1115: "Invalid timeInForce.",
    -1116: "Invalid orderType.",
    -1117: "Invalid side.",
    -1120: "Invalid interval.",
    -1121: "Invalid symbol.",
    -1125: "This listenKey does not exist.",
    -1128: "Combination of optional parameters invalid.",
    -1130: "Data sent for parameter is not valid.",
    -2007: "Invalid callBack rate",
    -2011: "Unknown order sent.",
    -2013: "Order does not exist.",
    -2014: "API-key format invalid.",
    -2015: "Invalid API-key, IP, or permissions for action.",
    -2019: "Margin is insufficient.",
    -2021: "Order would immediately trigger.",
    -2022: "ReduceOnly Order is rejected.",
    -2025: "Reach max open order limit.",
    -2027: "Exceeded the maximum allowable position at current leverage.",
    -2028: "Leverage is smaller than permitted: insufficient margin balance.",
    -4001: "Price less than 0.",
    -4002: "Price greater than max price.",
    -4003: "Quantity less than or equal to zero.",
    -4004: "Quantity less than min quantity.",
    -4005: "Quantity greater than max quantity.",
    -4006: "Stop price less than zero.",
    -4007: "Stop price greater than max price.",
    -4013: "Price less than min price.",
    -4014: "Price not increased by tick size.",
    -4015: "Client order id is not valid.",
    -4028: "Leverage is not valid.",
    -4032: "Exceed maximum cancel order size.",
    -4045: "Reach max stop order limit.",
    -4046: "No need to change margin type.",
    -4047: "Margin type cannot be changed if there exists open orders.",
    -4048: "Margin type cannot be changed if there exists position.",
    -4049: "Add margin only support for isolated position.",
    -4050: "Cross balance insufficient.",
    -4051: "Isolated balance insufficient.",
    -4054: "Cannot add position margin: position is 0.",
    -4055: "Amount must be positive.",
    -4059: "No need to change position side.",
    -4061: "Order's position side does not match user's setting.",
    -4082: "Invalid number of batch place orders.",
    -4116: "ClientOrderId is duplicated.",
    -4117: "Stop order is in triggering process. Please wait.",
    -4118: "ReduceOnly Order Failed. Please check your existing position and open orders",
    -4120: (
        "Order type not supported for this endpoint. "
        "Please use the Algo Order API endpoints instead."
    ),
    -4130: (
        "An open stop or take profit order with GTE and closePosition in the direction is existing."
    ),
    -4131: "The counterparty's best price does not meet the PERCENT_PRICE filter limit.",
    -4135: "Invalid activation price.",
    -4136: "Target strategy invalid for orderType TRAILING_STOP_MARKET,closePosition true",
    -4137: "Quantity must be zero with closePosition equals true.",
    -4161: ("Leverage reduction is not supported in Isolated Margin Mode with open positions."),
    -4164: "Order's notional is too small (unless you choose reduce only).",
    -4165: "Invalid time interval.",
    -4171: ("Adjusted asset mode is currently set and does not need to be adjusted repeatedly"),
    -4509: (
        "Time in Force (TIF) GTE can only be used with open positions. "
        "Please ensure that positions are available."
    ),
    -5000: "Path is invalid.",
    -5021: (
        "Due to the order could not be filled immediately, the FOK order has been rejected. "
        "The order will not be recorded in the order history."
    ),
    -5022: (
        "Due to the order could not be executed as maker, the Post Only order will be rejected. "
        "The order will not be recorded in the order history."
    ),
    -5026: "Exceed maximum modify order limit.",
    -5027: "No need to modify the order.",
    -5047: "The original order is not a reduce-only order.",
}


class VenueError(Exception):
    """A request the exchange refuses.

    Attributes:
        code: Binance's error code, negative.
        msg: Binance's wording, or a close rendering of it.
        http_status: The HTTP status the answer carries.
        retry_after_s: Seconds to wait before the next request, None if not told.
    """

    def __init__(
        self,
        code: int,
        msg: str | None = None,
        http_status: int = 400,
        *,
        retry_after_s: int | None = None,
    ) -> None:
        """Make a refusal.

        Args:
            code: Binance's error code.
            msg: Text of the answer; the code's usual text if None.
            http_status: HTTP status of the answer.
            retry_after_s: Seconds of the Retry-After header.
        """
        self.code = code
        self.msg = MESSAGES[code] if msg is None else msg
        self.http_status = http_status
        self.retry_after_s = retry_after_s
        super().__init__(f"{code}: {self.msg}")


def missing(name: str) -> VenueError:
    """Return the refusal for a mandatory parameter that is absent or malformed."""
    return VenueError(
        -1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed."
    )
