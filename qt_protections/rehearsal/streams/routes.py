"""The addresses of the streams: `/ws`, `/stream`, and both under each category's path."""

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, Coroutine

from fastapi import APIRouter, WebSocket
from fastapi.websockets import WebSocketDisconnect

from qt_protections.rehearsal.limits import Counter
from qt_protections.rehearsal.streams.hub import Listener, Streams
from qt_protections.rehearsal.streams.names import Category
from qt_protections.rehearsal.streams.requests import MAX_STREAMS, answer_message

MAX_MESSAGES_PER_S = 10

Endpoint = Callable[[WebSocket], Awaitable[None]]


def stream_routes(
    streams: Streams, is_down: Callable[[], bool], cut: Callable[[tuple[str, int]], None]
) -> APIRouter:
    """Return the websocket endpoints.

    Args:
        streams: Who hears what.
        is_down: Whether new connections get no answer now.
        cut: Cuts the connection of a client's address.
    """

    async def refuse(websocket: WebSocket) -> None:
        cut(websocket.scope["client"])

    def unless_down(endpoint: Endpoint) -> Endpoint:
        async def answer(websocket: WebSocket) -> None:
            await (refuse if is_down() else endpoint)(websocket)

        return answer

    router = APIRouter()
    for category in (None, *Category):
        root = "" if category is None else f"/{category}"
        raw, combined = (
            unless_down(_endpoint(streams, category, combined=flag)) for flag in (False, True)
        )
        router.add_api_websocket_route(f"{root}/ws", raw)
        router.add_api_websocket_route(f"{root}/ws/{{names:path}}", raw)
        router.add_api_websocket_route(f"{root}/stream", combined)
    return router


def _endpoint(streams: Streams, category: Category | None, *, combined: bool) -> Endpoint:
    async def endpoint(websocket: WebSocket) -> None:
        listener = Listener(
            category, combined=combined, max_pending_chars=streams.max_pending_chars
        )
        streams.join(listener)
        streams.subscribe(listener, _asked_names(websocket))
        try:
            await websocket.accept()
            await _until_first(
                _read(websocket, streams, listener),
                _write(websocket, listener),
                _ended(listener),
            )
        finally:
            streams.leave(listener)
        # Without a close frame uvicorn just drops the connection.
        if listener.says_goodbye:
            with contextlib.suppress(WebSocketDisconnect):
                await websocket.close()

    return endpoint


def _asked_names(websocket: WebSocket) -> list[str]:
    query = websocket.query_params
    asked = [
        *websocket.path_params.get("names", "").split("/"),
        *query.get("streams", "").split("/"),
        query.get("listenKey", ""),
    ]
    return [name for name in asked if name][:MAX_STREAMS]


async def _read(websocket: WebSocket, streams: Streams, listener: Listener) -> None:
    heard = Counter(MAX_MESSAGES_PER_S, 1000)
    while True:
        message = await websocket.receive()
        if message["type"] == "websocket.disconnect":
            return
        text = message.get("text")
        if text is None:
            text = message["bytes"].decode(errors="replace")
        if heard.add(1, streams.now_ms) > heard.limit:
            return
        listener.send(json.dumps(answer_message(streams, listener, text)))


async def _write(websocket: WebSocket, listener: Listener) -> None:
    with contextlib.suppress(WebSocketDisconnect):
        while True:
            await websocket.send_text(await listener.next())


async def _ended(listener: Listener) -> None:
    await listener.ended.wait()


async def _until_first(*jobs: Coroutine[None, None, None]) -> None:
    tasks = [asyncio.create_task(job) for job in jobs]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
    for result in results:
        if isinstance(result, Exception):
            raise result
