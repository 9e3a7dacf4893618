"""Whether a stop is placed sooner over the websocket API than over REST.

`python -m benchmarks.order_ws` needs no network. In each round every road places the same stop on
one rehearsal exchange, in changing order, so that load meets all alike. A time is from the call in
the guard's thread to the answer, parsed, in that thread.

  rest       as the guard does it: `BinanceVenue.place_stop`, over its open connection
  rest_bare  the same order through `http.client`, signed here
  ws         the websocket API over one open connection of `websockets`, signed here
  ws_ccxt    the same through ccxt.pro, in a thread of its own for asyncio

`rest_bare` and `ws` build and parse the order through ccxt and differ in nothing but the road;
`rest` against `rest_bare` is what ccxt and requests cost. A gain is the time that a road saves
over another; its range is the 95 % interval of 2,000 resamplings of the rounds. A road wins if the
whole range is above zero at p50 and at p99. What the exchange itself spends on HTTP and on
websockets is in the times.
"""

import argparse
import asyncio
import hashlib
import hmac
import http.client
import json
import random
import ssl
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlencode

import ccxt.pro
import numpy as np
from freqtrade.configuration import Configuration
from freqtrade.enums import RunMode
from freqtrade.exchange import Exchange
from freqtrade.resolvers import ExchangeResolver
from rich.console import Console
from websockets.sync.client import connect

from benchmarks.decision_latency import told
from benchmarks.live_bot import Venue, opened
from benchmarks.never_naked import tables
from benchmarks.never_naked.rig import tell
from qt_protections.cli.package_data import base_config
from qt_protections.rehearsal.auth import API_KEY, API_SECRET
from qt_protections.rehearsal.overlay import ccxt_config, config_overlay
from qt_protections.stops.venue.binance.orders import BinanceVenue
from qt_protections.stops.venue.protocol import StopOrder

PAIR, SYMBOL = "BTC/USDT:USDT", "BTCUSDT"
ROUNDS, WARM_UP = 200, 10
#: Milliseconds of round trip added.
LATENCIES = (10, 50)
#: Least seconds of a round: four orders each, of 300 allowed in 10 s.
ROUND_S = 0.15
RESAMPLINGS = 2000
PATIENCE_S = 10
#: What is compared: a road, and what it would stand in for.
PAIRS = (("ws", "rest"), ("ws_ccxt", "rest"), ("ws", "rest_bare"), ("rest_bare", "rest"))

Figures = dict[str, Any]
#: Places a stop under a client id and returns the order as ccxt parses it.
Place = Callable[[str], Figures]
ROWS: tables.Rows = (
    ("stops placed", "n"),
    ("ms: p50", "ms.p50"),
    ("  p99", "ms.p99"),
    ("round trips: p50", "round_trips.p50"),
    ("  p99", "round_trips.p99"),
    ("client CPU a stop, ms", "cpu_ms"),
    ("  of it in the caller's thread", "own_cpu_ms"),
)
GAINS: tables.Rows = (
    ("ms gained: p50", "p50.gain_ms"),
    ("  from", "p50.from_ms"),
    ("  to", "p50.to_ms"),
    ("ms gained: p99", "p99.gain_ms"),
    ("  from", "p99.from_ms"),
    ("  to", "p99.to_ms"),
    ("ratio: p50", "p50.ratio"),
    ("  p99", "p99.ratio"),
    ("wins", "wins"),
)


class Order:
    """The stop that every road places: as ccxt puts it into a request, and reads its answer."""

    def __init__(self, line: BinanceVenue, exchange: Exchange) -> None:
        """Put the stop a tenth below the price."""
        self.api = line._connection.api()
        self.stop = StopOrder(PAIR, False, 0.01, line.price(PAIR) * 0.9, 7.0)
        self._line, self._exchange = line, exchange

    def arguments(self, client_id: str) -> tuple[Any, ...]:
        """Return what ccxt is told, rounded as the guard rounds."""
        amount = self._exchange.amount_to_precision(PAIR, self.stop.amount)
        trigger = self._line._trigger(self.stop, self.stop.trigger)
        params = {"stopPrice": trigger, "reduceOnly": True, "clientOrderId": client_id}
        return PAIR, "STOP_MARKET", "sell", amount, None, params

    def request(self, client_id: str) -> dict[str, str]:
        """Return the parameters of the request, not signed yet."""
        *given, params = self.arguments(client_id)
        built = self.api.create_order_request(*given, params | {"isAlgoOrder": True})
        told = {"algoType": "CONDITIONAL", "timestamp": self.api.nonce(), "recvWindow": 10_000}
        return {k: _text(v) for k, v in (built | told).items()}

    def read(self, answer: Figures) -> Figures:
        """Return the order an answer tells of, as the guard reads it."""
        order = self.api.parse_order(answer, self.api.market(PAIR))
        return dict(self._line._in_base(order))


class Http:
    """A bare connection for REST."""

    def __init__(self, port: int) -> None:
        """Connect."""
        self._connection = http.client.HTTPSConnection(
            "127.0.0.1", port, timeout=PATIENCE_S, context=_trusting()
        )

    def ask(self, method: str, path: str, params: Mapping[str, str]) -> Any:
        """Send a signed request and return its answer.

        Raises:
            RuntimeError: If it is refused.
        """
        query = urlencode(params)
        target = f"/fapi/v1/{path}?{query}&signature={_digest(query)}"
        self._connection.request(method, target, headers={"X-MBX-APIKEY": API_KEY})
        answer = self._connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{method} {path} answered {answer.status}: {body.decode()}")
        return json.loads(body)

    def close(self) -> None:
        """Hang up."""
        self._connection.close()


def main() -> None:
    """Measure, and print a table for each latency and JSON."""
    arguments = _arguments()
    runs = []
    for latency_ms in arguments.latency_ms:
        tell(f"{latency_ms} ms")
        with TemporaryDirectory(prefix="order-ws-") as temporary:
            run = _run(Path(temporary), latency_ms, arguments.rounds)
        runs.append(run)
        title = f"From the call to the parsed answer, {latency_ms} ms of round trip added"
        Console(width=100).print(tables.side_by_side(title, ROWS, run["roads"]))
    print(json.dumps({"what": "a stop over each road", "runs": runs}, indent=2))


def compared(ms: Sequence[float], instead_of: Sequence[float]) -> Figures:
    """Return how much sooner a road is than another, at p50 and p99: gain in ms, ratio, range.

    Args:
        ms: Milliseconds of each round.
        instead_of: Those of the other road in the same rounds.
    """
    times = np.array([instead_of, ms])
    rounds = np.random.default_rng(7).integers(times.shape[1], size=(RESAMPLINGS, times.shape[1]))
    found: Figures = {}
    for name, rank in (("p50", 50), ("p99", 99)):
        theirs, own = np.percentile(times, rank, axis=1)
        resampled = np.percentile(times[:, rounds], rank, axis=2)
        low, high = np.percentile(resampled[0] - resampled[1], [2.5, 97.5])
        found[name] = {
            "gain_ms": round(float(theirs - own), 2),
            "from_ms": round(float(low), 2),
            "to_ms": round(float(high), 2),
            "ratio": round(float(own / theirs), 3),
        }
    found["wins"] = all(found[name]["from_ms"] > 0 for name in ("p50", "p99"))
    return found


def _run(folder: Path, latency_ms: int, rounds: int) -> Figures:
    with ExitStack() as stack:
        venue = stack.enter_context(opened(Venue("calm", 7, latency_ms=latency_ms), folder))
        port = venue.client.base_url.port or 0
        exchange = _freqtrade_exchange(port, folder)
        stack.callback(exchange.close)
        line = BinanceVenue(exchange, {"stoploss": "market"}, PATIENCE_S * 1000)
        order, bare = Order(line, exchange), Http(port)
        stack.callback(bare.close)
        roads: dict[str, Place] = {
            "rest": lambda name: line.place_stop(order.stop, name),
            "rest_bare": lambda name: order.read(
                bare.ask("POST", "algoOrder", order.request(name))
            ),
            "ws": stack.enter_context(_websocket(port, order)),
            "ws_ccxt": stack.enter_context(_ccxt_websocket(port, order)),
        }
        taken, pings_ms = _measured(roads, bare, order, rounds)
    ms = {name: [one[0] for one in rows] for name, rows in taken.items()}
    round_trip_ms = float(np.median(pings_ms))
    figures = {
        name: told(ms[name], round_trip_ms)
        | {
            key: round(float(np.mean([one[place] for one in taken[name]])), 2)
            for key, place in (("cpu_ms", 1), ("own_cpu_ms", 2))
        }
        for name in roads
    }
    return {
        "latency_ms": latency_ms,
        "round_trip_ms": round(round_trip_ms, 2),
        "roads": figures,
        "gains": {f"{own} over {other}": compared(ms[own], ms[other]) for own, other in PAIRS},
    }


def _measured(
    roads: Mapping[str, Place], bare: Http, order: Order, rounds: int
) -> tuple[dict[str, list[tuple[float, float, float]]], list[float]]:
    """Return for each road and round the ms, CPU ms and CPU ms of the caller, and pings' ms."""
    rng = random.Random(7)  # noqa: S311 - which road goes first
    taken: defaultdict[str, list[tuple[float, float, float]]] = defaultdict(list)
    pings_ms: list[float] = []
    for number in range(-WARM_UP, rounds):
        started = time.monotonic()
        for name in rng.sample(list(roads), len(roads)):
            row = _timed(roads[name], f"{name}-{number}")
            if number >= 0:
                taken[name].append(row)
        began = time.perf_counter()
        bare.ask("GET", "ping", {})
        pings_ms.append((time.perf_counter() - began) * 1000)
        cancel = {"symbol": SYMBOL, "timestamp": str(order.api.nonce())}
        bare.ask("DELETE", "algoOpenOrders", cancel)
        time.sleep(max(0.0, started + ROUND_S - time.monotonic()))
    return taken, pings_ms


def _timed(place: Place, client_id: str) -> tuple[float, float, float]:
    clocks = (time.perf_counter, time.process_time, time.thread_time)
    before = [clock() for clock in clocks]
    order = place(client_id)
    wall, cpu, own = ((clock() - at) * 1000 for clock, at in zip(clocks, before, strict=True))
    if (order["status"], order["clientOrderId"]) != ("open", client_id):
        raise RuntimeError(f"{client_id} was answered with {order}")
    return wall, cpu, own


@contextmanager
def _websocket(port: int, order: Order) -> Iterator[Place]:
    """Open a connection of `websockets`; a thread of its own reads it."""
    url = f"wss://127.0.0.1:{port}/ws-fapi/v1"
    with connect(url, ssl=_trusting(), compression=None) as connection:

        def place(client_id: str) -> Figures:
            params = order.request(client_id) | {"apiKey": API_KEY}
            query = "&".join(f"{name}={params[name]}" for name in sorted(params))
            params["signature"] = _digest(query)
            request = {"id": client_id, "method": "algoOrder.place", "params": params}
            connection.send(json.dumps(request))
            answer = json.loads(connection.recv(PATIENCE_S))
            if (answer["id"], answer["status"]) != (client_id, 200):
                raise RuntimeError(f"{client_id} was answered with {answer}")
            return order.read(answer["result"])

        yield place


@contextmanager
def _ccxt_websocket(port: int, order: Order) -> Iterator[Place]:
    """Run ccxt.pro in a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="asyncio")
    thread.start()

    def wait(coroutine: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, loop).result(PATIENCE_S)

    async def connected() -> Any:
        config: Any = ccxt_config(port) | {"apiKey": API_KEY, "secret": API_SECRET}
        config["options"] |= {"defaultType": "swap"}
        client = ccxt.pro.binance(config)
        await client.load_markets()
        return client

    client = wait(connected())
    try:
        yield lambda name: wait(client.create_order_ws(*order.arguments(name)))
    finally:
        wait(client.close())
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def _freqtrade_exchange(port: int, folder: Path) -> Exchange:
    overlay = folder / "overlay.json"
    overlay.write_text(json.dumps(config_overlay(port)))
    given = {"config": [str(base_config()), str(overlay)], "user_data_dir": str(folder)}
    config = Configuration(given | {"db_url": "sqlite://"}, RunMode.LIVE).get_config()
    return ExchangeResolver.load_exchange(config)


def _digest(query: str) -> str:
    return hmac.new(API_SECRET.encode(), query.encode(), hashlib.sha256).hexdigest()


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _trusting() -> ssl.SSLContext:
    """Return a context for a certificate that nobody signed, on loopback."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.order_ws",
        description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"stops of each road ({ROUNDS})")
    parser.add_argument(
        "--latency-ms", type=int, nargs="+", default=LATENCIES, help="round trips added (10 50)"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
