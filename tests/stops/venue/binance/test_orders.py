"""The line to Binance futures does what the protocol says, on the rehearsal exchange."""

import gc
import logging
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from decimal import Decimal
from math import inf
from pathlib import Path
from typing import Any

import pytest

from qt_protections.rehearsal.api.paging import Page
from qt_protections.rehearsal.auth import API_KEY, API_SECRET
from qt_protections.rehearsal.engine.orders import AlgoStatus, OrderRequest, OrderType, Side
from qt_protections.rehearsal.errors import VenueError
from qt_protections.stops.state.stop import StopStatus, stop_status
from qt_protections.stops.venue.binance import order_search
from qt_protections.stops.venue.binance.orders import BinanceVenue
from qt_protections.stops.venue.protocol import (
    CloseOrder,
    Outcome,
    RequestError,
    Road,
    StopOrder,
    TrailingOrder,
)
from tests.integration.rig import BTC, ETH, until
from tests.patience import PATIENCE_S
from tests.stops.venues import Scene


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    """An exchange in an uptrend, flat."""
    with Scene(tmp_path) as opened:
        yield opened


@pytest.fixture
def venue(scene: Scene) -> BinanceVenue:
    """A line with Freqtrade's usual order types."""
    return BinanceVenue(scene.exchange, {"stoploss": "market"}, round(PATIENCE_S * 1000))


def enter(scene: Scene, pair: str, amount: float, side: str = "buy", leverage: float = 7.0) -> None:
    """Open a position as Freqtrade does."""
    scene.exchange.create_order(
        pair=pair, ordertype="market", side=side, amount=amount, rate=1.0, leverage=leverage
    )


def stop(
    venue: BinanceVenue,
    pair: str = BTC,
    *,
    is_short: bool = False,
    client_id: str = "qt0000-SBTCUSDT-1",
    **changes: Any,
) -> Any:
    """Place a stop a tenth away from the price."""
    trigger = venue.price(pair) * (1.1 if is_short else 0.9)
    order = StopOrder(pair, is_short, 0.01, trigger, 1.0)
    return venue.place_stop(replace(order, **changes), client_id)


@pytest.mark.parametrize(
    ("is_short", "side", "sent"), [(False, "SELL", "80000.1"), (True, "BUY", "110000")]
)
def test_a_stop_reduces_and_triggers_no_later_than_asked(
    venue: BinanceVenue, is_short: bool, side: str, sent: str
) -> None:
    """It is STOP_MARKET, reduce-only, by quantity, and its trigger is rounded toward the price."""
    trigger = 110_000.04 if is_short else 80_000.04
    order = stop(venue, is_short=is_short, amount=0.0129, trigger=trigger)
    assert {
        "orderType": "STOP_MARKET",
        "side": side,
        "quantity": "0.012",
        "triggerPrice": sent,
        "reduceOnly": True,
        "closePosition": False,
        "workingType": "CONTRACT_PRICE",
        "clientAlgoId": "qt0000-SBTCUSDT-1",
    }.items() <= order["info"].items()
    assert (order["status"], order["stopPrice"], order["amount"]) == ("open", float(sent), 0.012)


@pytest.mark.parametrize("amount", [0.3 - 0.1, 0.1 + 0.1, 0.2004])
def test_a_stop_covers_the_last_lot(venue: BinanceVenue, amount: float) -> None:
    """0.3 - 0.1 is a little less than 0.2, which cut to lots would be 0.199."""
    assert stop(venue, amount=amount)["info"]["quantity"] == "0.2"


def test_margin_type_and_leverage_are_not_touched(scene: Scene, venue: BinanceVenue) -> None:
    """Freqtrade's entry sends them; twice would be two round trips more."""
    stop(venue, trigger=80_000.0)
    placed = {"POST /fapi/v1/algoOrder": 1}
    sent = {what: count for what, count in scene.requests().items() if what.startswith("POST")}
    assert sent == placed


def test_a_stop_is_the_one_freqtrade_would_have_placed(scene: Scene, venue: BinanceVenue) -> None:
    """So that Freqtrade finds nothing to replace in it."""
    types = {"stoploss": "market", "stoploss_price_type": "mark"}
    mark = BinanceVenue(scene.exchange, types, round(PATIENCE_S * 1000))
    theirs = scene.exchange.create_stoploss(BTC, 0.0129, 80_000.04, types, "sell", 3.0)
    ours = stop(mark, amount=0.0129, trigger=80_000.04)
    own = {"algoId", "clientAlgoId", "createTime", "updateTime"}
    assert {k: v for k, v in ours["info"].items() if k not in own} == {
        k: v for k, v in theirs["info"].items() if k not in own
    }


def test_an_order_is_found_by_either_id(venue: BinanceVenue) -> None:
    """And what the exchange does not know is None."""
    placed = stop(venue)
    by_name = venue.find_stop(BTC, client_id="qt0000-SBTCUSDT-1")
    assert by_name is not None
    assert by_name == venue.find_stop(BTC, order_id=placed["id"])
    assert by_name["id"] == placed["id"]
    assert venue.find_stop(BTC, client_id="qt0000-SBTCUSDT-2") is None
    assert venue.find_stop(BTC, order_id="4999999999") is None


def test_open_orders_are_told_in_one_request(scene: Scene, venue: BinanceVenue) -> None:
    """Of all pairs or of one; conditional ones apart from those of the book."""
    stop(venue, BTC)
    stop(venue, ETH, is_short=True, client_id="other")
    scene.exchange.create_order(
        pair=ETH, ordertype="limit", side="buy", amount=0.5, rate=1500.0, leverage=2.0
    )
    before = sum(scene.requests().values())
    assert [order["symbol"] for order in venue.open_stops()] == [BTC, ETH]
    assert [order["clientOrderId"] for order in venue.open_stops(ETH)] == ["other"]
    assert [(order["symbol"], order["price"]) for order in venue.open_orders()] == [(ETH, 1500.0)]
    assert sum(scene.requests().values()) == before + 3


def test_a_cancelled_order_may_be_cancelled_again(scene: Scene, venue: BinanceVenue) -> None:
    """What is gone is gone; nothing is raised."""
    placed = stop(venue)
    resting = scene.exchange.create_order(
        pair=ETH, ordertype="limit", side="buy", amount=0.5, rate=1500.0, leverage=2.0
    )
    for _ in range(2):
        venue.cancel(BTC, placed["id"])
        venue.cancel_order(ETH, resting["id"])
    assert (venue.open_stops(), venue.open_orders()) == ([], [])
    cancelled = venue.find_stop(BTC, order_id=placed["id"])
    assert cancelled is not None
    assert cancelled["status"] == "canceled"


def test_positions_are_told_with_side_size_and_leverage(scene: Scene, venue: BinanceVenue) -> None:
    """A symbol with nothing but a resting order is not among them."""
    assert venue.positions() == {}
    enter(scene, BTC, 0.02, leverage=7.0)
    enter(scene, ETH, 0.5, "sell", leverage=13.0)
    scene.exchange.create_order(
        pair="ZEN/USDT:USDT", ordertype="limit", side="buy", amount=50, rate=5.0, leverage=2.0
    )
    long, short = venue.positions()[BTC], venue.positions()[ETH]
    assert (long.is_short, long.amount, long.leverage) == (False, 0.02, 7.0)
    assert (short.is_short, short.amount, short.leverage) == (True, 0.5, 13.0)
    assert long.entry_price == pytest.approx(venue.price(BTC), rel=1e-3)
    assert venue.positions().keys() == {BTC, ETH}


def test_closing_reduces_by_name(scene: Scene, venue: BinanceVenue) -> None:
    """The order is found by its name, and more than there is is not sold."""
    enter(scene, BTC, 0.02)
    closed = venue.close(CloseOrder(BTC, False, 0.05, 7.0), "qt-X")
    assert (closed["status"], closed["filled"]) == ("closed", 0.02)
    assert venue.positions() == {}
    found = venue.find_order(BTC, client_id="qt-X")
    assert found is not None
    assert (found["id"], found["reduceOnly"]) == (closed["id"], True)
    with pytest.raises(RequestError) as refused:
        venue.close(CloseOrder(BTC, False, 0.02, 7.0), "qt-Y")
    assert (refused.value.outcome, refused.value.code) == (Outcome.REFUSED, -2022)
    assert venue.find_order(BTC, client_id="qt-Y") is None


def test_a_triggered_stop_leads_to_what_it_sent(scene: Scene, venue: BinanceVenue) -> None:
    """FINISHED alone proves no fill: the order it sent tells."""
    enter(scene, BTC, 0.02)
    placed = stop(venue, amount=0.02, trigger=venue.price(BTC) * 0.99)
    scene.move("BTCUSDT", 0.95)
    done = venue.find_stop(BTC, order_id=placed["id"])
    assert done is not None
    assert done["status"] == "closed"
    child = venue.find_order(BTC, order_id=done["info"]["actualOrderId"])
    assert child is not None
    assert (child["status"], child["filled"], child["side"]) == ("closed", 0.02, "sell")
    assert venue.positions() == {}


@pytest.mark.parametrize(
    ("activation", "is_short", "side", "sent"),
    [
        (None, False, "SELL", "0"),
        (100_000.04, False, "SELL", "100000.1"),
        (80_000.06, True, "BUY", "80000"),
    ],
    ids=["at-once", "long", "short"],
)
def test_a_trailing_stop_takes_a_percentage(
    venue: BinanceVenue, activation: float | None, is_short: bool, side: str, sent: str
) -> None:
    """And sits beside the stop, reduce-only; 0.1 + 0.2 is 0.3."""
    order = venue.place_trailing(TrailingOrder(BTC, is_short, 0.02, 0.1 + 0.2, activation), "qt-T")
    info = order["info"]
    assert (info["orderType"], info["side"]) == ("TRAILING_STOP_MARKET", side)
    assert (info["callbackRate"], info["reduceOnly"]) == ("0.3", True)
    assert info["activatePrice"] == sent
    assert venue.find_stop(BTC, client_id="qt-T") is not None


@pytest.mark.parametrize(
    ("types", "kind", "endpoint"),
    [
        ({}, "CONTRACT_PRICE", "GET /fapi/v2/ticker/price"),
        ({"stoploss_price_type": "last"}, "CONTRACT_PRICE", "GET /fapi/v2/ticker/price"),
        ({"stoploss_price_type": "mark"}, "MARK_PRICE", "GET /fapi/v1/premiumIndex"),
    ],
    ids=["unsaid", "last", "mark"],
)
def test_the_price_is_the_one_that_triggers(
    scene: Scene, types: dict[str, str], kind: str, endpoint: str
) -> None:
    """A re-priced stop is measured by what would trigger it."""
    venue = BinanceVenue(scene.exchange, types, round(PATIENCE_S * 1000))
    price = venue.price(BTC)
    tape = scene.venue.tape
    told = tape.mark("BTCUSDT") if kind == "MARK_PRICE" else tape.last("BTCUSDT")
    assert price == float(told)
    assert scene.requests()[endpoint] == 1
    assert stop(venue)["info"]["workingType"] == kind


def test_freqtrades_rate_limiter_and_retries_are_left_out(scene: Scene) -> None:
    """Nothing waits for what Freqtrade asked before, and ccxt sends nothing twice nor prints it."""
    theirs = scene.exchange._api
    theirs.verbose = True
    theirs.enableRateLimit, theirs.options["maxRetriesOnFailure"] = True, 3
    own = BinanceVenue(scene.exchange, {})._connection.api()
    assert (own.enableRateLimit, own.options["maxRetriesOnFailure"]) == (False, 0)
    assert (theirs.enableRateLimit, theirs.options["maxRetriesOnFailure"]) == (True, 3)
    assert (own.options["recvWindow"], theirs.options["recvWindow"]) == (10_000, 10_000)
    assert (own.verbose, own.session is theirs.session) == (False, False)
    assert (own.timeout, theirs.timeout) == (1500, 10000)


def test_reloaded_markets_are_taken_over(scene: Scene, venue: BinanceVenue) -> None:
    """A pair that was listed since is known at once."""
    scene.exchange.reload_markets(force=True, load_leverage_tiers=False)
    venue.open_stops()
    assert venue._connection.api().markets is scene.exchange._api.markets


def test_the_window_of_a_users_settings_counts(scene: Scene) -> None:
    """What Freqtrade sent may come as late."""
    scene.exchange._api.options["recvWindow"] = 60_000
    assert BinanceVenue(scene.exchange, {}).arrives_within_s == 61.0


def test_an_order_in_a_market_freqtrade_has_not_loaded_is_told_as_well(
    scene: Scene, venue: BinanceVenue
) -> None:
    """Someone may trade what was listed since the last reload; the watch must not end by it."""
    stop(venue, BTC)
    stop(venue, ETH, client_id="other")
    api = scene.exchange._api
    del api.markets[ETH], api.markets_by_id["ETHUSDT"]
    assert [order["symbol"] for order in venue.open_stops()] == [BTC, "ETHUSDT"]


def delist(scene: Scene) -> None:
    """Let Freqtrade know of no ETH."""
    api = scene.exchange._api
    api.markets = {pair: of for pair, of in api.markets.items() if pair != ETH}
    api.markets_by_id = {name: of for name, of in api.markets_by_id.items() if name != "ETHUSDT"}


def test_a_position_in_a_market_freqtrade_has_not_loaded_makes_it_load(
    scene: Scene, venue: BinanceVenue
) -> None:
    """Else it could be neither covered nor counted for up to an hour."""
    enter(scene, ETH, 0.5)
    delist(scene)
    assert venue.positions()[ETH].amount == 0.5
    assert "id" in stop(venue, ETH)


def test_a_position_in_a_market_that_is_not_listed_is_told_once(
    scene: Scene, venue: BinanceVenue, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    """No order can be sent there; the others are told all the same."""
    enter(scene, BTC, 0.5)
    enter(scene, ETH, 0.5)
    loads: list[bool] = []

    def reload_markets(*, force: bool) -> None:
        loads.append(force)
        if len(loads) > 1:  # the first time the exchange does not answer
            delist(scene)

    delist(scene)
    monkeypatch.setattr(scene.exchange, "reload_markets", reload_markets)
    assert [list(venue.positions()) for _ in range(4)] == [[BTC]] * 4
    assert loads == [True, True]
    assert caplog.text.count("[ALERT] ETHUSDT is held on the exchange, which lists no such") == 1


def busy() -> VenueError:
    """Return what an address hears that asked too often."""
    return VenueError(-1003, "Too many requests.", 429, retry_after_s=1700)


def test_a_close_does_not_wait_for_the_conditional_orders(
    scene: Scene, venue: BinanceVenue
) -> None:
    """Each request before a silence is over counts toward a ban: of that service, none is sent."""
    enter(scene, BTC, 0.02)
    placed = stop(venue)
    scene.venue.before.append(busy())
    with pytest.raises(RequestError, match="-1003"):
        stop(venue, client_id="qt-2")
    assert 0 < venue.shut_s(Road.STOPS) <= 1700
    before = scene.requests()
    for ask in (
        venue.open_stops,
        lambda: stop(venue, client_id="qt-3", trigger=80_000.0),
        lambda: venue.find_stop(BTC, client_id="qt-2"),
        lambda: venue.cancel(BTC, placed["id"]),
        lambda: venue.place_trailing(TrailingOrder(BTC, False, 0.02, 1.0, None), "qt-T"),
    ):
        with pytest.raises(RequestError, match="nothing is sent for"):
            ask()
    assert {k: n for k, n in scene.requests().items() if "lgo" in k} == {
        k: n for k, n in before.items() if "lgo" in k
    }
    assert venue.close(CloseOrder(BTC, False, 0.02, 7.0), "qt-X")["filled"] == 0.02
    assert (venue.positions(), venue.open_orders()) == ({}, [])


def test_a_stop_does_not_wait_for_the_orders(scene: Scene, venue: BinanceVenue) -> None:
    """Nor for what was asked of the account."""
    enter(scene, BTC, 0.02)
    scene.venue.before.append(busy())
    with pytest.raises(RequestError, match="-1003"):
        venue.close(CloseOrder(BTC, False, 0.02, 7.0), "qt-X")
    for ask in (
        venue.open_orders,
        lambda: venue.orders_since(BTC, 0),
        lambda: venue.find_order(BTC, client_id="qt-X"),
        lambda: venue.cancel_order(BTC, "1"),
        lambda: venue.close(CloseOrder(BTC, False, 0.02, 7.0), "qt-Y"),
    ):
        with pytest.raises(RequestError, match="orders: too many requests"):
            ask()
    assert stop(venue)["status"] == "open"
    assert venue.account_positions() == {BTC}
    assert [venue.shut_s(road) > 0 for road in Road] == [False, True, False]


def test_too_many_orders_hold_up_no_close(scene: Scene, venue: BinanceVenue) -> None:
    """That limit is a period's of 10 or 60 s, and the account's."""
    enter(scene, BTC, 0.02)
    text = "Too many new orders; current limit is 300 orders per 10 SECOND."
    scene.venue.before.append(VenueError(-1015, text, 429))
    with pytest.raises(RequestError, match="-1015"):
        venue.close(CloseOrder(BTC, False, 0.02, 7.0), "qt-X")
    assert venue.close(CloseOrder(BTC, False, 0.02, 7.0), "qt-X")["filled"] == 0.02


@pytest.mark.parametrize(
    ("status", "told"), [(AlgoStatus.REJECTED, "rejected"), (AlgoStatus.EXPIRED, "expired")]
)
def test_a_stop_that_was_taken_and_is_dead_is_told_as_gone(
    scene: Scene, venue: BinanceVenue, status: AlgoStatus, told: str
) -> None:
    """Binance may answer so, with HTTP 200."""
    scene.venue.stillborn = status
    order = stop(venue)
    assert (order["status"], stop_status(order)) == (told, StopStatus.GONE)
    assert venue.open_stops() == []
    found = venue.find_stop(BTC, client_id="qt0000-SBTCUSDT-1")
    assert found is not None
    assert stop_status(found) is StopStatus.GONE


# -- what proves -----------------------------------------------------------------------------------


def test_the_history_tells_whose_and_what_became_of_each(scene: Scene, venue: BinanceVenue) -> None:
    """Entries, foreign orders, what a stop sent and a close: oldest first, of one pair."""
    begun_ms = scene.venue.now_ms
    enter(scene, BTC, 0.03)
    enter(scene, ETH, 0.5)
    scene.exchange.create_order(
        pair=BTC, ordertype="limit", side="buy", amount=0.01, rate=50_000.0, leverage=7.0
    )
    placed = stop(venue, amount=0.02, trigger=venue.price(BTC) * 0.99)
    scene.move("BTCUSDT", 0.95)
    venue.close(CloseOrder(BTC, False, 0.01, 7.0), "qt-X")
    entry, resting, child, closed = venue.orders_since(BTC, begun_ms)
    assert [o["side"] for o in (entry, resting, child, closed)] == ["buy", "buy", "sell", "sell"]
    assert [o["filled"] for o in (entry, resting, child, closed)] == [0.03, 0.0, 0.02, 0.01]
    fired = venue.find_stop(BTC, order_id=placed["id"])
    assert fired is not None
    assert child["id"] == fired["info"]["actualOrderId"]
    assert (closed["clientOrderId"], closed["reduceOnly"]) == ("qt-X", True)
    assert (resting["status"], entry["status"]) == ("open", "closed")
    times = [order["timestamp"] for order in (entry, resting, child, closed)]
    assert times == sorted(times)
    assert [o["id"] for o in venue.orders_since(BTC, closed["timestamp"] + 1)] == []


def place(scene: Scene, count: int, first: int = 0) -> None:
    """Place small orders of somebody's."""
    for number in range(first, first + count):
        side = Side.SELL if number % 2 else Side.BUY
        scene.venue.place_order(
            OrderRequest("BTCUSDT", side, OrderType.MARKET, Decimal("0.002"), f"f{number}")
        )


@pytest.mark.parametrize("count", [1000, 2300])
def test_a_long_history_is_told_whole(scene: Scene, venue: BinanceVenue, count: int) -> None:
    """One answer holds 1,000 orders at most."""
    begun_ms = scene.venue.now_ms
    for number in range(0, count, 100):
        place(scene, min(100, count - number), number)
        scene.requests()  # the exchange's clock goes on
    found = venue.orders_since(BTC, begun_ms)
    assert [order["clientOrderId"] for order in found] == [f"f{number}" for number in range(count)]
    assert scene.requests()["GET /fapi/v1/allOrders"] <= count // 1000 * 2 + 2


@pytest.mark.parametrize("latest_first", [False, True])
def test_a_history_is_whole_whichever_end_an_answer_begins_at(
    scene: Scene, venue: BinanceVenue, monkeypatch: pytest.MonkeyPatch, latest_first: bool
) -> None:
    """Binance's documents leave that open."""
    monkeypatch.setattr(order_search, "_MOST_ORDERS", 5)
    if latest_first:
        select = Page.select

        def latest(page: Page, rows: Any, time_of: Any, id_of: Any) -> Any:
            return select(replace(page, limit=1000), rows, time_of, id_of)[-page.limit :]

        monkeypatch.setattr(Page, "select", latest)
    begun_ms = scene.venue.now_ms
    for number in range(13):
        place(scene, 1, number)
        until(lambda before=scene.venue.now_ms: scene.requests() and scene.venue.now_ms > before)
    found = venue.orders_since(BTC, begun_ms)
    assert [order["clientOrderId"] for order in found] == [f"f{number}" for number in range(13)]


def test_the_history_goes_back_six_days(scene: Scene, venue: BinanceVenue) -> None:
    """Binance searches seven at most; the sixth day is soon enough for a guard."""
    asked: list[dict[str, Any]] = []
    api = venue._connection.api()
    get = api.fapiPrivateGetAllOrders
    api.fapiPrivateGetAllOrders = lambda params: asked.append(params) or get(params)
    venue.orders_since(BTC, 0)
    venue.orders_since(BTC, scene.venue.now_ms - 1000)
    ages_s = [(scene.venue.now_ms - params["startTime"]) / 1000 for params in asked]
    assert ages_s[0] == pytest.approx(6 * 86_400, abs=60)
    assert ages_s[1] == pytest.approx(1, abs=60)


def test_two_endpoints_tell_of_positions(scene: Scene, venue: BinanceVenue) -> None:
    """Long or short, whoever opened them; a resting order is none."""
    assert venue.account_positions() == set()
    enter(scene, BTC, 0.02)
    enter(scene, ETH, 0.5, "sell")
    scene.exchange.create_order(
        pair="ZEN/USDT:USDT", ordertype="limit", side="buy", amount=50, rate=5.0, leverage=2.0
    )
    assert venue.account_positions() == set(venue.positions()) == {BTC, ETH}
    assert scene.requests()["GET /fapi/v3/account"] >= 2
    venue.close(CloseOrder(ETH, True, 0.5, 7.0), "qt-X")
    assert venue.account_positions() == {BTC}


def test_quotes_are_of_all_pairs_and_of_the_book(scene: Scene, venue: BinanceVenue) -> None:
    """In one request."""
    quotes = venue.quotes()
    assert quotes.keys() == {pair for pair in scene.exchange.markets if pair.endswith(":USDT")}
    quote = quotes[BTC]
    assert quote.bid < quote.ask
    assert quote.bid <= venue.price(BTC) * 1.001
    assert quote.ask >= venue.price(BTC) * 0.999
    assert 0 < quote.spread < 0.01


def test_a_pair_whose_book_is_empty_has_no_quote(scene: Scene, venue: BinanceVenue) -> None:
    """Nor has one that Freqtrade does not know."""
    api = venue._connection.api()
    get = api.fapiPublicGetTickerBookTicker
    api.fapiPublicGetTickerBookTicker = lambda: [
        row | {"bidPrice": "0"} if row["symbol"] == "ETHUSDT" else row
        for row in [*get(), {"symbol": "NEWUSDT", "bidPrice": "1", "askPrice": "2"}]
    ]
    quotes = venue.quotes()
    assert ETH not in quotes
    assert BTC in quotes
    assert not any("NEW" in pair for pair in quotes)


def test_orders_of_one_pair_are_told_alone(scene: Scene, venue: BinanceVenue) -> None:
    """Whoever placed them, and none that is conditional or done."""
    for pair, rate in ((BTC, 50_000.0), (ETH, 1500.0)):
        scene.exchange.create_order(
            pair=pair, ordertype="limit", side="buy", amount=0.02, rate=rate, leverage=2.0
        )
    enter(scene, BTC, 0.02)
    stop(venue)
    (told,) = venue.open_orders(BTC)
    assert (told["symbol"], told["status"], told["price"]) == (BTC, "open", 50_000.0)


@pytest.mark.parametrize(
    ("ask", "weight"),
    [
        (lambda venue: venue.open_stops(), 40),
        (lambda venue: venue.open_stops(BTC), 1),
        (lambda venue: venue.open_orders(), 40),
        (lambda venue: venue.open_orders(BTC), 1),
        (lambda venue: venue.orders_since(BTC, 0), 5),
        (lambda venue: venue.positions(), 5),
        (lambda venue: venue.account_positions(), 5),
        (lambda venue: venue.quotes(), 5),
        (lambda venue: venue.price(BTC), 1),
        (lambda venue: venue.ping(), 1),
        (lambda venue: venue.find_stop(BTC, client_id="x"), 1),
        (lambda venue: venue.find_order(BTC, client_id="x"), 1),
    ],
)
def test_requests_weigh_what_is_said_of_them(
    scene: Scene, venue: BinanceVenue, ask: Callable[[BinanceVenue], object], weight: int
) -> None:
    """By the exchange's own count, which begins anew each minute."""

    def used() -> int:
        return int(venue._connection._own.last_response_headers["X-MBX-USED-WEIGHT-1M"])

    def cost() -> int:
        venue.ping()
        before = used()
        ask(venue)
        return used() - before

    assert weight in {cost(), cost()}  # of two in a row, one lies within a minute


# -- the largest order -----------------------------------------------------------------------------


def test_the_largest_order_is_taken_and_a_lot_more_is_not(
    scene: Scene, venue: BinanceVenue
) -> None:
    """Both as a stop and as a close."""
    instrument = scene.venue.tape.instrument("BTCUSDT")
    most = venue.largest(BTC)
    assert most == float(instrument.market_max_qty) < float(instrument.max_qty)
    assert float(stop(venue, amount=most)["info"]["quantity"]) == most
    more = most + float(instrument.step)
    with pytest.raises(RequestError) as refused:
        stop(venue, amount=more, client_id="qt-2")
    assert refused.value.code == -4005
    with pytest.raises(RequestError) as refused:
        venue.close(CloseOrder(BTC, False, more, 1.0), "qt-X")
    assert refused.value.code == -4005


@pytest.mark.parametrize(
    ("limits", "size", "most"),
    [
        ({"market": {"max": 120.0}}, 1.0, 120.0),
        ({"market": {"max": 120.0}}, 0.01, 1.2),
        ({"market": {"max": 0.0}}, 1.0, inf),
        ({"market": {"max": None}}, 1.0, inf),
        ({"market": None}, 1.0, inf),
        ({"amount": {"max": 5.0}}, 1.0, inf),
    ],
)
def test_the_largest_order_is_told_in_base_currency(
    scene: Scene, venue: BinanceVenue, limits: dict[str, Any], size: float, most: float
) -> None:
    """Of contracts of any size; where ccxt knows of no limit there is none."""
    market = scene.exchange.markets[BTC]
    scene.exchange.markets[BTC] = {**market, "limits": limits, "contractSize": size}
    assert venue.largest(BTC) == pytest.approx(most)


def test_a_failed_request_is_forgotten_with_its_error(scene: Scene, venue: BinanceVenue) -> None:
    """Freqtrade has the collector of cycles run about once an hour: until then cycles stay."""
    scene.venue.before.append(VenueError(-1008, http_status=503))
    gc.disable()
    try:
        stop(venue)
    except RequestError as error:
        failed = weakref.ref(error)
    finally:
        gc.enable()
    assert failed() is None


@pytest.mark.parametrize(("used", "sent"), [(1190, 1), (1200, 0)])
def test_pings_leave_half_of_a_minutes_weight_alone(
    scene: Scene, venue: BinanceVenue, used: int, sent: int
) -> None:
    """It is for what has a reason."""
    venue.budget.note({"X-MBX-USED-WEIGHT-1M": str(used)})
    venue.ping()
    assert scene.requests().get("GET /fapi/v1/ping", 0) == sent


def test_a_connection_in_use_is_not_pinged(scene: Scene, venue: BinanceVenue) -> None:
    """Whatever was asked keeps the connection open."""
    venue.price(BTC)
    venue.ping(idle_s=60.0)
    assert scene.requests().get("GET /fapi/v1/ping", 0) == 0
    venue.ping(idle_s=0.0)
    assert scene.requests().get("GET /fapi/v1/ping", 0) == 1


def test_a_connection_in_use_reads_the_clock_all_the_same(
    scene: Scene, venue: BinanceVenue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A busy guard never pings, and clocks drift."""
    for pause in ("_EVERY_S", "_AGAIN_S"):
        monkeypatch.setattr(f"qt_protections.stops.venue.binance.server_clock.{pause}", 0.0)
    before = scene.requests()["GET /fapi/v1/time"]
    venue.price(BTC)
    venue.ping(idle_s=60.0)
    assert scene.requests()["GET /fapi/v1/time"] > before


@pytest.mark.parametrize(
    ("used", "taken"),
    [
        (1000, {"find", "trail", "cancel", "stop", "close"}),
        (2200, {"trail", "cancel", "stop", "close"}),
        (2300, {"stop", "close"}),
        (2390, {"stop", "close"}),
    ],
)
def test_the_last_of_a_minutes_weight_is_for_what_protects(
    scene: Scene, venue: BinanceVenue, used: int, taken: set[str]
) -> None:
    """What is turned away was not sent, and may be asked for later."""
    acts: dict[str, Callable[[], object]] = {
        "find": lambda: venue.find_stop(BTC, client_id="x"),
        "trail": lambda: venue.place_trailing(TrailingOrder(BTC, False, 1.0, 1.0, None), "qt-T"),
        "cancel": lambda: venue.cancel(BTC, "404"),
        "stop": lambda: stop(venue),
        "close": lambda: venue.close(CloseOrder(BTC, False, 1.0, 1.0), "qt-X"),
    }
    turned_away = set()
    for name, act in acts.items():
        venue.budget.note({"X-MBX-USED-WEIGHT-1M": str(used)})
        try:
            act()
        except RequestError as error:
            if "left to what protects" in str(error):
                turned_away.add((name, error.outcome))
    assert turned_away == {(name, Outcome.NOT_EXECUTED) for name in acts.keys() - taken}


def test_threads_share_the_line(venue: BinanceVenue) -> None:
    """Entries by remote control run in a thread of their own."""

    def place(number: int) -> str:
        return str(stop(venue, trigger=80_000.0, client_id=f"qt-{number}")["clientOrderId"])

    with ThreadPoolExecutor(4) as pool:
        placed = list(pool.map(place, range(24)))
    assert placed == [f"qt-{number}" for number in range(24)]
    assert {order["clientOrderId"] for order in venue.open_stops()} == set(placed)


def test_neither_key_nor_secret_is_logged_or_shown(
    scene: Scene, venue: BinanceVenue, caplog: pytest.LogCaptureFixture
) -> None:
    """Not even with ccxt's own log at its loudest."""
    with caplog.at_level(logging.DEBUG):
        stop(venue)
        with pytest.raises(RequestError) as refused:
            stop(venue)
    shown = [caplog.text, str(refused.value), repr(refused.value), repr(venue), repr(vars(venue))]
    assert caplog.text
    assert not any(secret in text for text in shown for secret in (API_KEY, API_SECRET))
    assert (refused.value.outcome, refused.value.code) == (Outcome.REFUSED, -4116)
