"""The line through Freqtrade's own functions, in a dry run and live."""

from collections.abc import Iterator
from dataclasses import replace
from math import inf
from pathlib import Path
from typing import Any

import pytest
from freqtrade.persistence import init_db

from qt_protections.rehearsal.errors import VenueError
from qt_protections.rehearsal.faults.answers import GatewayError, NoAnswerError
from qt_protections.stops.venue.freqtrade import FreqtradeVenue
from qt_protections.stops.venue.protocol import (
    CloseOrder,
    Outcome,
    Position,
    RequestError,
    StopOrder,
    TrailingOrder,
)
from tests.integration.rig import BTC, ETH
from tests.stops.offline import offline_exchange
from tests.stops.venues import Scene

TYPES = {"stoploss": "market"}


@pytest.fixture
def scene(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Scene]:
    """An exchange, live unless parametrised otherwise, and Freqtrade's database."""
    init_db("sqlite://")
    with Scene(tmp_path, dry_run=getattr(request, "param", False)) as opened:
        yield opened


@pytest.fixture
def line(scene: Scene) -> FreqtradeVenue:
    """The line to it."""
    return FreqtradeVenue(scene.exchange, TYPES)


both_ways = pytest.mark.parametrize("scene", [False, True], ids=["live", "dry"], indirect=True)


def stop(line: FreqtradeVenue, **changes: Any) -> Any:
    """Place a stop below the price."""
    order = StopOrder(BTC, False, 0.02, 80_000.04, 7.0)
    return line.place_stop(replace(order, **changes), "unused")


def refused(call: Any) -> RequestError:
    """Return how a call fails."""
    with pytest.raises(RequestError) as failure:
        call()
    return failure.value


@both_ways
def test_a_stop_is_placed_found_and_cancelled(line: FreqtradeVenue) -> None:
    """By the exchange's id; once more is no error."""
    placed = stop(line)
    assert (placed["status"], placed["stopPrice"], placed["side"]) == ("open", 80_000.1, "sell")
    found = line.find_stop(BTC, order_id=placed["id"])
    assert found is not None
    assert (found["status"], found["amount"]) == ("open", 0.02)
    line.cancel(BTC, placed["id"])
    line.cancel(BTC, placed["id"])
    gone = line.find_stop(BTC, order_id=placed["id"])
    assert gone is not None
    assert gone["status"] == "canceled"


@both_ways
def test_what_it_cannot_know_it_leaves_to_freqtrade(line: FreqtradeVenue) -> None:
    """It says so by WATCHES, and tells nothing."""
    assert not line.WATCHES
    stop(line)
    assert (line.open_stops(), line.open_stops(BTC), line.open_orders()) == ([], [], [])
    assert line.find_stop(BTC, client_id="unused") is None
    assert line.find_order(BTC, client_id="unused") is None


@both_ways
def test_an_unknown_order_is_none_at_once(scene: Scene, line: FreqtradeVenue) -> None:
    """Freqtrade would ask six times in 25 s."""
    assert line.find_stop(BTC, order_id="4999999999") is None
    assert line.find_order(BTC, order_id="8999999999") is None
    asked = {k: n for k, n in scene.requests().items() if k.lower().endswith("order")}
    assert all(count == 1 for count in asked.values())
    line.cancel(BTC, "4999999999")
    line.cancel_order(BTC, "8999999999")


@both_ways
def test_closing_goes_past_the_guards_door(scene: Scene, line: FreqtradeVenue) -> None:
    """The functions are those from before the guard put its own in their place."""
    scene.exchange.create_order(
        pair=BTC, ordertype="market", side="buy", amount=0.02, rate=95_000.0, leverage=7.0
    )
    scene.exchange.create_order = None
    scene.exchange.create_stoploss = None
    closed = line.close(CloseOrder(BTC, False, 0.02, 7.0), "unused")
    assert (closed["status"], closed["filled"], closed["side"]) == ("closed", 0.02, "sell")
    assert closed["average"] == pytest.approx(line.price(BTC), rel=0.01)
    assert line.positions() == {}
    found = line.find_order(BTC, order_id=closed["id"])
    assert found is not None
    assert found["filled"] == 0.02


def test_positions_are_told_where_freqtrade_asks_for_them(
    scene: Scene, line: FreqtradeVenue
) -> None:
    """With side and size."""
    scene.exchange.create_order(
        pair=ETH, ordertype="market", side="sell", amount=0.5, rate=1.0, leverage=7.0
    )
    held = line.positions()[ETH]
    assert held == Position(ETH, True, 0.5, held.entry_price, held.leverage)
    assert held.entry_price == pytest.approx(line.price(ETH), rel=1e-3)


def test_an_order_of_the_book_is_cancelled(scene: Scene, line: FreqtradeVenue) -> None:
    """Twice is no error."""
    resting = scene.exchange.create_order(
        pair=ETH, ordertype="limit", side="buy", amount=0.5, rate=1500.0, leverage=2.0
    )
    for _ in range(2):
        line.cancel_order(ETH, resting["id"])
    found = line.find_order(ETH, order_id=resting["id"])
    assert found is not None
    assert found["status"] == "canceled"


@both_ways
def test_there_is_no_native_trailing_stop(line: FreqtradeVenue) -> None:
    """The strategy's own trailing has to do."""
    error = refused(
        lambda: line.place_trailing(TrailingOrder(BTC, False, 1.0, 1.5, None), "unused")
    )
    assert error.outcome is Outcome.REFUSED


@pytest.mark.parametrize(
    ("mood", "outcome", "code"),
    [
        (VenueError(-2021), Outcome.REFUSED, -2021),
        (VenueError(-4509), Outcome.REFUSED, -4509),
        (VenueError(-1008, http_status=503), Outcome.NOT_EXECUTED, -1008),
        (GatewayError(502), Outcome.UNKNOWN, None),
        (NoAnswerError(0), Outcome.UNKNOWN, None),
    ],
    ids=["-2021", "-4509", "-1008", "502", "drop"],
)
def test_failures_are_told_apart(
    scene: Scene, line: FreqtradeVenue, mood: Exception, outcome: Outcome, code: int | None
) -> None:
    """As on Binance's own line, for stops and closes alike."""
    scene.venue.before.extend([mood, mood])
    close = CloseOrder(BTC, False, 0.02, 7.0)
    for error in (
        refused(lambda: stop(line)),
        refused(lambda: line.close(close, "unused")),
    ):
        assert (error.outcome, error.code) == (outcome, code)


@pytest.mark.parametrize("scene", [True], ids=["dry"], indirect=True)
def test_a_simulated_stop_past_the_price_is_refused(line: FreqtradeVenue) -> None:
    """Freqtrade's simulation has no number for it."""
    error = refused(lambda: stop(line, trigger=99_000.0))
    assert (error.outcome, error.code) == (Outcome.REFUSED, None)
    assert "trigger immediately" in str(error)


@pytest.mark.parametrize(("mode", "reduce_only"), [("spot", False), ("futures", True)])
def test_on_spot_closing_is_selling(tmp_path: Path, mode: str, reduce_only: bool) -> None:
    """Reduce-only is a word of futures."""
    exchange = offline_exchange(tmp_path, "kraken" if mode == "spot" else "binance", mode)
    sent: list[dict[str, Any]] = []
    exchange.create_order = lambda **order: sent.append(order) or order
    exchange.fetch_ticker = lambda pair: {"last": 100.0, "markPrice": 101.0}
    FreqtradeVenue(exchange, TYPES).close(CloseOrder("BTC/USDT", False, 1.0, 1.0), "unused")
    assert [(order["side"], order["reduceOnly"]) for order in sent] == [("sell", reduce_only)]


@pytest.mark.parametrize(
    ("kind", "ticker", "price"),
    [
        ("last", {"last": 100.0, "markPrice": 101.0}, 100.0),
        ("mark", {"last": 100.0, "markPrice": 101.0}, 101.0),
        ("mark", {"last": 100.0, "markPrice": None}, 100.0),
        ("mark", {"last": 100.0}, 100.0),
    ],
)
def test_the_price_is_the_triggering_one_where_the_ticker_tells_it(
    tmp_path: Path, kind: str, ticker: dict[str, float], price: float
) -> None:
    """Else the last one, which is near."""
    exchange = offline_exchange(tmp_path, "bybit", "futures")
    exchange.fetch_ticker = lambda pair: ticker
    assert FreqtradeVenue(exchange, {"stoploss_price_type": kind}).price("BTC/USDT:USDT") == price


@pytest.mark.parametrize("name", ["bybit", "okx", "bitget", "hyperliquid", "krakenfutures"])
def test_exchanges_with_their_own_way_of_asking_are_asked_that_way(
    tmp_path: Path, name: str
) -> None:
    """Their functions take other arguments than the common one."""
    init_db("sqlite://")
    exchange = offline_exchange(tmp_path, name, "futures")
    line = FreqtradeVenue(exchange, TYPES)
    assert line.find_stop("BTC/USDT:USDT", order_id="unknown") is None
    assert line.find_order("BTC/USDT:USDT", order_id="unknown") is None


def test_what_proves_is_told_as_far_as_freqtrade_knows(scene: Scene, line: FreqtradeVenue) -> None:
    """One list of positions, no prices of all pairs, no history: its own loop searches that."""
    scene.exchange.create_order(
        pair=ETH, ordertype="market", side="sell", amount=0.5, rate=1.0, leverage=7.0
    )
    assert line.account_positions() == line.positions().keys() == {ETH}
    assert (line.quotes(), line.orders_since(ETH, 0)) == ({}, [])


@both_ways
def test_the_largest_order_is_the_exchanges_in_a_dry_run_too(
    scene: Scene, line: FreqtradeVenue
) -> None:
    """A dry run is to trade as a live bot would; where ccxt knows of no limit there is none."""
    assert line.largest(BTC) == float(scene.venue.tape.instrument("BTCUSDT").market_max_qty)
    market = scene.exchange.markets[BTC]
    for limits in ({}, {"market": None}, {"market": {"max": None}}):
        scene.exchange.markets[BTC] = {**market, "limits": limits}
        assert line.largest(BTC) == inf


@pytest.mark.parametrize("name", ["binance", "okx"])
def test_the_largest_order_on_spot(tmp_path: Path, name: str) -> None:
    """In the coin itself, contracts or not; OKX names none."""
    exchange = offline_exchange(tmp_path, name, "spot")
    exchange._markets = {"BTC/USDT": {"limits": {"market": {"max": 63.1}}}}
    assert FreqtradeVenue(exchange, TYPES).largest("BTC/USDT") == 63.1
    exchange._markets = {"BTC/USDT": {"limits": {"amount": {"max": 63.1}}}}
    assert FreqtradeVenue(exchange, TYPES).largest("BTC/USDT") == inf
