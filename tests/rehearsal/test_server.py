"""The exchange over a real socket, driven by the real ccxt as the overlay configures it."""

import asyncio
from collections.abc import Iterator
from typing import Any

import ccxt
import ccxt.async_support
import pytest
import requests

from qt_protections.rehearsal.auth import API_KEY
from qt_protections.rehearsal.command import open_venue
from qt_protections.rehearsal.overlay import config_overlay
from qt_protections.rehearsal.server import PortInUseError, RehearsalServer
from tests.patience import PATIENCE_S

PAIR = "BTC/USDT:USDT"
STOP = {"stopPrice": 1000, "reduceOnly": True}
BY_STOP = {"stop": True}

pytestmark = pytest.mark.filterwarnings("ignore:Unverified HTTPS request")


@pytest.fixture(scope="module")
def server() -> Iterator[RehearsalServer]:
    """A running exchange, calm market, 2 ms round trips."""
    with RehearsalServer(open_venue("calm", 7), latency_ms=2) as running:
        yield running


def options(port: int, **changed: str) -> dict[str, Any]:
    """Return what freqtrade would give ccxt."""
    exchange: Any = config_overlay(port)["exchange"]
    config = dict(exchange["ccxt_config"])
    config["options"] = config["options"] | {"defaultType": "swap"}
    return {"apiKey": exchange["api_key"], "secret": exchange["secret"], **config, **changed}


@pytest.fixture
def client(server: RehearsalServer) -> Iterator[Any]:
    """The synchronous ccxt, flat and without orders before and after."""
    exchange = ccxt.binance(options(server.port))
    exchange.load_markets()
    yield exchange
    exchange.cancel_all_orders(PAIR)
    exchange.cancel_all_orders(PAIR, BY_STOP)
    for position in exchange.fetch_positions():
        side = "sell" if position["side"] == "long" else "buy"
        exchange.create_order(
            position["symbol"], "market", side, position["contracts"], None, {"reduceOnly": True}
        )
    exchange.close()
    exchange.session.close()


def test_markets(client: Any) -> None:
    """Ccxt reads steps, minimum and leverage tiers of every symbol."""
    assert {"BTC/USDT:USDT", "ZEN/USDT:USDT", "DOGE/USDT:USDT"} <= set(client.markets)
    market = client.market(PAIR)
    assert (market["precision"]["price"], market["limits"]["cost"]["min"]) == (0.1, 100)
    tiers = client.fetch_leverage_tiers()
    assert tiers[PAIR][0]["maxLeverage"] == 150
    assert all(rows[0]["maxLeverage"] >= 30 for rows in tiers.values())


def test_market_data(client: Any) -> None:
    """Candles, book, tickers, trades and funding are there and agree on the price."""
    candles = client.fetch_ohlcv(PAIR, "1h", limit=300)
    last = candles[-1][4]
    book = client.fetch_order_book(PAIR, 5)
    ticker = client.fetch_ticker(PAIR)
    assert len(candles) == 300
    assert book["bids"][0][0] < book["asks"][0][0]
    near = pytest.approx(last, rel=0.01)
    assert [ticker["last"], book["asks"][0][0], client.fetch_trades(PAIR)[-1]["price"]] == [
        near
    ] * 3
    assert set(client.fetch_bids_asks()) == set(client.fetch_tickers()) == set(client.markets)
    assert client.fetch_mark_price(PAIR)["markPrice"] == near
    assert client.fetch_ohlcv(PAIR, "1h", since=0, limit=2)[0][0] < candles[0][0]
    assert len(client.fetch_ohlcv(PAIR, "8h", limit=3, params={"price": "mark"})) == 3
    rates = client.fetch_funding_rate_history(PAIR, limit=3)
    assert {rate["timestamp"] % 28_800_000 for rate in rates} == {0}
    assert -0.0001 <= client.fetch_funding_rate(PAIR)["fundingRate"] <= 0.0003


def test_position_life(client: Any) -> None:
    """Stop first, then the entry, then the position as ccxt sees it, then flat again."""
    client.set_margin_mode("isolated", PAIR)
    client.set_leverage(30, PAIR)
    before = client.fetch_balance()["USDT"]["free"]
    stop = client.create_order(PAIR, "market", "sell", 0.01, None, STOP)
    entry = client.create_order(PAIR, "market", "buy", 0.01)
    assert (stop["status"], entry["status"], entry["filled"]) == ("open", "closed", 0.01)
    (position,) = client.fetch_positions([PAIR])
    assert (position["side"], position["contracts"]) == ("long", 0.01)
    assert position["marginMode"] == "isolated"
    assert position["liquidationPrice"] < entry["average"]
    assert client.fetch_balance()["USDT"]["free"] < before
    assert client.fetch_order(stop["id"], PAIR, BY_STOP)["status"] == "open"
    assert [order["id"] for order in client.fetch_open_orders(PAIR, params=BY_STOP)] == [stop["id"]]
    trades = [trade for trade in client.fetch_my_trades(PAIR) if trade["order"] == entry["id"]]
    assert sum(trade["amount"] for trade in trades) == pytest.approx(0.01)
    assert client.cancel_order(stop["id"], PAIR, BY_STOP)["id"] == stop["id"]
    assert client.fetch_order(stop["id"], PAIR, BY_STOP)["status"] == "canceled"


def test_cross_position(client: Any) -> None:
    """A symbol is cross until it is switched, and ccxt sees that in each version."""
    pair = "ETH/USDT:USDT"
    client.create_order(pair, "market", "buy", 1)
    for version in ("v2", "v3"):
        params = {"useV2": version == "v2"}
        (position,) = client.fetch_positions_risk([pair], params)
        assert (position["marginMode"], position["contracts"]) == ("cross", 1)
    assert client.fetch_margin_mode(pair)["marginMode"] == "cross"


def test_account_versions(client: Any) -> None:
    """v2 lists every symbol with its leverage; v3 only positions, without it."""
    client.set_leverage(25, PAIR)
    client.create_order(PAIR, "market", "buy", 0.01)
    old, new = client.fapiPrivateV2GetPositionRisk(), client.fapiPrivateV3GetPositionRisk()
    assert (len(old), len(new)) == (len(client.markets), 1)
    assert old[0]["leverage"] == "25"
    assert "leverage" not in new[0]
    assert len(client.fapiPrivateV2GetAccount()["positions"]) == len(client.markets)
    assert client.fetch_account_positions([PAIR])[0]["contracts"] == 0.01
    assert client.fetch_leverages([PAIR])[PAIR]["longLeverage"] == 25
    assert client.fetch_balance({"useV2": True})["USDT"]["total"] > 0
    assert client.fapiPrivateV2GetBalance()[0]["asset"] == "USDT"


def test_incomes_and_fees(client: Any) -> None:
    """Fees are charged per fill and listed as income."""
    client.create_order(PAIR, "market", "buy", 0.01)
    fee = client.fetch_my_trades(PAIR)[-1]["fee"]["cost"]
    rows = client.fapiPrivateGetIncome({"symbol": "BTCUSDT", "incomeType": "COMMISSION"})
    assert float(rows[-1]["income"]) == -fee
    assert client.fetch_trading_fee(PAIR)["taker"] == 0.0005
    assert PAIR in client.fetch_trading_fees()
    assert client.fetch_funding_history(PAIR) == []


def test_limit_orders(client: Any) -> None:
    """A resting order is listed, found by its client id, and cancelled."""
    order = client.create_order(PAIR, "limit", "buy", 0.01, 50_000, {"clientOrderId": "mine"})
    assert [item["id"] for item in client.fetch_open_orders(PAIR)] == [order["id"]]
    assert client.fetch_order(None, PAIR, {"clientOrderId": "mine"})["id"] == order["id"]
    assert client.cancel_order(order["id"], PAIR)["status"] == "canceled"
    assert [item["status"] for item in client.fetch_orders(PAIR)][-1] == "canceled"


def test_batches_and_edits(client: Any) -> None:
    """Ccxt's own calls for several orders and for edits find their endpoints."""
    limit = {"symbol": PAIR, "type": "limit", "side": "buy", "amount": 0.01}
    orders = client.create_orders([limit | {"price": 50_000}, limit | {"price": 51_000}])
    first, second = (order["id"] for order in orders)
    edited = client.edit_order(first, PAIR, "limit", "buy", 0.02, 52_000)
    assert (edited["id"], edited["price"], edited["amount"]) == (first, 52_000, 0.02)
    gone = client.cancel_orders([first, second], PAIR)
    assert [order["status"] for order in gone] == ["canceled", "canceled"]
    assert client.fetch_open_orders(PAIR) == []


REFUSALS = [
    ("sell", 0.01, {"stopPrice": 10**6, "reduceOnly": True}, ccxt.OrderImmediatelyFillable, -2021),
    ("sell", 0.01, {"reduceOnly": True}, ccxt.InvalidOrder, -2022),
    ("buy", 20, {}, ccxt.InsufficientFunds, -2019),
    ("buy", 0.001, {}, ccxt.InvalidOrder, -4164),
    ("sell", None, {"stopPrice": 1000, "closePosition": True}, ccxt.ExchangeError, -4509),
    ("sell", 0.01, {"trailingPercent": 0.01, "reduceOnly": True}, ccxt.ExchangeError, -2007),
]


@pytest.mark.parametrize(
    ("side", "amount", "params", "kind", "code"), REFUSALS, ids=[str(row[-1]) for row in REFUSALS]
)
def test_error_classes(
    client: Any, side: str, amount: float, params: dict[str, Any], kind: type, code: int
) -> None:
    """Codes come out of ccxt as the classes the real futures host gives."""
    with pytest.raises(ccxt.ExchangeError, match=f'"code":{code},') as caught:
        client.create_order(PAIR, "market", side, amount, None, params)
    assert type(caught.value) is kind


def test_unknown_orders(client: Any) -> None:
    """Orders that do not exist are OrderNotFound, plain and conditional, to read and to cancel."""
    for action in (client.fetch_order, client.cancel_order):
        for params in ({}, BY_STOP):
            with pytest.raises(ccxt.OrderNotFound):
                action("1", PAIR, params)


def test_margin_type_repeated(client: Any) -> None:
    """The second request for the same margin type is MarginModeAlreadySet."""
    client.set_margin_mode("isolated", "ETH/USDT:USDT")
    with pytest.raises(ccxt.MarginModeAlreadySet):
        client.set_margin_mode("isolated", "ETH/USDT:USDT")


@pytest.mark.parametrize(
    ("changed", "code"), [({"apiKey": "real"}, -2015), ({"secret": "real"}, -1022)], ids=str
)
def test_other_keys_are_refused(
    server: RehearsalServer, changed: dict[str, str], code: int
) -> None:
    """No key but the published one is of any use."""
    exchange = ccxt.binance(options(server.port, **changed))
    with pytest.raises(ccxt.AuthenticationError, match=str(code)):
        exchange.fapiPrivateV3GetAccount()
    exchange.session.close()


def test_async_client(server: RehearsalServer) -> None:
    """The asynchronous ccxt works the same, error classes included."""

    async def drive() -> None:
        exchange = ccxt.async_support.binance(options(server.port))
        try:
            await exchange.load_markets()
            candles = await asyncio.gather(
                *(exchange.fetch_ohlcv(name, "5m", limit=500) for name in exchange.markets)
            )
            assert {len(rows) for rows in candles} == {500}
            with pytest.raises(ccxt.OrderImmediatelyFillable):
                await exchange.create_order(
                    PAIR, "market", "sell", 0.01, None, STOP | {"stopPrice": 10**6}
                )
        finally:
            await exchange.close()

    asyncio.run(drive())


def get(server: RehearsalServer, path: str) -> requests.Response:
    """Ask without a key."""
    return requests.get(f"{server.url}{path}", verify=False, timeout=PATIENCE_S)  # noqa: S501


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/fapi/v1/nothing", 404, -5000),
        ("/sapi/v1/system/status", 404, -5000),
        ("/v1/ping", 404, -5000),
        ("/fapi/v1/klines?symbol=BTCUSDT&interval=7m", 400, -1120),
        ("/fapi/v1/klines?symbol=BTCUSDT&interval=1m&limit=0", 400, -1130),
        ("/fapi/v1/klines?symbol=BTCUSDT", 400, -1102),
        (f"/fapi/v1/klines?symbol=BTCUSDT&interval=1m&limit={'9' * 5000}", 400, -1102),
        ("/fapi/v1/depth?symbol=NOPE", 400, -1121),
        ("/fapi/v1/openOrders", 401, -2014),
    ],
)
def test_refused_paths(server: RehearsalServer, path: str, status: int, code: int) -> None:
    """What is unknown, malformed or unsigned is refused with its code."""
    answer = get(server, path)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_a_body_that_is_no_text(server: RehearsalServer) -> None:
    """It is refused like any request that is not signed."""
    url, key = f"{server.url}/fapi/v1/order", {"X-MBX-APIKEY": API_KEY}
    answer = requests.post(url, b"symbol=\xff", headers=key, verify=False, timeout=PATIENCE_S)  # noqa: S501
    assert (answer.status_code, answer.json()["code"]) == (400, -1102)


def test_numbers_are_strings(server: RehearsalServer) -> None:
    """Prices and sizes travel as strings, times as integers."""
    row = get(server, "/fapi/v1/klines?symbol=BTCUSDT&interval=1m&limit=1").json()[0]
    assert [type(value) for value in row[:6]] == [int, str, str, str, str, str]
    assert get(server, "/fapi/v1/time").json().keys() == {"serverTime"}


def test_own_endpoints(server: RehearsalServer, client: Any) -> None:
    """Health, report and events need no key; events go on where one left off."""
    assert get(server, "/_rehearsal/health").json()["ok"] is True
    known = len(get(server, "/_rehearsal/events").json())
    client.create_order(PAIR, "market", "sell", 0.01, None, STOP)
    client.create_order(PAIR, "market", "buy", 0.01)
    report = get(server, "/_rehearsal/report").json()
    latest = report["positions"][-1]
    assert (latest["stop_live_before_entry"], latest["naked_s"], latest["closed_ms"]) == (
        True,
        0,
        None,
    )
    kinds = [event["kind"] for event in get(server, f"/_rehearsal/events?since={known}").json()]
    assert kinds[:3] == ["stop_accepted", "order_accepted", "order_filled"]
    costs = {(c["endpoint"], c["each"]) for c in get(server, "/_rehearsal/requests").json()}
    assert costs >= {("GET /fapi/v1/exchangeInfo", 1), ("POST /fapi/v1/algoOrder", 0)}


def test_port_in_use(server: RehearsalServer) -> None:
    """A taken port is an error of its own."""
    with pytest.raises(PortInUseError, match=str(server.port)):
        RehearsalServer(server.venue, server.port)
