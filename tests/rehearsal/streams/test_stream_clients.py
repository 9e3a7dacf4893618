"""Contract: what three real clients hear over TLS of the orders they place."""

import asyncio
import logging
from collections.abc import Awaitable, Iterator
from typing import Any

import pytest
from binance.ws.depthcache import FuturesDepthCacheManager

from qt_protections.rehearsal.command import open_venue
from qt_protections.rehearsal.server import RehearsalServer
from tests.patience import PATIENCE_S
from tests.rehearsal import shapes
from tests.rehearsal.clients import KINDS, connected
from tests.rehearsal.stage import BTC
from tests.rehearsal.stream_clients import PAIR, Ccxt, Hearer, hearing

MARKET = {"symbol": BTC, "type": "MARKET", "quantity": 0.01}
STOP = {
    "algoType": "CONDITIONAL",
    "symbol": BTC,
    "side": "SELL",
    "type": "STOP_MARKET",
    "quantity": 0.01,
    "triggerPrice": 1000,
    "reduceOnly": "true",
}

pytestmark = pytest.mark.filterwarnings("ignore:Unverified HTTPS request")


@pytest.fixture
def server() -> Iterator[RehearsalServer]:
    """A running exchange."""
    with RehearsalServer(open_venue("calm", 7)) as running:
        yield running


def run(job: Awaitable[None]) -> None:
    """Run a job that must not hang."""
    asyncio.run(asyncio.wait_for(job, PATIENCE_S))


async def update(hearer: Hearer, key: str, number: int, state: str) -> Any:
    """Return the first update that says `state` of an order (`i`) or conditional order (`aid`)."""
    while True:
        message = await hearer.user_message()
        shapes.assert_stream_shape(message)
        order = message.get("o", {})
        if isinstance(order, dict) and (order.get(key), order.get("X")) == (number, state):
            return order


@pytest.mark.parametrize("kind", KINDS)
def test_own_orders(kind: str, server: RehearsalServer, caplog: pytest.LogCaptureFixture) -> None:
    """A fill and a stop that was placed and cancelled over REST are heard, types as documented."""

    async def job() -> None:
        async with hearing(kind, server) as hearer:
            await hearer.listen()
            with connected(kind, server) as client:
                order = client("newOrder", **MARKET, side="BUY")
                fill = await update(hearer, "i", int(order["orderId"]), "FILLED")
                assert (fill["x"], fill["z"], fill["N"]) == ("TRADE", "0.01", "USDT")
                stop = client("newAlgo", **STOP)
                await update(hearer, "aid", int(stop["algoId"]), "NEW")
                client("cancelAlgo", algoId=stop["algoId"])
                await update(hearer, "aid", int(stop["algoId"]), "CANCELED")

    with caplog.at_level(logging.WARNING):
        run(job())
    assert [r.message for r in caplog.records if "Failed to parse" in r.message] == []


@pytest.mark.parametrize("kind", KINDS)
def test_market_stream(kind: str, server: RehearsalServer) -> None:
    """Trades (ccxt: the growing candle) arrive."""

    async def job() -> None:
        async with hearing(kind, server) as hearer:
            message = await hearer.market_message()
            if kind == "ccxt":
                assert [type(value) for value in message] == [int, *[float] * 5]
            else:
                shapes.assert_stream_shape(message)
                assert message["s"] == BTC

    run(job())


def test_ccxt_watches(server: RehearsalServer) -> None:
    """Its other methods take what they are told: trades, tickers, marks, best prices, balance."""

    async def job() -> None:
        async with hearing("ccxt", server) as hearer:
            assert isinstance(hearer, Ccxt)
            await hearer.listen()
            client = hearer.client
            (*_, trade) = await client.watch_trades(PAIR)
            assert trade["price"] > 0
            assert (await client.watch_ticker(PAIR))["last"] > 0
            assert (await client.watch_mark_price(PAIR))["markPrice"] > 0
            best = (await client.watch_bids_asks([PAIR]))[PAIR]
            assert best["bid"] < best["ask"]
            watching = [
                asyncio.create_task(watch)
                for watch in (client.watch_my_trades(PAIR), client.watch_balance())
            ]
            await asyncio.sleep(0)
            order = await client.create_order(PAIR, "market", "buy", 0.01)
            trades, balance = await asyncio.gather(*watching)
            assert trades[-1]["order"] == order["id"]
            assert 9_900 < balance["USDT"]["total"] < 10_000

    run(job())


def test_ccxt_keeps_the_order_book(server: RehearsalServer) -> None:
    """Its copy stays whole over many updates; it would raise where numbers do not join."""

    async def job() -> None:
        async with hearing("ccxt", server) as hearer:
            for _ in range(12):
                book = await hearer.client.watch_order_book(PAIR)
                assert book["bids"][0][0] < book["asks"][0][0]
            assert 990 <= len(book["bids"]) <= 1000

    run(job())


def test_ccxt_cannot_leave(server: RehearsalServer) -> None:
    """Every websocket address it knows is on this machine."""

    async def job() -> None:
        async with hearing("ccxt", server) as hearer:
            known = hearer.client.urls["api"]["ws"]
            addresses = [*(v for v in known.values() if isinstance(v, str))]
            addresses += known["ws-api"].values()
            assert len(addresses) >= 12
            assert {address.split("/")[2] for address in addresses} == {f"127.0.0.1:{server.port}"}

    run(job())


def test_python_binance_keeps_the_order_book(server: RehearsalServer) -> None:
    """Its depth cache holds ten levels a side, best first."""

    async def job() -> None:
        async with hearing("python-binance", server) as hearer:
            await hearer.listen()
            manager = hearer.manager
            cache = FuturesDepthCacheManager(manager._client, BTC, bm=manager)
            async with cache as depths:
                depth = await depths.recv()
                bids, asks = depth.get_bids(), depth.get_asks()
                assert len(bids) == len(asks) == 10
                assert bids[-1][0] < bids[0][0] < asks[0][0] < asks[-1][0]

    run(job())
