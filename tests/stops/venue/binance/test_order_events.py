"""Reading the user data stream: Binance's own messages, field by field."""

from typing import Any

import pytest

from qt_protections.stops.venue.binance.order_events import OrderEvent, parse_order_event

PAIR = "BTC/USDT:USDT"
ORDER = {
    "e": "ORDER_TRADE_UPDATE",
    "E": 1568879465651,
    "T": 1568879465650,
    "o": {
        "s": "BTCUSDT",
        "c": "qt-7-e",
        "S": "BUY",
        "o": "LIMIT",
        "f": "GTC",
        "q": "0.010",
        "p": "99000",
        "ap": "0",
        "sp": "0",
        "x": "NEW",
        "X": "NEW",
        "i": 8886774,
        "l": "0",
        "z": "0",
        "L": "0",
        "T": 1568879465650,
        "t": 0,
        "b": "0",
        "a": "9.91",
        "m": False,
        "R": False,
        "wt": "CONTRACT_PRICE",
        "ot": "LIMIT",
        "ps": "BOTH",
        "cp": False,
        "rp": "0",
        "pP": False,
        "si": 0,
        "ss": 0,
        "V": "EXPIRE_TAKER",
        "pm": "NONE",
        "gtd": 0,
        "er": "0",
    },
}
ALGO = {
    "e": "ALGO_UPDATE",
    "T": 1750515742297,
    "E": 1750515742303,
    "o": {
        "caid": "qt-7-s1",
        "aid": 2148719,
        "at": "CONDITIONAL",
        "o": "STOP_MARKET",
        "s": "BTCUSDT",
        "S": "SELL",
        "ps": "BOTH",
        "f": "GTC",
        "q": "0.01",
        "X": "NEW",
        "ai": "",
        "ap": "0.00000",
        "aq": "0.00000",
        "act": "0",
        "tp": "99500",
        "p": "0",
        "V": "EXPIRE_MAKER",
        "wt": "CONTRACT_PRICE",
        "pm": "NONE",
        "cp": False,
        "pP": False,
        "R": True,
        "tt": 0,
        "gtd": 0,
        "rm": "",
    },
}


def parsed(message: dict[str, Any], **changes: Any) -> OrderEvent | None:
    """Return what is read from a message whose order differs; None takes a field away."""
    order = {k: v for k, v in (message["o"] | changes).items() if v is not None}
    return parse_order_event(message | {"o": order}, {"BTCUSDT": PAIR}.__getitem__)


@pytest.mark.parametrize(
    ("changes", "status", "filled"),
    [
        ({}, "NEW", 0.0),
        (
            {"x": "TRADE", "X": "PARTIALLY_FILLED", "l": "0.004", "z": "0.004", "ap": "98999.5"},
            *("PARTIALLY_FILLED", 0.004),
        ),
        (
            {"x": "TRADE", "X": "FILLED", "l": "0.006", "z": "0.010", "ap": "98999.8"},
            *("FILLED", 0.01),
        ),
        (
            {"x": "CANCELED", "X": "CANCELED", "z": "0.004", "ap": "98999.5"},
            *("CANCELED", 0.004),
        ),
        ({"x": "EXPIRED", "X": "EXPIRED", "er": "9"}, "EXPIRED", 0.0),
        ({"x": "CALCULATED", "X": "FILLED", "z": "0.010", "ap": "1"}, "FILLED", 0.01),
    ],
    ids=["new", "partly", "filled", "cancelled-partly-filled", "expired", "liquidation"],
)
def test_orders_of_the_book(changes: dict[str, Any], status: str, filled: float) -> None:
    """What has been traded so far counts, not the latest fill."""
    assert parsed(ORDER, **changes) == OrderEvent(
        PAIR, "8886774", "qt-7-e", False, status, filled, "", "", "BUY"
    )


@pytest.mark.parametrize(
    ("changes", "status", "reason", "child", "filled"),
    [
        ({}, "NEW", "", "", 0.0),
        ({"X": "CANCELED"}, "CANCELED", "", "", 0.0),
        ({"X": "EXPIRED", "rm": "GTE position closed"}, "EXPIRED", "GTE position closed", "", 0),
        ({"X": "REJECTED", "rm": "Reduce Only reject"}, "REJECTED", "Reduce Only reject", "", 0),
        ({"X": "TRIGGERING", "tt": 1750515742297}, "TRIGGERING", "", "", 0.0),
        ({"X": "TRIGGERED", "ai": "8886775", "act": "MARKET"}, "TRIGGERED", "", "8886775", 0),
        (
            {"X": "FINISHED", "ai": 8886775, "aq": "0.01", "ap": "99498.1"},
            *("FINISHED", "", "8886775", 0.01),
        ),
        ({"ap": None, "aq": None, "ai": None, "rm": None}, "NEW", "", "", 0.0),
    ],
    ids=lambda value: value.get("X") if isinstance(value, dict) else None,
)
def test_conditional_orders(
    changes: dict[str, Any], status: str, reason: str, child: str, filled: float
) -> None:
    """Why it ended and which order it became; fields that come only after the trigger may lack."""
    assert parsed(ALGO, **changes) == OrderEvent(
        PAIR, "2148719", "qt-7-s1", True, status, filled, reason, child, "SELL"
    )


@pytest.mark.parametrize(
    "name", ["TRADE_LITE", "ACCOUNT_UPDATE", "ACCOUNT_CONFIG_UPDATE", "listenKeyExpired", None]
)
def test_other_messages(name: str | None) -> None:
    """What tells of no order, or tells it again, is passed over."""
    assert parse_order_event({"e": name, "E": 1, "T": 1, "s": "BTCUSDT"}, str) is None


@pytest.mark.parametrize(
    ("message", "field"), [(ORDER, "X"), (ORDER, "i"), (ORDER, "z"), (ALGO, "X"), (ALGO, "aid")]
)
def test_a_message_that_cannot_be_read(message: dict[str, Any], field: str) -> None:
    """It is an error, and never an event with a guess in it."""
    with pytest.raises(KeyError):
        parsed(message, **{field: None})


def test_a_number_that_cannot_be_read() -> None:
    """It is an error as well."""
    with pytest.raises(ValueError, match="many"):
        parsed(ORDER, z="many")
