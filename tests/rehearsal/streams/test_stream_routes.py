"""The streams on a real socket: addresses, hanging up, slow readers."""

import asyncio
import contextlib
import json
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import requests
import uvicorn
import websockets

from qt_protections.rehearsal.app import build_app
from qt_protections.rehearsal.auth import API_KEY
from qt_protections.rehearsal.command import open_venue
from qt_protections.rehearsal.server import RehearsalServer
from qt_protections.rehearsal.streams.hub import Streams
from tests.patience import PATIENCE_S
from tests.rehearsal.stage import Stage

TRADES = "btcusdt@aggTrade"
CLOSE_FRAME = bytes([0x88, 0x80, 0, 0, 0, 0])  # masked with zeros, as a client must


class House:
    """A stage's venue behind a socket in the test's own event loop."""

    def __init__(self, stage: Stage, streams: Streams, port: int) -> None:
        """Say where it is."""
        self.stage = stage
        self.streams = streams
        self.port = port
        self.url = f"ws://127.0.0.1:{port}"

    async def connect(self, path: str) -> websockets.ClientConnection:
        """Open a connection."""
        return await websockets.connect(f"{self.url}{path}", ping_interval=None)


@contextlib.asynccontextmanager
async def opened() -> AsyncIterator[House]:
    """A running house."""
    stage = Stage()
    streams = Streams(stage.venue, max_pending_chars=300_000)
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        build_app(stage.venue, streams=streams), loop="asyncio", log_level="critical"
    )
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield House(stage, streams, listener.getsockname()[1])
    finally:
        streams.hang_up()
        server.should_exit = True
        await task


def in_house(test: Callable[[House], Awaitable[None]]) -> None:
    """Run a test in a house of its own."""

    async def run() -> None:
        async with opened() as house:
            await asyncio.wait_for(test(house), PATIENCE_S)

    asyncio.run(run())


async def hear(connection: websockets.ClientConnection) -> Any:
    """Return the next message."""
    return json.loads(await connection.recv())


async def joined(connection: websockets.ClientConnection) -> list[str]:
    """Return the connection's streams once the exchange knows it."""
    await connection.send('{"method": "LIST_SUBSCRIPTIONS", "id": 1}')
    return list((await hear(connection))["result"])


@pytest.mark.parametrize(
    ("path", "combined"),
    [
        (f"/ws/{TRADES}", False),
        (f"/market/ws/{TRADES}", False),
        (f"/ws/{TRADES}/btcusdt@nothing", False),
        (f"/stream?streams={TRADES}", True),
        (f"/market/stream?streams={TRADES}/btcusdt@nothing", True),
        ("/ws?listenKey=KEY", False),
        ("/ws/KEY", False),
        ("/private/ws/KEY", False),
        ("/private/ws?listenKey=KEY", False),
        ("/private/stream?streams=KEY", True),
    ],
)
def test_addresses(path: str, combined: bool) -> None:
    """Every form of address clients use; names travel along under `/stream`."""

    async def test(house: House) -> None:
        key = house.stage.venue.listen_keys.open()
        connection = await house.connect(path.replace("KEY", key))
        names = await joined(connection)
        house.stage.order()
        house.stage.tick(100_001)
        message = await hear(connection)
        assert ("stream" in message) is combined
        body = message["data"] if combined else message
        assert (message.get("stream", names[0]), body["e"]) == (
            (names[0], "ORDER_TRADE_UPDATE" if key in names else "aggTrade")
        )

    in_house(test)


def test_subscribing_on_the_socket() -> None:
    """A bare socket is told what to send, and says so of nonsense."""

    async def test(house: House) -> None:
        connection = await house.connect("/market/ws")
        await connection.send(json.dumps({"method": "SUBSCRIBE", "params": [TRADES], "id": 7}))
        assert await hear(connection) == {"result": None, "id": 7}
        await connection.send(b"\xff")
        assert (await hear(connection))["error"]["code"] == 3
        house.stage.tick(100_001)
        assert (await hear(connection))["e"] == "aggTrade"

    in_house(test)


def test_hanging_up_and_coming_back() -> None:
    """No close frame is sent; a new connection hears the stream go on."""

    async def test(house: House) -> None:
        key = house.stage.venue.listen_keys.open()
        first = await house.connect(f"/private/ws/{key}")
        await joined(first)
        house.streams.hang_up()
        with pytest.raises(websockets.ConnectionClosedError) as closed:
            await first.recv()
        assert closed.value.rcvd is None
        second = await house.connect(f"/private/ws/{key}")
        assert await joined(second) == [key]
        house.stage.order()
        assert [(await hear(second))["e"] for _ in range(4)] == [
            *("ORDER_TRADE_UPDATE", "TRADE_LITE", "ACCOUNT_UPDATE", "ORDER_TRADE_UPDATE")
        ]

    in_house(test)


def test_closing_the_key_says_goodbye() -> None:
    """The connection ends with a close frame."""

    async def test(house: House) -> None:
        connection = await house.connect(f"/ws/{house.stage.venue.listen_keys.open()}")
        await joined(connection)
        house.stage.venue.listen_keys.close()
        with pytest.raises(websockets.ConnectionClosedOK):
            await connection.recv()

    in_house(test)


def test_a_client_that_does_not_read() -> None:
    """It is dropped; the exchange and another listener go on undisturbed."""

    async def test(house: House) -> None:
        narrow = socket.socket()
        narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        narrow.connect(("127.0.0.1", house.port))
        lazy = await websockets.connect(
            f"{house.url}/ws/btcusdt@depth@100ms", sock=narrow, ping_interval=None, max_queue=1
        )
        awake = await house.connect(f"/ws/{TRADES}")
        await joined(awake)
        prices = iter(range(100_001, 101_000))
        heard = 0
        while len(house.streams.listeners) == 2:
            house.stage.tick(next(prices), after_ms=100)
            await hear(awake)
            heard += 1
        assert heard > 10
        house.stage.tick(next(prices))
        assert (await hear(awake))["e"] == "aggTrade"
        lazy.transport.abort()

    in_house(test)


def test_too_many_words() -> None:
    """More than ten messages in a second of the exchange end the connection."""

    async def test(house: House) -> None:
        connection = await house.connect("/ws")
        for _ in range(10):
            assert await joined(connection) == []
        await connection.send("{}")
        with pytest.raises(websockets.ConnectionClosedError):
            await connection.recv()

    in_house(test)


def test_listen_key_over_rest() -> None:
    """It takes the API key and no signature: one key, extended, closed, then -1125."""
    key_header = {"X-MBX-APIKEY": API_KEY}
    with RehearsalServer(open_venue("calm", 7)) as server:
        check = str(server.certificate)

        def call(method: str, headers: dict[str, str] = key_header) -> tuple[int, Any]:
            url = f"{server.url}/fapi/v1/listenKey"
            answer = requests.request(
                method, url, headers=headers, verify=check, timeout=PATIENCE_S
            )
            return answer.status_code, answer.json()

        made = call("POST")
        assert made[0] == 200
        assert call("POST") == call("PUT") == made
        assert call("POST", {}) == (401, {"code": -2014, "msg": "API-key format invalid."})
        assert call("POST", {"X-MBX-APIKEY": "another"})[1]["code"] == -2015
        assert call("DELETE") == (200, {})
        gone = {"code": -1125, "msg": "This listenKey does not exist."}
        assert call("PUT") == call("DELETE") == (400, gone)
        assert call("POST") != made


def test_the_server_ends_while_a_client_is_leaving() -> None:
    """A client that said goodbye and did not hang up keeps nothing from ending."""
    with RehearsalServer(open_venue("calm", 7)) as server:
        check = ssl.create_default_context(cafile=str(server.certificate))
        plain = socket.create_connection(("127.0.0.1", server.port))
        with check.wrap_socket(plain, server_hostname="127.0.0.1") as client:
            client.sendall(
                b"GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
                b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
            )
            assert b" 101 " in client.recv(4096)
            client.sendall(CLOSE_FRAME)
            assert client.recv(4096)[0] == CLOSE_FRAME[0]
            server.stop()
