"""Three real clients on websockets: ccxt.pro, python-binance and Binance's official connector.

Each is given addresses and trust in the run's certificate, nothing else.
"""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from typing import Any, Protocol

import ccxt.pro
from binance.async_client import AsyncClient
from binance.ws.streams import BinanceSocketManager
from binance_common.configuration import ConfigurationRestAPI, ConfigurationWebSocketStreams
from binance_sdk_derivatives_trading_usds_futures.derivatives_trading_usds_futures import (
    DerivativesTradingUsdsFutures,
)

from qt_protections.rehearsal.auth import API_KEY, API_SECRET
from qt_protections.rehearsal.overlay import ccxt_config
from qt_protections.rehearsal.server import RehearsalServer

PAIR = "BTC/USDT:USDT"
_EVENTS = {
    "OrderTradeUpdate": "ORDER_TRADE_UPDATE",
    "AlgoUpdate": "ALGO_UPDATE",
    "AccountUpdate": "ACCOUNT_UPDATE",
    "AccountConfigUpdate": "ACCOUNT_CONFIG_UPDATE",
    "TradeLite": "TRADE_LITE",
}


class Hearer(Protocol):
    """What the tests need of a client; messages are Binance's own, with their `e`."""

    async def listen(self) -> None:
        """Open the user data stream and return when it is heard."""

    async def user_message(self) -> Any:
        """Return the next message of the user data stream."""

    async def market_message(self) -> Any:
        """Return a message of the client's stream of trades or candles."""


def trust(server: RehearsalServer) -> ssl.SSLContext:
    """Return a TLS context that trusts the run's certificate."""
    return ssl.create_default_context(cafile=str(server.certificate))


class Ccxt:
    """ccxt.pro as the overlay sets it up; it tells of orders and candles."""

    def __init__(self, server: RehearsalServer) -> None:
        """Make the client."""
        config: Any = ccxt_config(server.port)
        config["options"] |= {"defaultType": "swap"}
        self.client: Any = ccxt.pro.binance({"apiKey": API_KEY, "secret": API_SECRET, **config})
        self._heard: asyncio.Queue[Any] = asyncio.Queue()
        self._tasks: list[asyncio.Task[None]] = []

    async def listen(self) -> None:
        """Watch orders; every message passes `handle_message`, which is left to do its work."""
        await self.client.load_markets()
        await self.client.authenticate({"type": "linear"})
        key = self.client.options["linear"]["listenKey"]
        socket = self.client.client(self.client.get_private_ws_url("linear", key))
        self._tasks.append(asyncio.create_task(self._watch()))
        await socket.connected

    async def _watch(self) -> None:
        while True:
            for order in await self.client.watch_orders(PAIR):
                info = order["info"]
                name = "ALGO_UPDATE" if "aid" in info else "ORDER_TRADE_UPDATE"
                self._heard.put_nowait({"e": name, "E": info["T"], "T": info["T"], "o": info})

    async def user_message(self) -> Any:
        """Return the next update of an order."""
        return await self._heard.get()

    async def market_message(self) -> Any:
        """Return a candle."""
        return (await self.client.watch_ohlcv(PAIR, "1m"))[-1]

    async def close(self) -> None:
        """Hang up."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.client.close()


class Binance:
    """The socket manager of python-binance."""

    def __init__(self, server: RehearsalServer) -> None:
        """Make the client."""
        self._server = server
        self._sockets = contextlib.AsyncExitStack()
        self._user: Any = None
        self.manager: Any = None

    async def _manage(self) -> Any:
        if self.manager is None:
            agreed = {"ssl": trust(self._server)}
            client = AsyncClient(API_KEY, API_SECRET, requests_params=agreed)
            client.FUTURES_URL = f"{self._server.url}/fapi"
            self._sockets.push_async_callback(client.close_connection)
            self.manager = BinanceSocketManager(client)
            self.manager.FSTREAM_URL = f"wss://127.0.0.1:{self._server.port}/"
            self.manager.ws_kwargs = agreed
        return self.manager

    async def _enter(self, socket: Any) -> Any:
        # How long it waits for one more message before it notices that it was closed.
        socket.TIMEOUT = 0.1
        return await self._sockets.enter_async_context(socket)

    async def listen(self) -> None:
        """Open the user data socket."""
        manager = await self._manage()
        self._user = await self._enter(manager.futures_user_socket())

    async def user_message(self) -> Any:
        """Return the next message."""
        return await self._user.recv()

    async def market_message(self) -> Any:
        """Return a trade, from a combined stream."""
        manager = await self._manage()
        socket = await self._enter(manager.futures_multiplex_socket(["btcusdt@aggTrade"]))
        return (await socket.recv())["data"]

    async def close(self) -> None:
        """Hang up."""
        await self._sockets.aclose()


class Official:
    """Binance's own connector, whose models check types."""

    def __init__(self, server: RehearsalServer) -> None:
        """Make the client."""
        agent = trust(server)
        address = f"wss://127.0.0.1:{server.port}"
        self._client: Any = DerivativesTradingUsdsFutures(
            config_rest_api=ConfigurationRestAPI(
                api_key=API_KEY, api_secret=API_SECRET, base_path=server.url, https_agent=agent
            ),
            config_ws_streams=ConfigurationWebSocketStreams(stream_url=address, https_agent=agent),
        )
        self._streams: Any = None
        self._heard: asyncio.Queue[Any] = asyncio.Queue()

    async def _connect(self) -> Any:
        if self._streams is None:
            self._streams = self._client.websocket_streams
            await self._streams.create_connection()
        return self._streams

    async def _settle(self) -> None:
        # The connector does not wait for the answer to its SUBSCRIBE; a later answer does as well.
        for connection in self._streams.connections:
            request = {"method": "LIST_SUBSCRIPTIONS", "id": f"settle-{connection.id}"}
            await (await self._streams.send_message(request, connection))

    async def listen(self) -> None:
        """Subscribe to the listen key on the private path."""
        streams = await self._connect()
        answer = self._client.rest_api.start_user_data_stream()
        stream = await streams.user_data(answer.data().listen_key)
        stream.on("message", self._take)
        await self._settle()

    def _take(self, data: Any) -> None:
        model = data.actual_instance
        self._heard.put_nowait({"e": _EVENTS[type(model).__name__]} | model.to_dict())

    async def user_message(self) -> Any:
        """Return the next message the models took."""
        return await self._heard.get()

    async def market_message(self) -> Any:
        """Return a trade."""
        streams = await self._connect()
        heard: asyncio.Queue[Any] = asyncio.Queue()
        stream = await streams.aggregate_trade_streams(symbol="btcusdt")
        stream.on("message", lambda data: heard.put_nowait(data.to_dict()))
        return await heard.get()

    async def close(self) -> None:
        """Hang up."""
        if self._streams is not None:
            await self._streams.close_connection(close_session=True)


@contextlib.asynccontextmanager
async def hearing(kind: str, server: RehearsalServer) -> AsyncIterator[Any]:
    """A client of one of the kinds of `tests.rehearsal.clients.KINDS`."""
    made = {"ccxt": Ccxt, "python-binance": Binance, "official": Official}[kind](server)
    try:
        yield made
    finally:
        await made.close()
