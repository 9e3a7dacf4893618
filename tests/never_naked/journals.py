"""Events of a journal, one function for each kind the figures read."""

from typing import Any

BTC, ETH = "BTCUSDT", "ETHUSDT"

Event = dict[str, Any]


def entry(ms: int, order_id: int, quantity: str = "1", **changes: object) -> Event:
    """Return the acceptance of a buying order."""
    return _order("order_accepted", ms, order_id, quantity, "BUY") | changes


def filled(ms: int, order_id: int, quantity: str = "1", **changes: object) -> Event:
    """Return a fill of a buying order."""
    return _order("order_filled", ms, order_id, quantity, "BUY") | changes


def sold(ms: int, order_id: int, quantity: str = "1", **changes: object) -> Event:
    """Return a fill of a selling order."""
    return _order("order_filled", ms, order_id, quantity, "SELL") | changes


def canceled(ms: int, order_id: int, **changes: object) -> Event:
    """Return the cancellation of an order."""
    return _order("order_canceled", ms, order_id, "1", "BUY") | changes


def stop(kind: str, ms: int, algo_id: int, **changes: object) -> Event:
    """Return an event of a long position's stop: accepted, triggered, canceled and so on."""
    return {
        "kind": f"stop_{kind}",
        "ms": ms,
        "symbol": BTC,
        "side": "SELL",
        "type": "STOP_MARKET",
        "algo_id": algo_id,
        "client_id": f"stop-{algo_id}",
        "quantity": "1",
        "reduce_only": True,
    } | changes


def fault(ms: int, cause: str, reason: str, symbol: str = BTC, **changes: object) -> Event:
    """Return a fault that struck."""
    facts = {"kind": "fault", "ms": ms, "symbol": symbol, "cause": cause, "reason": reason}
    return facts | changes


def _order(kind: str, ms: int, order_id: int, quantity: str, side: str) -> Event:
    return {
        "kind": kind,
        "ms": ms,
        "symbol": BTC,
        "side": side,
        "type": "MARKET",
        "order_id": order_id,
        "quantity": quantity,
        "reduce_only": False,
    }
