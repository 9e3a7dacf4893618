"""How fast the rehearsal exchange answers: 200 requests a second, 100 symbols, one core.

`python -m benchmarks.exchange_speed` needs no network but loopback. The exchange runs as a process
of its own, held to one core, without added latency; the client has the rest of the machine. Times
are the client's, from the moment a request was due, TLS and queueing included.
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import random
import ssl
import statistics
import time
from collections.abc import Iterator
from dataclasses import replace
from multiprocessing.connection import Connection

import aiohttp

from benchmarks.signed import signed_query
from qt_protections.rehearsal.auth import API_KEY
from qt_protections.rehearsal.command import wall_clock_ms
from qt_protections.rehearsal.limits import RateLimits
from qt_protections.rehearsal.market.instruments import INSTRUMENTS
from qt_protections.rehearsal.market.scenarios import SCENARIOS
from qt_protections.rehearsal.market.tape import build_market
from qt_protections.rehearsal.server import RehearsalServer, spare_the_market
from qt_protections.rehearsal.venue import Venue

SYMBOLS, HISTORY_DAYS = 100, 30
BTC = "BTCUSDT"
STOP = {
    "algoType": "CONDITIONAL",
    "symbol": BTC,
    "side": "SELL",
    "type": "STOP_MARKET",
    "quantity": "0.010",
    "reduceOnly": "true",
}
MIX: tuple[tuple[int, str, str, dict[str, object]], ...] = (
    (10, "GET", "v1/klines", {"symbol": "ETHUSDT", "interval": "1h", "limit": 100}),
    (1, "GET", "v1/klines", {"symbol": "SOLUSDT", "interval": "5m", "limit": 1000}),
    (10, "GET", "v1/depth", {"symbol": BTC, "limit": 50}),
    (10, "GET", "v1/premiumIndex", {"symbol": BTC}),
    (15, "GET", "v3/positionRisk", {}),
    (15, "GET", "v3/account", {}),
    (15, "GET", "v1/openAlgoOrders", {"symbol": BTC}),
    (8, "POST", "v1/order", {"symbol": BTC, "side": "BUY", "type": "MARKET", "quantity": "0.002"}),
    (8, "POST", "v1/order", {"symbol": BTC, "side": "SELL", "type": "MARKET", "quantity": "0.002"}),
    (4, "POST", "v1/algoOrder", STOP | {"triggerPrice": "50000"}),
    (4, "DELETE", "v1/algoOpenOrders", {"symbol": BTC}),
)


def main() -> None:
    """Measure, and print milliseconds and the ratio to a bare ping of the same run."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--seconds", type=int, default=30, help="length of the run (default: 30)")
    parser.add_argument("--rate", type=int, default=200, help="requests a second (default: 200)")
    args = parser.parse_args()
    ours, theirs = multiprocessing.Pipe()
    exchange = multiprocessing.get_context("spawn").Process(target=_serve, args=(theirs,))
    exchange.start()
    port = ours.recv()
    cores = os.sched_getaffinity(0)
    if len(cores) > 1:
        os.sched_setaffinity(0, cores - {min(cores)})
    spare_the_market()  # the client's own pauses are not the exchange's
    try:
        pings = asyncio.run(_drive(port, _pings(), args.rate, min(args.seconds, 10)))
        times = asyncio.run(_drive(port, _mixed(), args.rate, args.seconds))
    finally:
        ours.send("stop")
        exchange.join()
    print(json.dumps(_result(pings, times, args.rate), indent=2))


def _serve(pipe: Connection) -> None:
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    names = [f"S{number}" for number in range(SYMBOLS - len(INSTRUMENTS))]
    more = [replace(INSTRUMENTS[2], symbol=f"{name}USDT", base=name) for name in names]
    opens_ms = wall_clock_ms()
    market = build_market(SCENARIOS["calm"], 7, opens_ms, [*INSTRUMENTS, *more], HISTORY_DAYS)
    venue = Venue(*market, wall_clock_ms)
    limits = RateLimits(lambda: venue.now_ms, 10**9, 10**9, 10**9)
    spare_the_market()
    with RehearsalServer(venue, limits=limits) as server:
        pipe.send(server.port)
        pipe.recv()


def _pings() -> Iterator[tuple[str, str, dict[str, object]]]:
    while True:
        yield "GET", "v1/ping", {}


def _mixed() -> Iterator[tuple[str, str, dict[str, object]]]:
    rng = random.Random(7)  # noqa: S311 - which request comes next
    weights = [row[0] for row in MIX]
    while True:
        _, method, path, params = rng.choices(MIX, weights)[0]
        yield method, path, params


async def _drive(
    port: int, requests: Iterator[tuple[str, str, dict[str, object]]], rate: int, seconds: int
) -> dict[str, list[float]]:
    """Return the milliseconds of every request, by endpoint, sent on time whatever is answered."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    times: dict[str, list[float]] = {}
    connector = aiohttp.TCPConnector(ssl=context, limit=16)
    base, headers = f"https://127.0.0.1:{port}/fapi/", {"X-MBX-APIKEY": API_KEY}
    async with aiohttp.ClientSession(base, connector=connector, headers=headers) as session:

        async def send(due: float, method: str, path: str, params: dict[str, object]) -> None:
            query = signed_query(params)
            async with session.request(method, f"{path}?{query}") as answer:
                text = await answer.text()
            if answer.status != 200:
                raise RuntimeError(f"{method} {path} answered {answer.status}: {text}")
            times.setdefault(f"{method} {path}", []).append((time.perf_counter() - due) * 1000)

        await asyncio.gather(*(send(time.perf_counter(), "GET", "v1/ping", {}) for _ in range(16)))
        times.clear()
        started = time.perf_counter()
        tasks = []
        for number in range(rate * seconds):
            due = started + number / rate
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            tasks.append(asyncio.create_task(send(due, *next(requests))))
        await asyncio.gather(*tasks)
    return times


def _result(
    pings: dict[str, list[float]], times: dict[str, list[float]], rate: int
) -> dict[str, object]:
    everything = [ms for found in times.values() for ms in found]
    bare = [ms for found in pings.values() for ms in found]
    return {
        "what": "round trips of a bot's mix of requests, client's clock, TLS on loopback",
        "symbols": SYMBOLS,
        "requests_per_s": rate,
        "requests": len(everything),
        "ms": _quantiles(everything),
        "ping_ms": _quantiles(bare),
        "p99_over_ping": round(_quantiles(everything)["p99"] / _quantiles(bare)["p99"], 2),
        "by_endpoint_ms": {name: _quantiles(found) for name, found in sorted(times.items())},
    }


def _quantiles(ms: list[float]) -> dict[str, float]:
    cuts = statistics.quantiles(ms, n=1000, method="inclusive")
    return {
        "p50": round(cuts[499], 2),
        "p99": round(cuts[989], 2),
        "p99.9": round(cuts[998], 2),
        "max": round(max(ms), 2),
    }


if __name__ == "__main__":
    main()
