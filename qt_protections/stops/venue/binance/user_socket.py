"""One connection to the user data stream of Binance's futures, from its key to its end."""

import asyncio
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import ccxt.pro
from ccxt.async_support.base.ws.client import Client

#: What the listener's client takes over from the bot's. The secret is not among it: listen keys
#: are asked for with the API key alone.
_SHARED = (
    *("apiKey", "urls", "hostname", "options", "timeout", "headers", "userAgent"),
    *("verify", "cafile", "aiohttp_proxy", "aiohttp_trust_env"),
    *("proxyUrl", "proxy_url", "httpProxy", "http_proxy", "httpsProxy", "https_proxy"),
    *("socksProxy", "socks_proxy", "wsProxy", "ws_proxy", "wssProxy", "wss_proxy"),
    *("wsSocksProxy", "ws_socks_proxy"),
)


@dataclass(frozen=True, slots=True)
class UserSocket:
    """How a connection is watched over.

    Attributes:
        ping_s: Between two pings, seconds. A line that is dead without a word is given up two or
            three of them after its last answer; nothing else tells it from an idle account's.
        extend_s: Between two extensions of the listen key, seconds; it is valid for an hour.
        extend_again_s: The same, after an extension that got no answer.
    """

    ping_s: float = 4.0
    extend_s: float = 1200.0
    extend_again_s: float = 60.0


class StreamLostError(Exception):
    """The connection could not be opened, or has ended.

    Attributes:
        is_ban: Whether the exchange asks for fewer requests.
    """

    def __init__(self, text: str, *, is_ban: bool = False) -> None:
        super().__init__(text)
        self.is_ban = is_ban


def client_settings(api: Any, line: UserSocket) -> dict[str, Any]:
    """Return what a client of its own needs to reach the exchange as the bot does.

    Args:
        api: The bot's ccxt.pro client.
        line: How the connection is watched over.
    """
    shared = {name: getattr(api, name, None) for name in _SHARED}
    given = {name: deepcopy(value) for name, value in shared.items() if value is not None}
    # ccxt's own pace for Binance is a ping every 3 minutes.
    streaming = {"keepAlive": line.ping_s * 1000, "maxPingPongMisses": 2}
    return given | {"streaming": streaming}


#: Ends a connection with an error.
GiveUp = Callable[[Exception], None]


async def listen(
    settings: dict[str, Any],
    line: UserSocket,
    on_open: Callable[[GiveUp], None],
    on_message: Callable[[dict[str, Any]], None],
) -> None:
    """Connect and hear messages until the connection is lost.

    Args:
        settings: See `client_settings`.
        line: How the connection is watched over.
        on_open: Called when it is open, before the first message, with what ends it.
        on_message: Called with each message, in order. If it raises, the connection is given up:
            a message that cannot be read may be the one that says a stop is gone.

    Raises:
        StreamLostError: Always, in the end.
    """
    wire = _Wire(deepcopy(settings), on_open, on_message)
    try:
        await wire.listen(line)
    except Exception as error:
        raise StreamLostError(
            wire.wording(error), is_ban=isinstance(error, ccxt.DDoSProtection)
        ) from error
    finally:
        await wire.hang_up()
    raise StreamLostError("it ended without an error")


class _Wire(ccxt.pro.binance):  # type: ignore[misc]  # ccxt is untyped
    """ccxt.pro's client, its messages taken as they arrive.

    `watch_orders` would lose what the guard lives on. It hands out a cache in which an update
    replaces an earlier one of the same order that was not fetched yet, and in which orders and
    conditional orders, which Binance numbers apart, share their keys. It opens a lost connection
    again without a word, so nobody looks for what was missed. It does not know `listenKeyExpired`,
    and it extends a listen key only once (`keep_alive_listen_key` looks for subscriptions where a
    client has none), so that after 80 minutes the stream is silent. Here one object is one
    connection; ccxt does the requests, the socket and its pings.
    """

    def __init__(
        self,
        settings: dict[str, Any],
        on_open: Callable[[GiveUp], None],
        on_message: Callable[[dict[str, Any]], None],
    ) -> None:
        super().__init__(settings)
        self._on_open = on_open
        self._on_message = on_message
        self._key = ""
        self._lost: asyncio.Future[None] | None = None

    async def listen(self, line: UserSocket) -> None:
        """Connect, and return when the connection is lost, with an error."""
        self._key = (await self.fapiPrivatePostListenKey())["listenKey"]
        address = self.get_private_ws_url("linear", self._key)
        # Nothing resolves this future; whatever ends the connection fails it.
        self._lost = self.watch(address, "orders", None, "linear")
        extending = asyncio.create_task(self._extend(line))
        try:
            await self._lost
        finally:
            extending.cancel()

    async def _extend(self, line: UserSocket) -> None:
        pause_s = line.extend_s
        while True:
            await asyncio.sleep(pause_s)
            try:
                await self.fapiPrivatePutListenKey()
                pause_s = line.extend_s
            except ccxt.OperationFailed:  # not answered, or turned away: the key may still live
                pause_s = line.extend_again_s
            except Exception as error:
                self._fail(error)  # -1125: there is no such key any more
                return

    def on_connected(self, client: Client, message: object = None) -> None:
        """Called by ccxt when the socket is open, before anything is read from it."""
        super().on_connected(client, message)
        # Else a line that was dead from the beginning would be given one more ping.
        client.lastPong = self.milliseconds()
        self._on_open(self._fail)

    def handle_message(self, client: Client, message: object) -> None:
        """Called by ccxt with each message; an error out of here would end its reading silently."""
        if not isinstance(message, dict):
            return
        if message.get("e") == "listenKeyExpired":
            self._fail(ccxt.AuthenticationError("the listen key has expired"))
            return
        try:
            self._on_message(message)
        except Exception as error:
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        if self._lost is not None and not self._lost.done():
            self._lost.set_exception(error)

    def wording(self, error: Exception) -> str:
        """Return an error's name and text; the key in an address would let others listen."""
        text = f"{type(error).__name__}: {error}"
        return text.replace(self._key, "<listen key>") if self._key else text

    async def hang_up(self) -> None:
        """Close everything."""
        # The session first: a socket whose transport is gone does not wait for the farewell that a
        # dead line never sends (10 s in aiohttp).
        if self.session is not None:
            await self.session.close()
        await self.close()
