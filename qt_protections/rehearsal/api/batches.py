"""Several orders in one request: each is answered on its own, in order."""

import json
from collections.abc import Callable, Iterable

from qt_protections.rehearsal.api.params import Params
from qt_protections.rehearsal.errors import VenueError, missing
from qt_protections.rehearsal.venue import Venue

Handler = Callable[[Venue, Params], object]
MAX_ORDERS, MAX_CANCELS = 5, 10
# ccxt and python-binance write these names in small letters, unlike the documents.
CANCEL_LISTS = {
    "orderIdList": "orderId",
    "orderidlist": "orderId",
    "origClientOrderIdList": "origClientOrderId",
    "origclientorderidlist": "origClientOrderId",
}


def batch(handler: Handler) -> Handler:
    """Return a handler that gives each object of `batchOrders` to `handler`; at most 5."""

    def answer(venue: Venue, params: Params) -> object:
        items = _json_list(params, "batchOrders")
        if not 1 <= len(items) <= MAX_ORDERS:
            raise VenueError(-4082, f"Invalid number of batch place orders: {len(items)}")
        return _answers(venue, handler, map(_as_params, items))

    return answer


def batch_cancel(handler: Handler) -> Handler:
    """Return a handler that gives each order of a list of numbers or names to `handler`."""

    def answer(venue: Venue, params: Params) -> object:
        listed = next((name for name in CANCEL_LISTS if params.has(name)), "orderIdList")
        key, items = CANCEL_LISTS[listed], _json_list(params, listed)
        symbol = params.text("symbol")
        if len(items) > MAX_CANCELS:
            raise VenueError(-4032)
        orders = (_as_params({"symbol": symbol, key: item}) for item in items)
        return _answers(venue, handler, orders)

    return answer


def _answers(venue: Venue, handler: Handler, orders: Iterable[Params]) -> list[object]:
    return [_answer(venue, handler, order) for order in orders]


def _answer(venue: Venue, handler: Handler, order: Params) -> object:
    try:
        return handler(venue, order)
    except VenueError as refusal:
        return {"code": refusal.code, "msg": refusal.msg}


def _json_list(params: Params, name: str) -> list[object]:
    try:
        items = json.loads(params.text(name))
    except (ValueError, RecursionError):
        raise missing(name) from None
    if not isinstance(items, list):
        raise missing(name)
    return items


def _as_params(item: object) -> Params:
    """Return an object's texts, numbers and booleans as the parameters of a single order."""
    fields = item.items() if isinstance(item, dict) else ()
    return Params(
        {
            str(name): str(value).lower() if isinstance(value, bool) else str(value)
            for name, value in fields
            if isinstance(value, str | int | float)
        }
    )
