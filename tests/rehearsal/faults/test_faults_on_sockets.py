"""Faults over a real socket, as the real ccxt meets them."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import ccxt
import httpx
import pytest
from websockets.exceptions import ConnectionClosedError, WebSocketException
from websockets.sync.client import connect

from qt_protections.rehearsal.command import open_venue
from qt_protections.rehearsal.market.feed import Tick
from qt_protections.rehearsal.server import RehearsalServer
from tests.patience import PATIENCE_S
from tests.rehearsal.stage import Stage
from tests.rehearsal.struck import fault, script
from tests.rehearsal.test_server import PAIR, options

pytestmark = pytest.mark.filterwarnings("ignore:Unverified HTTPS request")


@contextmanager
def struck(text: str) -> Iterator[tuple[RehearsalServer, Any]]:
    """Serve an exchange under a script; yield it with a client."""
    with RehearsalServer(open_venue("calm", 1), script=script(text)) as server:
        client = ccxt.binance(options(server.port))
        yield server, client
        client.session.close()


CLASSES = [
    (fault("busy"), ccxt.OperationFailed, 0),
    (fault("busy", status=502), ccxt.ExchangeNotAvailable, 0),
    (fault("busy", status=504), ccxt.RequestTimeout, 0),
    (fault("firewall", endpoints=["POST *"]), ccxt.ExchangeNotAvailable, 0),
    (fault("firewall", status=429, endpoints=["POST *"]), ccxt.DDoSProtection, 0),
    (fault("firewall", status=418, endpoints=["POST *"]), ccxt.DDoSProtection, 0),
    (fault("lost"), ccxt.OperationFailed, 1),
    (fault("lost", executed_after_ms=60_000), ccxt.OperationFailed, 0),
    (fault("lost", status=408), ccxt.RequestTimeout, 1),
    (fault("drop", executed=False), ccxt.NetworkError, 0),
    (fault("drop"), ccxt.NetworkError, 1),
    (fault("hang", hang_s=0.2), ccxt.NetworkError, 1),
    (fault("ban", endpoints=["POST *"], for_s=999), ccxt.DDoSProtection, 0),
]


@pytest.mark.parametrize(("text", "kind", "executed"), CLASSES, ids=[row[0] for row in CLASSES])
def test_error_classes(text: str, kind: type[Exception], executed: int) -> None:
    """Ccxt raises what its users know, and the order exists where the fault says so."""
    with struck(text) as (server, client):
        client.load_markets()
        with pytest.raises(kind) as caught:
            client.create_order(PAIR, "market", "buy", 0.01, None, {"clientOrderId": "mine"})
        assert type(caught.value) is kind
        assert len(server.venue.desk.orders) == executed
        assert [e.cause for e in server.venue.journal.events if e.kind == "fault"] != []


def test_a_cut_connection_is_the_struck_one() -> None:
    """Other clients keep theirs."""
    with struck(fault("drop")) as (server, client):
        client.load_markets()
        with httpx.Client(base_url=server.url, verify=False, timeout=PATIENCE_S) as other:  # noqa: S501  self-signed
            assert other.get("/fapi/v1/ping").status_code == 200
            kept = _connections(server)
            with pytest.raises(ccxt.NetworkError):
                client.create_order(PAIR, "market", "buy", 0.01)
            assert other.get("/fapi/v1/ping").status_code == 200
            assert len(_connections(server)) == 1
            assert _connections(server) < kept


def test_down_cuts_connections_and_spares_the_observatory() -> None:
    """Whoever was connected is cut off, and the rehearsal still tells of itself."""
    with struck(fault("down", for_s=999)) as (server, client):
        with pytest.raises(ccxt.NetworkError):
            client.fetch_time()
        health = httpx.get(f"{server.url}/_rehearsal/health", verify=False, timeout=PATIENCE_S)  # noqa: S501  self-signed
        assert health.json()["ok"] is True


def test_down_answers_no_websocket() -> None:
    """A stream cannot be opened while nothing answers."""
    with struck(fault("down", for_s=999)) as (server, _):
        trust = ssl.create_default_context(cafile=str(server.certificate))
        address = f"wss://127.0.0.1:{server.port}/market/ws/btcusdt@aggTrade"
        with pytest.raises((OSError, WebSocketException)), connect(address, ssl=trust) as socket:
            socket.recv()


def test_streams_are_dropped_and_come_back() -> None:
    """A script hangs up on every websocket; a new one is served."""
    stage, dropping = Stage(), script(fault("stream_drop", at_s=1))
    with RehearsalServer(stage.venue, script=dropping) as server:
        trust = ssl.create_default_context(cafile=str(server.certificate))
        address = f"wss://127.0.0.1:{server.port}/market/ws/btcusdt@aggTrade"
        with connect(address, ssl=trust) as socket:
            stage.now_ms += 1000
            with pytest.raises(ConnectionClosedError):
                list(socket)
        with connect(address, ssl=trust) as again:
            prices = tuple(stage.prices.values())
            stage.feed.ticks.append(Tick(stage.now_ms + 1000, prices, (1.0, 1.0)))
            stage.now_ms += 1000
            assert again.recv(timeout=PATIENCE_S)


def _connections(server: RehearsalServer) -> set[object]:
    return set(server._server.server_state.connections)
