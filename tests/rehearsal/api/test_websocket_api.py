"""Conditional orders over the websocket API, on the exchange's own socket."""

import asyncio
import hashlib
import hmac
import json
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import ccxt.pro
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from qt_protections.rehearsal.api.gate import ENDPOINTS
from qt_protections.rehearsal.auth import API_KEY, API_SECRET
from qt_protections.rehearsal.command import open_venue
from qt_protections.rehearsal.faults.script import parse_script
from qt_protections.rehearsal.limits import RateLimits
from qt_protections.rehearsal.overlay import ccxt_config
from qt_protections.rehearsal.server import RehearsalServer
from tests.patience import PATIENCE_S

PLACE = "algoOrder.place"
STOP = {
    "algoType": "CONDITIONAL",
    "symbol": "BTCUSDT",
    "side": "SELL",
    "type": "STOP_MARKET",
    "quantity": "0.010",
    "triggerPrice": "1000",
    "reduceOnly": True,
}


class Socket:
    """An open connection to an exchange."""

    def __init__(self, server: RehearsalServer, connection: ClientConnection) -> None:
        """Ask `server` over `connection`."""
        self.server = server
        self._connection = connection

    def send(self, number: object = 7, method: str = PLACE, **changes: object) -> None:
        """Send a signed request; a parameter that is None is left out."""
        now = {"apiKey": API_KEY, "timestamp": self.server.venue.now_ms}
        params = {k: v for k, v in (STOP | now | changes).items() if v is not None}
        self.say(json.dumps({"id": number, "method": method, "params": signed(params)}))

    def say(self, text: str) -> None:
        """Send a text."""
        self._connection.send(text)

    def hear(self) -> Any:
        """Return the next answer."""
        return json.loads(self._connection.recv(PATIENCE_S))

    def ask(self, **changes: Any) -> Any:
        """Send a request and return its answer."""
        self.send(**changes)
        return self.hear()

    @property
    def stops(self) -> int:
        """How many conditional orders wait for their trigger."""
        return len(self.server.venue.conditional.live())


def signed(params: dict[str, Any]) -> dict[str, Any]:
    """Return parameters with the signature Binance asks for, unless they have one."""
    texts = {k: v if isinstance(v, str) else json.dumps(v) for k, v in params.items()}
    query = "&".join(f"{name}={texts[name]}" for name in sorted(texts))
    digest = hmac.new(API_SECRET.encode(), query.encode(), hashlib.sha256).hexdigest()
    return {"signature": digest} | params


@contextmanager
def opened(faults: str = "", limits: tuple[int, ...] = ()) -> Iterator[Socket]:
    """Open a calm exchange and a connection to it."""
    venue = open_venue("calm", 7)
    script = parse_script(faults, "faults.toml", 1, ENDPOINTS) if faults else None
    counted = RateLimits(lambda: venue.now_ms, *limits)
    with RehearsalServer(venue, script=script, limits=counted) as server:
        trust = ssl.create_default_context(cafile=str(server.certificate))
        url = f"wss://127.0.0.1:{server.port}/ws-fapi/v1"
        with connect(url, ssl=trust, open_timeout=PATIENCE_S) as connection:
            yield Socket(server, connection)


@pytest.fixture(scope="module")
def socket() -> Iterator[Socket]:
    """A connection to an exchange without faults."""
    with opened() as one:
        yield one


@pytest.mark.parametrize("number", [7, "seven", None])
def test_a_stop_is_placed(socket: Socket, number: object) -> None:
    """The answer is that of REST, under the request's own name."""
    before = socket.stops
    answer = socket.ask(number=number, clientAlgoId=f"mine-{number}")
    assert (answer["id"], answer["status"], socket.stops) == (number, 200, before + 1)
    assert (answer["result"]["algoStatus"], answer["result"]["clientAlgoId"]) == (
        "NEW",
        f"mine-{number}",
    )
    [limit] = answer["rateLimits"]
    assert (limit["rateLimitType"], limit["limit"], limit["count"]) == ("REQUEST_WEIGHT", 2400, 0)


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"triggerPrice": "500000"}, 400, -2021),
        ({"triggerPrice": None}, 400, -1102),
        ({"symbol": "NONEUSDT"}, 400, -1121),
        ({"timestamp": 1}, 400, -1021),
        ({"timestamp": None}, 400, -1102),
        ({"signature": "0" * 64}, 400, -1022),
        ({"signature": ""}, 400, -1022),
        ({"apiKey": None}, 401, -2014),
        ({"apiKey": "another"}, 401, -2015),
        ({"method": "algoOrder.none"}, 404, -5000),
    ],
)
def test_a_request_is_refused_as_rest_refuses_it(
    socket: Socket, changes: dict[str, Any], status: int, code: int
) -> None:
    """The codes are REST's."""
    before = socket.stops
    answer = socket.ask(**changes)
    assert (answer["id"], answer["status"], answer["error"]["code"]) == (7, status, code)
    assert socket.stops == before


def test_what_is_signed_is_what_was_sent(socket: Socket) -> None:
    """A parameter changed under way spoils the signature."""
    params = signed(STOP | {"apiKey": API_KEY, "timestamp": socket.server.venue.now_ms})
    params["quantity"] = "0.020"
    socket.say(json.dumps({"id": 1, "method": PLACE, "params": params}))
    assert socket.hear()["error"]["code"] == -1022


@pytest.mark.parametrize(
    "text",
    [
        *("", "nonsense", "[]", "null", "{}", '{"method": 7}', '"\\ud800"', "[" * 5000),
        '{"method": "algoOrder.place"}',
        '{"method": "algoOrder.place", "params": []}',
    ],
)
def test_nonsense_is_refused(socket: Socket, text: str) -> None:
    """What is no request is told so, and the connection stays."""
    socket.say(text)
    answer = socket.hear()
    assert (answer["id"], answer["status"], answer["error"]["code"]) == (None, 400, -1102)
    assert socket.ask()["status"] == 200


def test_orders_count_as_those_of_rest() -> None:
    """One limit for both."""
    with opened(limits=(2400, 2, 1200)) as socket:
        assert [socket.ask()["status"] for _ in range(3)] == [200, 200, 429]
        assert socket.ask()["error"]["code"] == -1015
        traffic = socket.server.venue.traffic.report()
        assert traffic.endpoints == {"POST /fapi/v1/algoOrder": 4}


def test_faults_strike_it() -> None:
    """A script says REST's endpoint, and strikes both."""
    fault = '[[fault]]\nkind = "refuse"\nendpoints = ["POST /fapi/v1/algoOrder"]\ncode = -2019\n'
    with opened(fault) as socket:
        assert socket.ask()["error"]["code"] == -2019
        assert socket.stops == 0


@pytest.mark.parametrize(
    ("fault", "stops"),
    [
        ('kind = "hang"\nhang_s = 0.001\nexecuted = true', 1),
        ('kind = "busy"\nstatus = 502', 0),
    ],
)
def test_an_answer_that_is_lost_cuts_the_connection(fault: str, stops: int) -> None:
    """So does the page of a gateway."""
    with opened(f'[[fault]]\n{fault}\nendpoints = ["POST /fapi/v1/algoOrder"]\n') as socket:
        socket.send()
        with pytest.raises(ConnectionClosed):
            socket.hear()
        assert socket.stops == stops


def test_a_request_that_hangs_does_not_hold_up_the_next() -> None:
    """Requests on one connection do not wait for each other."""
    hang = 'kind = "hang"\nhang_s = 600\ntimes = 1\nendpoints = ["POST /fapi/v1/algoOrder"]\n'
    with opened(f"[[fault]]\n{hang}") as socket:
        socket.send(1)
        socket.send(2)
        assert socket.hear()["id"] == 2


def test_ccxt_places_a_stop_over_it(socket: Socket) -> None:
    """ccxt.pro signs and reads as the exchange does."""

    async def place() -> Any:
        config: Any = ccxt_config(socket.server.port)
        config["options"] |= {"defaultType": "swap"}
        client: Any = ccxt.pro.binance({"apiKey": API_KEY, "secret": API_SECRET, **config})
        try:
            await client.load_markets()
            return await client.create_order_ws(
                "BTC/USDT:USDT",
                "STOP_MARKET",
                "sell",
                0.01,
                None,
                {"stopPrice": 1000, "reduceOnly": True, "clientOrderId": "ccxt-1"},
            )
        finally:
            await client.close()

    order = asyncio.run(asyncio.wait_for(place(), PATIENCE_S))
    assert (order["clientOrderId"], order["status"], order["reduceOnly"]) == (
        "ccxt-1",
        "open",
        True,
    )
