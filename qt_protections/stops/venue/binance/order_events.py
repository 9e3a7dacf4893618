"""What the user data stream says of an order, read from Binance's own messages."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class OrderEvent:
    """The state of an order at the moment something happened to it.

    Attributes:
        pair: As Freqtrade and ccxt write it; the exchange's name if ccxt does not know it.
        order_id: The exchange's number; of a conditional order its `algoId`.
        client_id: The client id the order was sent with.
        conditional: Whether it waits, or waited, for a trigger.
        status: In the exchange's words: NEW, PARTIALLY_FILLED, FILLED, CANCELED, EXPIRED, REJECTED,
            TRIGGERING, TRIGGERED, FINISHED.
        filled: What was traded of it so far, base currency; of a conditional order, by the order
            it became.
        reason: Why a conditional order ended, in the exchange's words; empty if it does not say.
        child_id: The order a conditional one became; empty before its trigger.
        side: BUY or SELL.
    """

    pair: str
    order_id: str
    client_id: str
    conditional: bool
    status: str
    filled: float
    reason: str
    child_id: str
    side: str = ""


def parse_order_event(
    message: Mapping[str, Any], pair_of: Callable[[str], str]
) -> OrderEvent | None:
    """Return what a message says of an order; None if it tells of something else.

    Args:
        message: One message of the stream, decoded.
        pair_of: Gives the pair of an exchange's name such as BTCUSDT.

    Raises:
        KeyError: If a field is missing that every such message has.
        ValueError: If a number cannot be read.
    """
    match message.get("e"):
        case "ORDER_TRADE_UPDATE":
            return _order(message["o"], pair_of)
        case "ALGO_UPDATE":
            return _conditional(message["o"], pair_of)
    return None


def _order(order: Mapping[str, Any], pair_of: Callable[[str], str]) -> OrderEvent:
    return OrderEvent(
        pair=pair_of(order["s"]),
        order_id=str(order["i"]),
        client_id=order["c"],
        conditional=False,
        status=order["X"],
        filled=float(order["z"]),
        reason="",
        child_id="",
        side=order["S"],
    )


def _conditional(order: Mapping[str, Any], pair_of: Callable[[str], str]) -> OrderEvent:
    # `ai` and `aq` concern the order it became and are empty, zero or absent before.
    return OrderEvent(
        pair=pair_of(order["s"]),
        order_id=str(order["aid"]),
        client_id=order["caid"],
        conditional=True,
        status=order["X"],
        filled=float(order.get("aq") or 0),
        reason=order.get("rm") or "",
        child_id=str(order.get("ai") or ""),
        side=order["S"],
    )
