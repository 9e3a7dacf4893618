"""What a client may say on a socket: which streams it wants to hear.

Wording of the refusals as Binance documents it ("Live Subscribing/Unsubscribing to streams").
"""

import json
from dataclasses import dataclass
from enum import StrEnum

from qt_protections.rehearsal.journal import JsonObject
from qt_protections.rehearsal.streams.hub import Listener, Streams

# Of one connection, as Binance documents for USD-M futures.
MAX_STREAMS = 1024


class Method(StrEnum):
    """What may be asked."""

    SUBSCRIBE = "SUBSCRIBE"
    UNSUBSCRIBE = "UNSUBSCRIBE"
    LIST_SUBSCRIPTIONS = "LIST_SUBSCRIPTIONS"
    SET_PROPERTY = "SET_PROPERTY"
    GET_PROPERTY = "GET_PROPERTY"


class StreamRequestError(Exception):
    """A message the exchange cannot follow.

    Attributes:
        code: Binance's number: 0 unknown property, 1 wrong value, 2 wrong request, 3 no JSON.
        msg: Binance's wording, or a close rendering of it.
    """

    def __init__(self, code: int, msg: str) -> None:
        """Make a refusal."""
        self.code = code
        self.msg = msg
        super().__init__(f"{code}: {msg}")


@dataclass(frozen=True, slots=True)
class StreamRequest:
    """A message of a client: what it asks, about what, and its name for the answer."""

    method: Method
    params: tuple[object, ...]
    number: int | str | None


def answer_message(streams: Streams, listener: Listener, text: str) -> JsonObject:
    """Do what a client's message asks and return the answer."""
    try:
        request = parse_message(text)
        result = _obey(streams, listener, request)
    except StreamRequestError as refusal:
        return {"error": {"code": refusal.code, "msg": refusal.msg}}
    return {"result": result, "id": request.number}


def parse_message(text: str) -> StreamRequest:
    """Return what a message asks.

    Raises:
        StreamRequestError: If it is not a request.
    """
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        raise StreamRequestError(3, "Invalid JSON: expected value at line 1 column 1") from None
    if not isinstance(body, dict):
        raise StreamRequestError(2, "Invalid request: expected an object")
    if "method" not in body:
        raise StreamRequestError(2, "Invalid request: missing field `method`")
    if body["method"] not in list(Method):
        variants = ", ".join(f"`{method}`" for method in Method)
        raise StreamRequestError(
            2, f"Invalid request: unknown variant `{body['method']}`, expected one of {variants}"
        )
    params = body.get("params", [])
    if not isinstance(params, list):
        raise StreamRequestError(2, "Invalid request: expected an array of parameters")
    return StreamRequest(Method(body["method"]), tuple(params), _number(body))


def _number(body: dict[str, object]) -> int | str | None:
    # Binance's own connector numbers its requests with texts, so those are taken as well.
    number = body.get("id")
    if isinstance(number, str) or number is None:
        return number
    if not isinstance(number, int) or isinstance(number, bool) or number < 0:
        raise StreamRequestError(2, "Invalid request: request ID must be an unsigned integer")
    return number


def _obey(streams: Streams, listener: Listener, request: StreamRequest) -> object:
    match request.method:
        case Method.SUBSCRIBE:
            names = _names(request)
            if len(listener.names.keys() | names) > MAX_STREAMS:
                raise StreamRequestError(2, f"Invalid request: more than {MAX_STREAMS} streams")
            streams.subscribe(listener, names)
        case Method.UNSUBSCRIBE:
            streams.unsubscribe(listener, _names(request))
        case Method.LIST_SUBSCRIPTIONS:
            return list(listener.names)
        case Method.GET_PROPERTY:
            _check_property(request, 1)
            return listener.combined
        case Method.SET_PROPERTY:
            _check_property(request, 2)
            if not isinstance(request.params[1], bool):
                raise StreamRequestError(1, "Invalid value type: expected Boolean")
            listener.combined = request.params[1]
    return None


def _names(request: StreamRequest) -> list[str]:
    names = [name for name in request.params if isinstance(name, str)]
    if not names or len(names) < len(request.params):
        raise StreamRequestError(2, "Invalid request: stream names must be strings")
    return names


def _check_property(request: StreamRequest, count: int) -> None:
    if not request.params or not isinstance(request.params[0], str):
        raise StreamRequestError(2, "Invalid request: property name must be a string")
    if len(request.params) > count:
        raise StreamRequestError(2, "Invalid request: too many parameters")
    if request.params[0] != "combined":
        raise StreamRequestError(0, "Unknown property")
    if len(request.params) < count:
        raise StreamRequestError(1, "Invalid value type: expected Boolean")
