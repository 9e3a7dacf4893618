"""The market streams say what the REST endpoints answer at the same moment."""

import random
from typing import Any

import pytest

from qt_protections.rehearsal.api.params import Params
from qt_protections.rehearsal.api.routes_market import MARKET_ROUTES
from qt_protections.rehearsal.streams.hub import Listener, Streams
from qt_protections.rehearsal.streams.names import Category, categories_of
from tests.rehearsal import shapes
from tests.rehearsal.ear import Ear
from tests.rehearsal.stage import BTC, ETH, Stage

NAMES = [
    *("btcusdt@aggTrade", "btcusdt@trade", "btcusdt@kline_1m", "btcusdt@kline_1d"),
    *("btcusdt_perpetual@continuousKline_5m", "btcusdt@markPrice", "btcusdt@markPrice@1s"),
    *("!markPrice@arr", "!markPrice@arr@1s", "btcusdt@miniTicker", "!miniTicker@arr"),
    *("btcusdt@ticker", "!ticker@arr", "btcusdt@bookTicker", "!bookTicker"),
    *("btcusdt@depth5", "btcusdt@depth10@500ms", "btcusdt@depth20@100ms"),
    *("btcusdt@depth", "btcusdt@depth@100ms", "btcusdt@depth@500ms"),
]


def ask(stage: Stage, path: str, **params: object) -> Any:
    """Return what a public endpoint answers."""
    values = {name: str(value) for name, value in params.items()}
    return MARKET_ROUTES["GET", path].handler(stage.venue, Params(values))


def walk(stage: Stage, ticks: int, after_ms: int = 100, seed: int = 1) -> None:
    """Print a seeded random walk of both symbols."""
    rng = random.Random(seed)  # noqa: S311 - prices of a test
    for _ in range(ticks):
        symbol = rng.choice([BTC, ETH])
        stage.tick(round(stage.prices[symbol] * (1 + rng.gauss(0, 3e-4)), 1), symbol, after_ms)


@pytest.mark.parametrize("name", NAMES)
def test_shapes(name: str) -> None:
    """Each stream speaks within six seconds of a moving market, in the documented form."""
    stage = Stage()
    ear = Ear(Streams(stage.venue), name)
    walk(stage, 60)
    heard = ear.take()
    assert heard
    for message in heard:
        rows = message if name.endswith("@arr") or "@arr@" in name else [message]
        for row in rows:
            shapes.assert_stream_shape(row)


@pytest.mark.parametrize(
    "name",
    [
        *("0", "btcusdt", "BTCUSDT@aggTrade", "nopeusdt@aggTrade", "btcusdt@kline_7m"),
        *("btcusdt@depth7", "btcusdt@depth@50ms", "btcusdt@nothing", "!nothing@arr", "@trade"),
        "btcusdt_current_quarter@continuousKline_1m",
    ],
)
def test_unknown_names_are_silent(name: str) -> None:
    """They can be asked for, and nothing comes."""
    stage = Stage()
    ear = Ear(Streams(stage.venue), name)
    walk(stage, 20)
    assert ear.take() == []


@pytest.mark.parametrize("interval", ["1m", "3m", "1h"])
def test_klines(interval: str) -> None:
    """Closed candles and the growing one are those of `klines`; each closes once, in order."""
    stage = Stage()
    ear = Ear(Streams(stage.venue), f"btcusdt@kline_{interval}")
    walk(stage, 200, after_ms=7_000)
    heard = [m["k"] for m in ear.take()]
    closed = [k for k in heard if k["x"]]
    rows = ask(stage, "v1/klines", symbol=BTC, interval=interval, startTime=closed[0]["t"])

    def row(k: Any) -> tuple[Any, ...]:
        return tuple(k[key] for key in ("t", "o", "h", "l", "c", "v", "T", "q", "n", "V", "Q", "B"))

    assert [row(k) for k in closed] == rows[: len(closed)]
    assert row(heard[-1]) == rows[-1]
    assert len(rows) == len(closed) + 1


def test_kline_of_the_perpetual_contract() -> None:
    """It is the same candle."""
    stage = Stage()
    streams = Streams(stage.venue)
    plain = Ear(streams, "btcusdt@kline_1m")
    continuous = Ear(streams, "btcusdt_perpetual@continuousKline_1m")
    walk(stage, 50, after_ms=3_000)
    told = continuous.take()
    assert {(m["ps"], m["ct"]) for m in told} == {(BTC, "PERPETUAL")}
    assert [m["k"] | {"s": BTC} for m in told] == [m["k"] for m in plain.take()]


def test_trades() -> None:
    """Every print of the tape, once, in both forms."""
    stage = Stage()
    streams = Streams(stage.venue)
    walk(stage, 5)
    aggregate, plain = Ear(streams, "btcusdt@aggTrade"), Ear(streams, "btcusdt@trade")
    walk(stage, 30)
    told = aggregate.take()
    rows = ask(stage, "v1/aggTrades", symbol=BTC, limit=30)
    assert [{k: m[k] for k in rows[0]} for m in told] == rows
    assert [m["t"] for m in plain.take()] == [row["a"] for row in rows]


def test_ticker_mark_and_best_prices() -> None:
    """The latest message is what REST answers now."""
    stage = Stage()
    streams = Streams(stage.venue)
    ears = {
        name: Ear(streams, f"btcusdt@{name}")
        for name in ("ticker", "miniTicker", "markPrice@1s", "bookTicker")
    }
    walk(stage, 30)
    stage.wait(2000)
    latest = {name: ear.take()[-1] for name, ear in ears.items()}
    day = ask(stage, "v1/ticker/24hr", symbol=BTC)
    assert (latest["ticker"]["c"], latest["ticker"]["n"]) == (day["lastPrice"], day["count"])
    assert (latest["miniTicker"]["h"], latest["miniTicker"]["v"]) == (
        day["highPrice"],
        day["volume"],
    )
    mark = ask(stage, "v1/premiumIndex", symbol=BTC)
    assert (latest["markPrice@1s"]["p"], latest["markPrice@1s"]["T"]) == (
        mark["markPrice"],
        mark["nextFundingTime"],
    )
    best = ask(stage, "v1/ticker/bookTicker", symbol=BTC)
    assert [latest["bookTicker"][key] for key in "bBaA"] == [
        best[key] for key in ("bidPrice", "bidQty", "askPrice", "askQty")
    ]


def test_all_market_streams() -> None:
    """One list holds every symbol, tickers only those that traded."""
    stage = Stage()
    streams = Streams(stage.venue)
    marks, tickers = Ear(streams, "!markPrice@arr@1s"), Ear(streams, "!miniTicker@arr")
    stage.tick(100_100)
    assert [[row["s"] for row in rows] for rows in marks.take()] == [[BTC, ETH]]
    tickers.take()
    stage.wait(5000)
    assert tickers.take() == []
    assert len(marks.take()) == 1


def test_partial_depth() -> None:
    """The best levels, as `depth` answers them."""
    stage = Stage()
    ear = Ear(Streams(stage.venue), "btcusdt@depth5@100ms")
    walk(stage, 20)
    stage.wait(100)
    latest = ear.take()[-1]
    book = ask(stage, "v1/depth", symbol=BTC, limit=5)
    assert (latest["b"], latest["a"]) == (book["bids"], book["asks"])


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("pace", ["", "@100ms", "@500ms"])
def test_a_copy_of_the_book(pace: str, seed: int) -> None:
    """A client that starts anywhere and follows Binance's recipe holds the exchange's book."""
    stage = Stage()
    ear = Ear(Streams(stage.venue), f"btcusdt@depth{pace}")
    rng = random.Random(seed)  # noqa: S311 - moments of a test
    walk(stage, rng.randrange(3, 9), after_ms=rng.randrange(20, 400), seed=seed)
    snapshot = ask(stage, "v1/depth", symbol=BTC, limit=1000)
    walk(stage, 12, after_ms=rng.randrange(20, 400), seed=seed + 100)
    stage.wait(1000)
    events = [m for m in ear.take() if m["u"] >= snapshot["lastUpdateId"]]
    assert events[0]["U"] <= snapshot["lastUpdateId"] <= events[0]["u"]
    assert [m["pu"] for m in events[1:]] == [m["u"] for m in events[:-1]]
    copy = {side: dict(snapshot[name]) for side, name in (("b", "bids"), ("a", "asks"))}
    for event in events:
        for side, levels in copy.items():
            levels.update(event[side])
    book = ask(stage, "v1/depth", symbol=BTC, limit=1000)
    for side, name in (("b", "bids"), ("a", "asks")):
        assert {p: q for p, q in copy[side].items() if q != "0"} == dict(book[name])


def test_paces() -> None:
    """A stream speaks no faster than its step, and says nothing twice."""
    stage = Stage()
    streams = Streams(stage.venue)
    slow, fast = Ear(streams, "btcusdt@depth5@500ms"), Ear(streams, "btcusdt@depth5@100ms")
    still = Ear(streams, "btcusdt@bookTicker")
    walk(stage, 50, after_ms=80)
    assert len(slow.take()) in {10, 11}
    assert len(fast.take()) > 20
    still.take()
    stage.wait(10_000)
    assert still.take() == []


def test_paths() -> None:
    """A stream speaks only under its own path; the old address serves them all."""
    names = ["btcusdt@depth5", "btcusdt@aggTrade", "btcusdt@trade"]
    assert [sorted(categories_of(name)) for name in names] == [
        ["public"],
        ["market"],
        ["market", "public"],
    ]
    assert categories_of("0123abcd") == {Category.PRIVATE}
    stage = Stage()
    streams = Streams(stage.venue)
    ears = {category: Ear(streams) for category in (None, *Category)}
    for category, ear in ears.items():
        ear.category = category
        streams.subscribe(ear, names)
    walk(stage, 10)
    kinds = {category: {m["e"] for m in ear.take()} for category, ear in ears.items()}
    assert kinds == {
        None: {"depthUpdate", "aggTrade", "trade"},
        Category.PUBLIC: {"depthUpdate", "trade"},
        Category.MARKET: {"aggTrade", "trade"},
        Category.PRIVATE: set(),
    }


def test_nobody_listens() -> None:
    """A stream that was left makes nothing more."""
    stage = Stage()
    streams = Streams(stage.venue)
    ear, stays = Ear(streams, *NAMES), Ear(streams, "btcusdt@aggTrade")
    walk(stage, 3)
    streams.unsubscribe(ear, NAMES[:3])
    assert list(ear.names) == NAMES[3:]
    streams.leave(ear)
    ear.take()
    stays.take()
    walk(stage, 30)
    assert ear.take() == []
    assert stays.take() != []


def test_who_does_not_read_is_hung_up_on() -> None:
    """Beyond the bound the connection ends without a word and nothing is kept for it."""
    listener = Listener(max_pending_chars=100)
    for _ in range(100):
        listener.send("x")
    assert not listener.ended.is_set()
    listener.send("x")
    assert (listener.ended.is_set(), listener.says_goodbye) == (True, False)


def test_a_connection_lives_a_day() -> None:
    """Then it ends with a close frame."""
    stage = Stage()
    ear = Ear(Streams(stage.venue))
    stage.wait(86_399_999)
    assert not ear.ended.is_set()
    stage.wait(1)
    assert (ear.ended.is_set(), ear.says_goodbye) == (True, True)


def test_hang_up() -> None:
    """Every connection ends without a word."""
    streams = Streams(Stage().venue)
    ears = [Ear(streams), Ear(streams, "btcusdt@aggTrade")]
    streams.hang_up()
    assert [(ear.ended.is_set(), ear.says_goodbye) for ear in ears] == [(True, False)] * 2
