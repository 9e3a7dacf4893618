"""Contracts with three real clients, as they come from the package index, over the TLS socket."""

import logging
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest

from qt_protections.rehearsal.command import open_venue
from qt_protections.rehearsal.engine.orders import OrderRequest, OrderType
from qt_protections.rehearsal.market.book import Side
from qt_protections.rehearsal.server import RehearsalServer
from tests.rehearsal import shapes
from tests.rehearsal.clients import KINDS, connected
from tests.rehearsal.stage import Stage

BTC = "BTCUSDT"
MARKET = {"symbol": BTC, "type": "MARKET", "quantity": 0.01}
LIMIT = {
    "symbol": BTC,
    "side": "BUY",
    "type": "LIMIT",
    "timeInForce": "GTC",
    "quantity": 0.01,
    "price": 50_000,
}
STOP = {
    "algoType": "CONDITIONAL",
    "symbol": BTC,
    "side": "SELL",
    "type": "STOP_MARKET",
    "quantity": 0.01,
    "triggerPrice": 1000,
    "reduceOnly": "true",
}
Check = Callable[[Any, dict[str, type]], Any]


@pytest.fixture(scope="module", params=KINDS)
def opened(request: pytest.FixtureRequest) -> Iterator[tuple[str, RehearsalServer]]:
    """A client's name and a calm exchange for it alone, so that each has its own rate limits."""
    with RehearsalServer(open_venue("calm", 7)) as running:
        yield request.param, running


@pytest.fixture
def client(opened: tuple[str, RehearsalServer], caplog: pytest.LogCaptureFixture) -> Iterator[Any]:
    """Each of the clients in turn; the account is flat and without orders afterwards.

    The official connector reports an answer of other types than its models' as a log warning.
    """
    with connected(*opened) as connection, caplog.at_level(logging.WARNING):
        yield connection
        connection("cancelAll", symbol=BTC)
        connection("cancelAlgos", symbol=BTC)
        for row in connection("positions"):
            side = "SELL" if float(row["positionAmt"]) > 0 else "BUY"
            connection("newOrder", **MARKET | {"side": side, "quantity": 1}, reduceOnly="true")
    assert [r.message for r in caplog.records if "declared types" in r.message] == []
    assert [r.message for r in caplog.records if "Failed to parse" in r.message] == []


@pytest.fixture
def checked() -> Check:
    """Check the shape of an object, or of every object of a list, and hand it on."""

    def check(answer: Any, expected: dict[str, type]) -> Any:
        rows = answer if isinstance(answer, list) else [answer]
        assert rows
        for row in rows:
            shapes.assert_shape(row, expected)
        return answer

    return check


def test_exchange_info(client: Any, checked: Check) -> None:
    """Contracts, filters and rate limits."""
    info = client("exchangeInfo")
    rows = checked(info["symbols"], shapes.SYMBOL)
    assert BTC in {row["symbol"] for row in rows}
    checked(info["rateLimits"], shapes.RATE_LIMIT)
    found = {row["filterType"]: row for row in rows[0]["filters"]}
    assert found["PRICE_FILTER"].keys() >= {"minPrice", "maxPrice", "tickSize"}
    for name in ("LOT_SIZE", "MARKET_LOT_SIZE"):
        assert found[name].keys() >= {"minQty", "maxQty", "stepSize"}
    assert found.keys() >= {"MAX_NUM_ORDERS", "MIN_NOTIONAL", "PERCENT_PRICE"}
    assert {"MARKET", "LIMIT", "STOP_MARKET"} <= set(rows[0]["orderTypes"])


def test_klines(client: Any) -> None:
    """Candles are lists of twelve, the same for the symbol and for its perpetual contract."""
    rows = client("klines", symbol=BTC, interval="1h", limit=3)
    same = client("continuousKlines", pair=BTC, contractType="PERPETUAL", interval="1h", limit=3)
    assert len(rows) == 3
    assert [type(value) for value in rows[0]] == shapes.KLINE
    assert same[0] == rows[0]
    assert client.refused("klines", symbol=BTC, interval="1h", limit=0) == -1130


def test_market_data(client: Any, checked: Check) -> None:
    """Book, prints, mark price and day ticker."""
    book = client("depth", symbol=BTC, limit=5)
    assert float(book["bids"][0][0]) < float(book["asks"][0][0])
    checked(client("markPrice", symbol=BTC), shapes.MARK)
    checked(client("ticker", symbol=BTC), shapes.TICKER)
    for call, expected in (
        ("trades", shapes.PRINT),
        ("historicalTrades", shapes.PRINT),
        ("aggTrades", shapes.AGG_PRINT),
    ):
        rows = client(call, symbol=BTC)
        assert rows == [] or checked(rows, expected)


def test_account(client: Any, checked: Check) -> None:
    """Balances, modes, fees and leverage tables."""
    account = checked(client("account"), shapes.ACCOUNT)
    assert account["assets"][0]["asset"] == "USDT"
    assert {row["symbol"] for row in account["positions"]} >= {BTC}
    checked(client("balance"), shapes.BALANCE)
    checked(client("commission", symbol=BTC), shapes.COMMISSION)
    checked(client("symbolConfig", symbol=BTC), shapes.SYMBOL_CONFIG)
    assert client("accountConfig")["canTrade"] is True
    assert client("positionMode") == {"dualSidePosition": False}
    assert client("assetsMode") == {"multiAssetsMargin": False}
    assert client("feeBurn") == {"feeBurn": False}
    brackets = client("brackets", symbol=BTC)
    assert int((brackets[0] if isinstance(brackets, list) else brackets)["brackets"][0]["bracket"])


def test_leverage_and_margin_type(client: Any, checked: Check) -> None:
    """Both are set and read back; the same margin type again is -4046."""
    answer = checked(client("leverage", symbol=BTC, leverage=25), shapes.LEVERAGE)
    assert int(answer["leverage"]) == 25
    checked(client("marginType", symbol=BTC, marginType="ISOLATED"), shapes.DONE)
    assert client.refused("marginType", symbol=BTC, marginType="ISOLATED") == -4046
    (row,) = client("symbolConfig", symbol=BTC)
    assert (int(row["leverage"]), row["marginType"]) == (25, "ISOLATED")
    client("marginType", symbol=BTC, marginType="CROSSED")


def test_isolated_margin(client: Any, checked: Check) -> None:
    """Margin goes into an isolated position and out of it; each change is listed."""
    client("marginType", symbol=BTC, marginType="ISOLATED")
    client("newOrder", **MARKET, side="BUY")
    answer = client("positionMargin", symbol=BTC, amount=12.5, type=1)
    assert (answer["msg"], float(answer["amount"]), int(answer["type"])) == (
        "Successfully modify position margin.",
        12.5,
        1,
    )
    client("positionMargin", symbol=BTC, amount=2.5, type=2)
    assert client.refused("positionMargin", symbol=BTC, amount=10**6, type=1) == -4050
    rows = checked(client("marginHistory", symbol=BTC), shapes.MARGIN_CHANGE)
    assert [float(row["amount"]) for row in rows[-2:]] == [12.5, 2.5]
    (place,) = client("adlQuantile")
    assert (place["symbol"], int(place["adlQuantile"]["BOTH"])) == (BTC, 0)
    client("newOrder", **MARKET, side="SELL", reduceOnly="true")
    client("marginType", symbol=BTC, marginType="CROSSED")


def test_cross_position(client: Any, checked: Check) -> None:
    """A symbol not switched is cross: its isolated figures are "0"."""
    client("newOrder", **MARKET, side="BUY")
    (row,) = checked(client("positions", symbol=BTC), shapes.POSITION)
    assert (row["isolatedMargin"], row["isolatedWallet"]) == ("0", "0")
    assert float(client("balance")[0]["crossUnPnl"]) != 0


def test_interest_and_insurance(client: Any, checked: Check) -> None:
    """Public figures of the contract and of the insurance fund."""
    checked(client("openInterest", symbol=BTC), shapes.OPEN_INTEREST)
    checked(client("insurance")["assets"], shapes.INSURANCE)


@pytest.mark.parametrize("kind", KINDS)
def test_force_orders(kind: str, checked: Check) -> None:
    """A liquidation is listed with its own fields."""
    venue = open_venue("calm", 7, balance=1000)
    venue.place_order(OrderRequest(BTC, Side.BUY, OrderType.MARKET, Decimal("0.05"), "entry"))
    venue.tape[BTC].mark *= 0.7
    venue.liquidator.run()
    with RehearsalServer(venue) as server, connected(kind, server) as client:
        (row,) = checked(client("forceOrders", autoCloseType="LIQUIDATION"), shapes.FORCE_ORDER)
        assert (row["symbol"], row["status"], row["timeInForce"]) == (BTC, "FILLED", "IOC")
        assert client("forceOrders", autoCloseType="ADL") == []


def test_market_order(client: Any, checked: Check) -> None:
    """RESULT tells of the fills, ACK (the default) of nothing; fills are trades and incomes."""
    order = checked(
        client("newOrder", **MARKET, side="BUY", newOrderRespType="RESULT"), shapes.NEW_ORDER
    )
    assert (order["status"], float(order["executedQty"])) == ("FILLED", 0.01)
    (position,) = checked(client("positions", symbol=BTC), shapes.POSITION)
    assert float(position["positionAmt"]) == 0.01
    close = checked(client("newOrder", **MARKET, side="SELL", reduceOnly="true"), shapes.NEW_ORDER)
    assert (close["status"], float(close["executedQty"])) == ("NEW", 0)
    known = checked(client("getOrder", symbol=BTC, orderId=close["orderId"]), shapes.ORDER)
    assert (known["status"], known["reduceOnly"]) == ("FILLED", True)
    assert client("positions", symbol=BTC) == []
    trades = checked(client("userTrades", symbol=BTC), shapes.TRADE)
    assert {order["orderId"], close["orderId"]} <= {trade["orderId"] for trade in trades}
    incomes = checked(client("income", symbol=BTC), shapes.INCOME)
    assert {"REALIZED_PNL", "COMMISSION"} == {row["incomeType"] for row in incomes}


def test_limit_order(client: Any, checked: Check) -> None:
    """A resting order is found by id and by client id, listed, and cancelled."""
    name = f"mine-{id(client)}"
    order = checked(client("newOrder", **LIMIT, newClientOrderId=name), shapes.NEW_ORDER)
    assert (order["status"], order["clientOrderId"]) == ("NEW", name)
    for call in ("getOrder", "openOrder"):
        for key in ({"orderId": order["orderId"]}, {"origClientOrderId": name}):
            found = checked(client(call, symbol=BTC, **key), shapes.ORDER)
            assert found["orderId"] == order["orderId"]
    assert [o["orderId"] for o in checked(client("openOrders", symbol=BTC), shapes.ORDER)] == [
        order["orderId"]
    ]
    assert client.refused("newOrder", **LIMIT, newClientOrderId=name) == -4116
    gone = client("cancelOrder", symbol=BTC, origClientOrderId=name)
    assert checked(gone, shapes.NEW_ORDER)["status"] == "CANCELED"
    assert client.refused("cancelOrder", symbol=BTC, orderId=order["orderId"]) == -2011
    assert client.refused("openOrder", symbol=BTC, orderId=order["orderId"]) == -2013
    assert checked(client("allOrders", symbol=BTC), shapes.ORDER)[-1]["status"] == "CANCELED"


def test_amended_order(client: Any, checked: Check) -> None:
    """An order is amended by number and by name, keeps both, and tells of its past."""
    name = f"moved-{id(client)}"
    order = client("newOrder", **LIMIT, newClientOrderId=name)
    change = {"symbol": BTC, "side": "BUY", "quantity": 0.02, "price": 51_000}
    answer = checked(client("amendOrder", **change, orderId=order["orderId"]), shapes.AMENDED)
    assert (answer["clientOrderId"], answer["price"], answer["origQty"]) == (name, "51000", "0.02")
    change["price"] = 52_000
    client("amendOrder", **change, origClientOrderId=name)
    assert client.refused("amendOrder", **change, origClientOrderId=name) == -5027
    assert client.refused("amendOrder", **change, orderId=1) == -2013
    rows = checked(client("amendments", symbol=BTC, origClientOrderId=name), shapes.AMENDMENT)
    assert [row["amendment"]["count"] for row in rows] == [2, 1]
    price, size = rows[0]["amendment"]["price"], rows[1]["amendment"]["origQty"]
    assert (price["before"], price["after"]) == ("51000", "52000")
    assert (size["before"], size["after"]) == ("0.01", "0.02")
    (resting,) = client("openOrders", symbol=BTC)
    assert (resting["orderId"], resting["price"]) == (order["orderId"], "52000")


def test_batches(opened: tuple[str, RehearsalServer], client: Any, checked: Check) -> None:
    """Orders are placed, amended and cancelled in lists; a refused one leaves the others be."""
    kind = opened[0]
    names = [f"{letter}-{id(client)}" for letter in "ab"]
    orders = [LIMIT | {"newClientOrderId": name} for name in names]
    *placed, refused = client("newBatch", batchOrders=[*orders, LIMIT | {"price": 50_000.01}])
    checked(placed, shapes.BATCHED)
    assert ([row["clientOrderId"] for row in placed], refused["code"]) == (names, -4014)
    change = {"symbol": BTC, "side": "BUY", "quantity": 0.02, "price": 51_000}
    changes = [change | {"orderId": row["orderId"]} for row in placed]
    # python-binance signs this list in another form than it sends it.
    if kind != "python-binance":
        amended = checked(client("amendBatch", batchOrders=changes), shapes.BATCHED)
        assert [row["price"] for row in amended] == ["51000", "51000"]
    by_number, by_name = "orderIdList", "origClientOrderIdList"
    if kind != "official":
        by_number, by_name = by_number.lower(), by_name.lower()
    numbers = [str(placed[0]["orderId"]), "1"]
    gone, unknown = client("cancelBatch", symbol=BTC, **{by_number: numbers})
    assert (gone["status"], unknown["code"]) == ("CANCELED", -2011)
    (gone,) = client("cancelBatch", symbol=BTC, **{by_name: names[1:]})
    assert gone["status"] == "CANCELED"
    assert client.refused("newBatch", batchOrders=[LIMIT | {} for _ in range(6)]) == -4082


def test_order_test(client: Any) -> None:
    """An order can be tried; it is checked and leaves nothing behind."""
    client("testOrder", **LIMIT)
    assert client("openOrders", symbol=BTC) == []
    assert client.refused("testOrder", **LIMIT | {"price": 50_000.01}) == -4014


def test_countdown(client: Any, checked: Check) -> None:
    """The countdown is armed and stopped."""
    client("newOrder", **LIMIT)
    armed = checked(client("countdown", symbol=BTC, countdownTime=60_000), shapes.COUNTDOWN)
    assert armed["countdownTime"] == "60000"
    assert client("countdown", symbol=BTC, countdownTime=0)["countdownTime"] == "0"
    checked(client("cancelAll", symbol=BTC), shapes.DONE)
    assert client("openOrders", symbol=BTC) == []


def test_algo_order(client: Any, checked: Check) -> None:
    """A stop goes to the algo service, is found by both ids, listed, and cancelled."""
    name = f"stop-{id(client)}"
    stop = checked(client("newAlgo", **STOP, clientAlgoId=name), shapes.NEW_ALGO)
    assert (stop["algoStatus"], stop["clientAlgoId"], stop["reduceOnly"]) == ("NEW", name, True)
    for key in ({"algoId": stop["algoId"]}, {"clientAlgoId": name}):
        found = checked(client("getAlgo", **key), shapes.ALGO_QUERY)
        assert found["actualOrderId"] == ""
    rows = checked(client("openAlgos", symbol=BTC), shapes.ALGO)
    assert [row["algoId"] for row in rows] == [stop["algoId"]]
    checked(client("cancelAlgo", algoId=stop["algoId"]), shapes.ALGO_CANCEL)
    assert client.refused("cancelAlgo", algoId=stop["algoId"]) == -2011
    assert checked(client("allAlgos", symbol=BTC), shapes.ALGO)[-1]["algoStatus"] == "CANCELED"
    checked(client("cancelAlgos", symbol=BTC), shapes.DONE)


@pytest.mark.parametrize(
    ("call", "params", "code"),
    [
        ("newOrder", MARKET | {"side": "SELL", "reduceOnly": "true"}, -2022),
        ("newOrder", MARKET | {"side": "BUY", "quantity": 20}, -2019),
        ("newAlgo", STOP | {"triggerPrice": 900_000}, -2021),
        ("getOrder", {"symbol": BTC, "orderId": 1}, -2013),
        ("getOrder", {"symbol": "NOPE", "orderId": 1}, -1121),
        ("getOrder", {"symbol": BTC}, -1102),
    ],
    ids=str,
)
def test_refusals(client: Any, call: str, params: dict[str, Any], code: int) -> None:
    """The code of a refusal reaches each client."""
    assert client.refused(call, **params) == code


def test_limit_headers(client: Any) -> None:
    """Every answer tells the weight used, an order's also the orders counted."""
    client("income")
    used = int(client.headers["X-MBX-USED-WEIGHT-1M"])
    assert 30 <= used <= 2400
    client("newOrder", **LIMIT)
    counts = [int(client.headers[f"X-MBX-ORDER-COUNT-{span}"]) for span in ("10S", "1M")]
    assert 1 <= counts[0] <= counts[1] <= 1200


@pytest.mark.parametrize("kind", KINDS)
def test_too_many_requests(kind: str) -> None:
    """Beyond 2400 a minute a client reads 429 and -1003; the clock stands still here."""
    with RehearsalServer(Stage().venue) as server, connected(kind, server) as client:
        for _ in range(12):
            client("historicalTrades", symbol=BTC)
        assert client.headers["X-MBX-USED-WEIGHT-1M"] == "2400"
        assert client.refused("historicalTrades", symbol=BTC) == -1003
