"""The rehearsal exchange on a hand-moved clock, and a listener to its user data stream."""

import hashlib
import hmac
import queue
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from urllib.parse import urlencode

import ccxt
import httpx
import pytest
from aiohttp import WSMsgType
from ccxt.async_support.base.ws.client import Client
from freqtrade.enums import RunMode
from freqtrade.exchange import Exchange
from freqtrade.resolvers import ExchangeResolver

from qt_protections.rehearsal.auth import API_KEY, API_SECRET
from qt_protections.rehearsal.market.feed import Tick
from qt_protections.rehearsal.overlay import config_overlay
from qt_protections.rehearsal.server import RehearsalServer
from qt_protections.stops.venue.binance.order_events import OrderEvent
from qt_protections.stops.venue.binance.user_socket import UserSocket, _Wire
from qt_protections.stops.venue.binance.user_stream import Pace, UserStream
from tests.patience import PATIENCE_S, until
from tests.rehearsal.stage import BTC, Stage
from tests.rehearsal.struck import script

PACE = Pace(first_s=0.05, longest_s=0.2)
STOP = {
    "symbol": BTC,
    "side": "SELL",
    "algoType": "CONDITIONAL",
    "type": "STOP_MARKET",
    "quantity": "0.01",
    "triggerPrice": "99500",
    "reduceOnly": "true",
}
BUY = {"symbol": BTC, "side": "BUY", "type": "MARKET", "quantity": "0.01"}
LIMIT = BUY | {"type": "LIMIT", "timeInForce": "GTC", "price": "99000"}
#: Milliseconds for which a signed request is good, the most Binance allows; and by how much it is
#: signed early.
_GOOD_MS, _EARLY_MS = 60_000, 55_000


class House:
    """The exchange, one client who trades on it, and what the listener said.

    Attributes:
        heard: Events, and states as True or False, in the order of the calls.
    """

    def __init__(self, faults: str = "", depth_ratio: float = 1.0) -> None:
        """Open the exchange under the fault script `faults`."""
        self.stage = Stage(balance=1_000_000, depth_ratio=depth_ratio)
        self._script = script(faults) if faults else None
        self.server = RehearsalServer(self.stage.venue, script=self._script)
        self.server.start()
        self.heard: queue.Queue[OrderEvent | bool] = queue.Queue()
        self._closing = ExitStack()

    def exchange(self, port: int | None = None) -> Exchange:
        """Return Freqtrade's exchange object, which reaches the exchange by `port`."""
        config: Any = config_overlay(self.server.port if port is None else port)
        config["runmode"] = RunMode.LIVE
        # Freqtrade signs its first requests with the time of day; the stage has its own, which
        # stands still. Signed early they are in time on a busy machine as well.
        skew_ms = int(time.time() * 1000) - self.stage.now_ms + _EARLY_MS
        options = {"timeDifference": skew_ms, "recvWindow": _GOOD_MS}
        config["exchange"]["ccxt_config"]["options"] |= options
        made = ExchangeResolver.load_exchange(config, validate=False, load_leverage_tiers=False)
        made.reload_markets(True, load_leverage_tiers=False)
        self._closing.callback(made.close)
        return made

    def listener(
        self,
        pace: Pace = PACE,
        port: int | None = None,
        on_event: Callable[[OrderEvent], None] | None = None,
        on_state: Callable[[bool], None] | None = None,
    ) -> UserStream:
        """Return a listener that has not started; it is stopped in the end."""
        made = UserStream(
            self.exchange(port),
            self.heard.put if on_event is None else on_event,
            self.heard.put if on_state is None else on_state,
            pace,
        )
        self._closing.callback(made.stop)
        return made

    def listening(self, pace: Pace = PACE, port: int | None = None) -> UserStream:
        """Return a listener that is connected."""
        made = self.listener(pace, port)
        made.start()
        assert self.next() is True
        assert made.up
        return made

    def next(self) -> OrderEvent | bool:
        """Return what was said next."""
        return self.heard.get(timeout=PATIENCE_S)

    def event(self) -> OrderEvent:
        """Return what was said next, which is an event."""
        said = self.next()
        assert isinstance(said, OrderEvent)
        return said

    def until(self, status: str) -> list[OrderEvent]:
        """Return the events up to the first one of a status."""
        found = [self.event()]
        while found[-1].status != status:
            found.append(self.event())
        return found

    def send(self, path: str, method: str = "POST", **values: str) -> dict[str, Any]:
        """Send a signed request and return the answer."""
        query = urlencode({**values, "timestamp": str(self.stage.now_ms)})
        seal = hmac.new(API_SECRET.encode(), query.encode(), hashlib.sha256).hexdigest()
        answer: dict[str, Any] = httpx.request(
            method,
            f"{self.server.url}/fapi/v1/{path}?{query}&signature={seal}",
            headers={"X-MBX-APIKEY": API_KEY},
            verify=False,  # noqa: S501  self-signed
            timeout=PATIENCE_S,
        ).json()
        return answer

    def price(self, price: float) -> None:
        """Print a price a second later, and let a trigger's order reach the engine."""
        self.stage.prices[BTC] = price
        at_ms = self.stage.now_ms + 1000
        self.stage.feed.ticks.append(Tick(at_ms, tuple(self.stage.prices.values()), (1.0, 1.0)))
        self.stage.now_ms = at_ms
        self.send("time", "GET")
        self.stage.now_ms += 20
        self.send("time", "GET")

    def reopen(self) -> None:
        """Start the exchange again at its address, after `server.stop()`."""
        self.server = RehearsalServer(self.stage.venue, self.server.port)
        self.server.start()

    def close(self) -> None:
        """End everything."""
        self._closing.close()
        self.server.stop()


@contextmanager
def open_house(faults: str = "", depth_ratio: float = 1.0) -> Iterator[House]:
    """An exchange that is open, and is closed in the end."""
    house = House(faults, depth_ratio)
    try:
        yield house
    finally:
        house.close()


class Pulse:
    """The clock by which lines are taken for dead, in a test's hand; pings keep the real one.

    Attributes:
        pace: For the listeners.
        now_ms: The time.
        heard_ms: When the last answer to a ping came.
    """

    def __init__(self) -> None:
        """Begin now."""
        self.pace = lively(ping_s=0.02)
        self.now_ms = int(time.time() * 1000)
        self.heard_ms = 0
        self._almost_ms = 38  # a line is given two pings' time

    def take(self, patch: pytest.MonkeyPatch) -> None:
        """Take every line's clock in hand."""
        handle_message = Client.handle_message

        def heard(client: Client, message: Any) -> None:
            handle_message(client, message)
            if message.type == WSMsgType.PONG:
                self.heard_ms = client.lastPong

        clock = staticmethod(lambda *_: self.now_ms)
        clocked = type("Exchange", (ccxt.Exchange,), {"milliseconds": clock})
        patch.setattr(Client, "handle_message", heard)
        patch.setattr(sys.modules[Client.__module__], "Exchange", clocked)
        patch.setattr(_Wire, "milliseconds", clock)

    def beat(self, times: int) -> None:
        """Hear an answer, and let nearly as much time pass as a line is given; so many times."""
        for _ in range(times):
            until(lambda: self.heard_ms == self.now_ms)
            self.now_ms += self._almost_ms

    def stop(self, stream: UserStream) -> None:
        """Let time pass until a line without an answer is given up."""

        def given_up() -> bool:
            self.now_ms += self._almost_ms
            return not stream.up

        until(given_up)


def lively(**line: float) -> Pace:
    """Return a pace with a line watched over faster than usual."""
    return Pace(first_s=PACE.first_s, longest_s=PACE.longest_s, line=UserSocket(**line))
