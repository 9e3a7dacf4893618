"""Requests over the websocket API (`/ws-fapi/v1`): each becomes the REST request it stands for."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import orjson
from fastapi import APIRouter, WebSocket
from fastapi.websockets import WebSocketDisconnect, WebSocketState

from qt_protections.rehearsal.api.gate import Answer
from qt_protections.rehearsal.api.wire_contracts import weight_limit_json
from qt_protections.rehearsal.errors import VenueError, missing
from qt_protections.rehearsal.faults.answers import NoAnswerError
from qt_protections.rehearsal.faults.strikes import Call
from qt_protections.rehearsal.journal import JsonObject
from qt_protections.rehearsal.limits import USED_WEIGHT

#: Methods by name, as method and path of REST.
METHODS = {"algoOrder.place": ("POST", "/fapi/v1/algoOrder")}

Ask = Callable[[Call], Awaitable[Answer]]


def websocket_api(
    ask: Ask, is_down: Callable[[], bool], cut: Callable[[tuple[str, int]], None]
) -> APIRouter:
    """Return the endpoint; answers leave as they are ready, whatever was asked first.

    Args:
        ask: Answers a request as REST would; raises NoAnswerError if the client gets none.
        is_down: Whether new connections get no answer now.
        cut: Cuts the connection of a client's address.
    """
    router = APIRouter()

    async def reply(websocket: WebSocket, text: str | bytes) -> None:
        client = websocket.scope["client"]
        request = _object(text)
        try:
            answer = await ask(call_of(request, client[0]))
        except VenueError as refusal:
            refused = {"code": refusal.code, "msg": refusal.msg}
            answer = Answer(refusal.http_status, refused)
        except NoAnswerError:
            cut(client)
            return
        if answer.is_page:  # no frame carries what a gateway says
            cut(client)
        elif websocket.client_state is WebSocketState.CONNECTED:
            with contextlib.suppress(WebSocketDisconnect):
                await websocket.send_text(orjson.dumps(told(request, answer)).decode())

    @router.websocket("/ws-fapi/v1")
    async def serve(websocket: WebSocket) -> None:
        if is_down():
            cut(websocket.scope["client"])
            return
        await websocket.accept()
        async with asyncio.TaskGroup() as replies:
            while (message := await websocket.receive())["type"] != "websocket.disconnect":
                text = message.get("text")
                replies.create_task(reply(websocket, message["bytes"] if text is None else text))

    return router


def call_of(request: JsonObject, address: str) -> Call:
    """Return the REST request that one of the websocket API stands for.

    Its signature is that of all other parameters, sorted by name.

    Raises:
        VenueError: -1102 without a method or parameters, -5000 for a method there is not. Both
            codes are a guess: Binance documents none.
    """
    name, params = request.get("method"), request.get("params")
    if not isinstance(name, str):
        raise missing("method")
    if name not in METHODS:
        raise VenueError(-5000, f"Method {name} is invalid", 404)
    if not isinstance(params, dict):
        raise missing("params")
    method, path = METHODS[name]
    values = {key: _text(value) for key, value in params.items()}
    names = sorted(values.keys() - {"signature"}) + [key for key in values if key == "signature"]
    payload = "&".join(f"{key}={values[key]}" for key in names)
    return Call(method, path, values, address, payload, values.get("apiKey"))


def told(request: JsonObject, answer: Answer) -> JsonObject:
    """Return an answer of REST as the websocket API words it."""
    message = {"id": request.get("id"), "status": answer.status}
    message["result" if answer.status == 200 else "error"] = answer.content
    if USED_WEIGHT in answer.headers:
        count = {"count": int(answer.headers[USED_WEIGHT])}
        message["rateLimits"] = [weight_limit_json() | count]
    return message


def _object(text: str | bytes) -> JsonObject:
    """Return the JSON object a message holds, an empty one if it holds none."""
    try:
        found = orjson.loads(text)
    except ValueError:
        found = None
    return found if isinstance(found, dict) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()
