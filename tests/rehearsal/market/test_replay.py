"""A replay prints the recorded candles, and refuses what it cannot replay."""

from itertools import pairwise
from pathlib import Path

import httpx
import numpy as np
import pandas as pd
import pytest

from qt_protections.rehearsal.market.book import Side
from qt_protections.rehearsal.market.candles import CLOSE, HIGH, LOW, OPEN, VOLUME, Window
from qt_protections.rehearsal.market.feed import Tick
from qt_protections.rehearsal.market.recordings import ReplayError
from qt_protections.rehearsal.market.replay import candle_path, open_replay
from qt_protections.rehearsal.server import RehearsalServer
from qt_protections.rehearsal.venue import Venue
from tests.patience import PATIENCE_S
from tests.rehearsal.recorded import FIRST, MINUTE, epoch_ms, frame, rows, write
from tests.rehearsal.stage import MIDNIGHT_MS

EVENT = Path(__file__).parents[4] / "shared" / "data" / "events" / "2025-02-03_binance"
START = FIRST + 300 * MINUTE
NOW_MS = MIDNIGHT_MS + 17 * 3_600_000 + 42_000  # the same minute of the hour as START
ALL = Window(limit=10**6)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a data folder with ETH and TON, TON one hour shorter at the beginning."""
    write(tmp_path, frame())
    return write(tmp_path, frame(price=4.0, seed=2).iloc[60:], "TON")


def opened(folder: Path, start: pd.Timestamp = START, speed: float = 1.0, seed: int = 7) -> Venue:
    """Return an exchange that replays the folder; its clock stands until it is advanced."""
    tape, feed, facts = open_replay(folder, epoch_ms(start), speed, seed, NOW_MS)
    return Venue(tape, feed, lambda: NOW_MS, replayed=facts)


def ticks(folder: Path, minutes: int, speed: float = 1.0, seed: int = 7) -> list[Tick]:
    """Return the first minutes of the live market."""
    feed = open_replay(folder, epoch_ms(START), speed, seed, NOW_MS)[1]
    return list(feed.until(NOW_MS // 60_000 * 60_000 + minutes * 60_000 - 1))


@pytest.mark.parametrize("count", [6, 37, 600])
@pytest.mark.parametrize("seed", range(5))
def test_path_touches_every_price_in_order(count: int, seed: int) -> None:
    """A path opens, reaches high and low once each in the seeded order, stays inside, closes."""
    rng = np.random.default_rng(seed)
    orders = set()
    for open_, high, low, close in rows(frame(40, seed=seed))[:4].T:
        path = candle_path(np.array([open_, high, low, close]), count, rng, 2)
        assert len(path) == count
        assert (path[0], path.max(), path.min(), path[-1]) == (open_, high, low, close)
        if len({open_, high, low, close}) == 4:
            first, second = sorted((int(path.argmax()), int(path.argmin())))
            corners = [0, first, second, count - 1]
            assert all(a < b for a, b in pairwise(corners))
            for a, b in pairwise(corners):
                steps = np.diff(path[a : b + 1])
                assert (steps >= 0).all() or (steps <= 0).all()
            orders.add(path.argmax() < path.argmin())
    assert orders == {True, False}


@pytest.mark.parametrize("speed", [0.7, 1.0, 7.0, 100.0])
def test_ticks_are_the_candles(folder: Path, speed: float) -> None:
    """At every speed each candle's ticks carry its prices and its volume, oldest first."""
    found = ticks(folder, 1, speed=speed) if speed >= 1 else ticks(folder, 10, speed=speed)
    assert all(a.ms < b.ms for a, b in pairwise(found))
    per_candle = int(600 / speed)
    wanted = rows(frame().iloc[300:])
    for i in range(len(found) // per_candle):
        part = found[i * per_candle : (i + 1) * per_candle]
        prices = [tick.prices[0] for tick in part]
        seen = (prices[0], max(prices), min(prices), prices[-1])
        assert seen == tuple(wanted[:4, i])
        assert sum(tick.volumes[0] for tick in part) == pytest.approx(wanted[VOLUME, i])


@pytest.mark.parametrize(("interval", "width"), [("1m", 1), ("1h", 60)])
def test_klines_are_the_files(folder: Path, interval: str, width: int) -> None:
    """History and live candles equal the file's, moved by the shift, however they are read."""
    venue = opened(folder)
    for now_ms in range(NOW_MS, NOW_MS + 115 * 60_000, 13_700):
        venue.advance(now_ms)
    assert venue.replayed is not None
    shift = pd.Timedelta(milliseconds=venue.replayed.shift_ms)
    sources = {"ETHUSDT": frame(), "TONUSDT": frame(price=4.0, seed=2).iloc[60:]}
    for symbol, source in sources.items():
        bars = venue.tape.bars(symbol, interval, ALL)
        moved = source.assign(date=source["date"] + shift).set_index("date")
        how = {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}
        wanted = moved.resample(f"{width}min").agg(how).iloc[: len(bars)]
        closed = slice(None, -1)
        assert bars.open_ms.tolist() == [epoch_ms(moment) for moment in wanted.index]
        assert (bars.columns[:4, closed] == rows(wanted)[:4, closed]).all()
        assert bars.columns[VOLUME, closed] == pytest.approx(rows(wanted)[VOLUME, closed])


def test_history_ends_now(folder: Path) -> None:
    """Before the first tick, the newest candle is the one before --start, a minute before now."""
    venue = opened(folder)
    bars = venue.tape.bars("ETHUSDT", "1m", ALL)
    assert bars.open_ms[-1] == NOW_MS // 60_000 * 60_000 - 60_000
    assert venue.tape["ETHUSDT"].last == frame()["close"].iloc[299]
    assert len(venue.tape.bars("TONUSDT", "1m", ALL)) == len(bars) - 60


def test_spread_grows_with_the_candle(folder: Path) -> None:
    """Each side of the book is 2 % of the candle's range away, or the usual distance if more."""
    calm, wild = frame(), frame()
    wild.loc[300:, "high"] *= 1.10
    spreads = []
    for candles in (calm, wild):
        venue = opened(write(folder, candles))
        venue.advance()
        sides = (next(venue.tape.book("ETHUSDT", side, 1.0)).price for side in Side)
        spreads.append(float(next(sides) - next(sides)) / venue.tape["ETHUSDT"].last)
    assert 1e-4 <= spreads[0] < 2e-4
    assert spreads[1] == pytest.approx(2 * 0.02 * 0.10, rel=0.1)


def test_same_seed_same_ticks(folder: Path) -> None:
    """Ticks are a function of files, start and seed."""
    assert ticks(folder, 5) == ticks(folder, 5)
    assert ticks(folder, 5) != ticks(folder, 5, seed=8)


def test_prices_hold_still_after_the_end(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Past the shortest file prices stand without volume, candles go on, and the log says so."""
    write(folder, frame(minutes=305))
    venue = opened(folder)
    assert venue.replayed is not None
    assert venue.replayed.ends_ms == NOW_MS // 60_000 * 60_000 + 5 * 60_000
    venue.advance(venue.replayed.ends_ms + 150_000)
    assert [record.message for record in caplog.records] == [
        "the recorded candles have ended: prices hold still from now on"
    ]
    for symbol, source in {"ETHUSDT": frame(305), "TONUSDT": frame(price=4.0, seed=2)}.items():
        last = source["close"].iloc[304]
        after = venue.tape.bars(symbol, "1m", ALL).columns[:, -3:]
        assert (after[[OPEN, HIGH, LOW, CLOSE]] == last).all()
        assert (after[VOLUME] == 0).all()
        assert venue.tape[symbol].prints[-1].ms < venue.replayed.ends_ms


def test_report_and_health_state_the_shift(folder: Path) -> None:
    """Both say which past is replayed; a report can be read without the banner."""
    venue = opened(folder)
    shift_ms = NOW_MS // 60_000 * 60_000 - epoch_ms(START)
    with RehearsalServer(venue) as server:
        client = httpx.Client(base_url=server.url, verify=False, timeout=PATIENCE_S)  # noqa: S501  self-signed
        with client:
            for page in ("health", "report"):
                facts = client.get(f"/_rehearsal/{page}").json()["replay"]
                assert facts["start"] == "2025-02-02T17:00:00Z"
                assert (facts["shift_ms"], facts["speed"]) == (shift_ms, 1.0)


def broken(column: str, value: float) -> pd.DataFrame:
    """Return candles of which one has a wrong value."""
    candles = frame()
    candles.loc[100, column] = value
    return candles


@pytest.mark.parametrize(
    ("candles", "start", "reason"),
    [
        (frame().drop(index=[200, 201]), START, "ETHUSDT has a gap: .*T15:19 .* 2025-02-02T15:22"),
        (frame(), FIRST, "outside the candles of ETHUSDT: choose a minute after 2025-02-02T12:00"),
        (frame(), FIRST + 420 * MINUTE, "not after 2025-02-02T18:59"),
        (frame(0), START, "has no candles"),
        (frame()[["date", "open"]], START, "is not a Freqtrade candle file"),
        (broken("close", np.nan), START, "no sound candle at 2025-02-02T13:40"),
        (broken("low", 1e6), START, "no sound candle at 2025-02-02T13:40"),
    ],
    ids=["gap", "too-early", "too-late", "empty", "columns", "missing", "impossible"],
)
def test_refusals(tmp_path: Path, candles: pd.DataFrame, start: pd.Timestamp, reason: str) -> None:
    """A market that cannot be replayed is refused in one sentence."""
    folder = write(tmp_path, candles)
    with pytest.raises(ReplayError, match=reason) as refusal:
        opened(folder, start)
    assert "\n" not in str(refusal.value)


def test_last_candle_may_be_the_start(folder: Path) -> None:
    """One candle of past and one of future are enough."""
    for minute in (419, 61):
        venue = opened(folder, FIRST + minute * MINUTE)
        venue.advance()
        assert venue.tape.last(venue.tape.symbols[0]) > 0


@pytest.mark.skipif(not EVENT.is_dir(), reason=f"no recorded event beside the project: {EVENT}")
def test_february_2025() -> None:
    """Five hours of the 2025-02-03 crash end with the candles of the files, 1m and 1h."""
    start = pd.Timestamp("2025-02-02T23:00", tz="UTC")
    venue = opened(EVENT, start)
    venue.advance(NOW_MS + 300 * 60_000)
    assert len(venue.tape.symbols) >= 8
    for symbol in venue.tape.symbols:
        name = f"{symbol.removesuffix('USDT')}_USDT_USDT-1m-futures.feather"
        source = pd.read_feather(EVENT / "futures" / name).set_index("date")
        source = source[: start + 299 * MINUTE]
        bars = venue.tape.bars(symbol, "1m", ALL)
        assert (bars.columns[:4, :-1] == rows(source)[:4]).all()
        assert bars.columns[VOLUME, :-1] == pytest.approx(rows(source)[VOLUME])
        hours = source["2025-02-01":].resample("1h")  # type: ignore[misc]
        wanted = [hours["high"].max(), hours["low"].min(), hours["close"].last()]
        found = venue.tape.bars(symbol, "1h", Window(limit=len(wanted[0]) + 1)).columns[:, :-1]
        for row, column in zip((HIGH, LOW, CLOSE), wanted, strict=True):
            assert found[row].tolist() == column.tolist()


def test_steps_as_fine_as_the_file(tmp_path: Path) -> None:
    """Prices and volumes finer than the contract's steps of today come out as they were."""
    prices = frame().assign(volume=0.25)
    prices["close"] = prices["open"] = 4.00005
    prices["high"], prices["low"] = 4.00015, 3.99995
    venue = opened(write(tmp_path, prices, "TON"))
    item = venue.tape.instrument("TONUSDT")
    assert (item.price_decimals, item.qty_decimals) == (5, 2)
