"""When a stop goes out: before its entry or on the fill, and what follows where it is refused."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from freqtrade.freqtradebot import FreqtradeBot
from freqtrade.persistence import Trade

from qt_protections.errors import EntryFailed, EntryRefused
from qt_protections.rehearsal.engine.conditional_checks import FlatStops
from qt_protections.rehearsal.errors import VenueError
from qt_protections.rehearsal.journal import Event as JournalEvent
from qt_protections.rehearsal.journal import EventKind
from qt_protections.rules.denial import DenyCode
from qt_protections.stops.monitor.hearing import Stream
from tests.inside import manager, monitor
from tests.integration.rig import (
    BTC,
    ETH,
    ZEN,
    Rig,
    force_entry,
    held_market,
    record,
    until,
)

ENTRY, STOP = "POST order", "POST algoOrder"
MARGIN, LEVERAGE = "POST marginType", "POST leverage"


def qt(placement: str) -> dict[str, Any]:
    """Return the guard's settings for a placement, without trailing."""
    return {"qt": {"trail_callback": None, "stop_placement": placement}}


@pytest.fixture
def strict(tmp_path: Path) -> Iterator[Rig]:
    """An exchange that refuses (-2022) a reduce-only stop without a position."""
    with Rig(tmp_path, held_market("uptrend"), flat_stops=FlatStops.REJECT) as opened:
        yield opened


def listening(bot: FreqtradeBot) -> None:
    """Wait until the stream is relied on: from then on nothing is asked for that it tells."""
    hearing = monitor(bot)._hearing
    until(lambda: hearing.state is Stream.UP and hearing.is_attended)


def sent_since(rig: Rig, begin: int) -> list[str]:
    """Return what was asked to be done, not only told, since a request."""
    return [line for line in rig.requests()[begin:] if not line.startswith("GET")]


@pytest.mark.parametrize("side", ["long", "short"])
def test_on_fill_the_stop_is_the_next_request(rig: Rig, side: str) -> None:
    """After the entry's answer nothing goes out ahead of its stop, not even a question."""
    bot = rig.bot(**qt("on_fill"), max_open_trades=2)
    listening(bot)
    trade = force_entry(bot, ZEN, side)
    assert trade is not None
    requests = rig.requests()
    entry = requests.index(ENTRY)
    assert requests[entry + 1] == STOP
    assert requests.count(STOP) == 1
    first, second = rig.events("stop_accepted", "order_accepted")
    assert (first["kind"], second["kind"]) == ("order_accepted", "stop_accepted")
    for _ in range(2):
        bot.process()
    assert len(rig.events("stop_accepted")) == 1
    assert record(bot, trade)["placement"] == "on_fill"
    assert trade.stop_loss == float(rig.live_stops("ZENUSDT")[0].request.trigger_price)


def test_on_fill_a_second_entry_is_covered_by_the_next_request(rig: Rig) -> None:
    """The stop of the first entry is not asked after, let alone cancelled, before the new one."""
    bot = rig.bot(**qt("on_fill"))
    rig.venue.desk.liquidity.depth_ratio = 0.1
    listening(bot)
    force_entry(bot, BTC)
    begin = len(rig.requests())
    trade = force_entry(bot, BTC)
    assert trade is not None
    requests = rig.requests()[begin:]
    assert requests[requests.index(ENTRY) + 1] == STOP
    until(lambda: len(rig.live_stops("BTCUSDT")) == 1)
    (stop,) = rig.live_stops("BTCUSDT")
    assert float(stop.request.quantity) == pytest.approx(rig.position("BTCUSDT"))
    for _ in range(2):
        bot.process()
    assert [order.order_id for order in trade.open_sl_orders] == [str(stop.algo_id)]
    assert len(rig.events("order_filled")) > 2, "the entries were to fill in several parts"
    assert len(rig.events("stop_accepted")) == 2, "the stop followed the parts one by one"


def test_margin_type_and_leverage_are_set_before_the_stop(rig: Rig) -> None:
    """Binance may refuse to change them with an order open; each is sent once."""
    bot = rig.bot(**qt("before_entry"))
    listening(bot)
    for _ in range(2):
        begin = len(rig.requests())
        assert force_entry(bot, BTC) is not None
        sent = [line for line in sent_since(rig, begin) if line.startswith("POST")]
        assert sent == [MARGIN, LEVERAGE, STOP, ENTRY]


@pytest.mark.parametrize(
    ("endpoint", "way", "told"),
    [
        ("marginType", 'kind = "refuse"\ncode = -4047', "-4047"),
        ("leverage", 'kind = "refuse"\ncode = -4028', "-4028"),
        ("leverage", 'kind = "lost"\nstatus = 503', "-1000"),
    ],
    ids=["margin-refused", "leverage-refused", "leverage-lost"],
)
def test_without_margin_type_and_leverage_nothing_is_sent(
    tmp_path: Path, endpoint: str, way: str, told: str
) -> None:
    """Neither stop nor entry; whoever forced it is told, and the next one goes out."""
    times = "times = 5"  # so often Freqtrade asks
    script = f'[[fault]]\n{way}\nendpoints = ["POST /fapi/v1/{endpoint}"]\n{times}'
    with Rig(tmp_path, held_market("uptrend"), faults=script) as struck:
        bot = struck.bot()
        with pytest.raises(EntryFailed, match=f"Entry of BTC/USDT:USDT did not happen: .*{told}"):
            force_entry(bot, BTC)
        assert struck.events("stop_accepted", "order_accepted") == []
        assert manager(bot).book.of(BTC).pending_entries == []
        assert Trade.get_open_trades() == []
        assert force_entry(bot, BTC) is not None
        assert len(struck.live_stops("BTCUSDT")) == 1


def test_a_failure_before_the_entry_was_sent_leaves_no_doubt(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever it was: the exchange is not asked for the entry, and its stop goes."""
    bot = rig.bot()

    def fail(*_: object) -> bool:
        raise RuntimeError("forced by a test")

    with monkeypatch.context() as patch:
        patch.setattr(bot.exchange, "_order_needs_price", fail)
        with pytest.raises(RuntimeError, match="forced by a test"):
            force_entry(bot, BTC)
    assert rig.venue.conditional.live() == []
    assert rig.events("order_accepted") == []
    assert manager(bot).book.of(BTC).pending_entries == []
    assert force_entry(bot, BTC) is not None


@pytest.mark.parametrize("code", [-2022, -4509])
def test_auto_falls_back_for_that_pair_alone(
    rig: Rig, caplog: pytest.LogCaptureFixture, code: int
) -> None:
    """And remembers it: the pair's next entry asks no more."""
    bot = rig.bot(**qt("auto"))
    listening(bot)
    rig.venue.refuse_stops.append(VenueError(code))
    trade = force_entry(bot, BTC)
    assert trade is not None
    assert len(rig.live_stops("BTCUSDT")) == 1
    assert record(bot, trade)["placement"] == "on_fill"
    assert "BTCUSDT takes no stop before its entry" in caplog.text
    for pair, first in ((BTC, ENTRY), (ETH, STOP)):
        begin = len(rig.requests())
        assert force_entry(bot, pair) is not None
        assert next(line for line in sent_since(rig, begin) if "rder" in line) == first


def test_a_strict_exchange_gets_its_stops_on_the_fill(strict: Rig) -> None:
    """The whole life on an exchange that takes none without a position: entry, second, stop hit."""
    bot = strict.bot(**qt("auto"))
    listening(bot)
    force_entry(bot, BTC)
    trade = force_entry(bot, BTC)
    assert trade is not None
    bot.process()
    (stop,) = strict.live_stops("BTCUSDT")
    assert float(stop.request.quantity) == pytest.approx(strict.position("BTCUSDT"))
    strict.move("BTCUSDT", 0.97)
    until(lambda: strict.report() and strict.position("BTCUSDT") == 0)
    bot.process()
    assert not trade.is_open
    assert trade.exit_reason == "stoploss_on_exchange"
    assert strict.live_stops("BTCUSDT") == []


def test_who_insists_on_before_gets_no_entry(strict: Rig) -> None:
    """Where the exchange refuses the stop there is no trade, and nothing is left behind."""
    bot = strict.bot(**qt("before_entry"))
    with pytest.raises(EntryRefused) as refused:
        force_entry(bot, BTC)
    assert refused.value.denial.code is DenyCode.STOP_REFUSED
    assert strict.events("order_accepted", "order_rejected", "stop_accepted") == []
    assert Trade.get_open_trades() == []


def test_on_fill_a_passed_stop_is_repriced(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    """0.05 % beyond the price, once; in the log and on the trade."""
    bot = rig.bot(**qt("on_fill"))

    def fall(event: JournalEvent) -> None:
        if event.kind is EventKind.ORDER_FILLED:
            rig.feed.move("BTCUSDT", 0.977)

    rig.venue.journal.subscribe(fall)
    trade = force_entry(bot, BTC)
    assert trade is not None
    (stop,) = rig.live_stops("BTCUSDT")
    price = float(rig.venue.tape.last("BTCUSDT"))
    assert float(stop.request.trigger_price) == pytest.approx(price * 0.9995, rel=1e-4)
    for _ in range(2):
        bot.process()
    assert trade.stop_loss == float(stop.request.trigger_price)
    shown = record(bot, trade)
    assert shown["price"] == trade.stop_loss
    assert [step.split()[0] for step in shown["steps"]] == ["-2021:", "re-priced"]
    for line in ("[SHIELD] Placing IMMEDIATE SL for BTCUSDT", "re-priced to", "[OK] SL placed"):
        assert line in caplog.text
    assert "[ALERT]" not in caplog.text


def test_on_fill_a_stop_that_is_passed_by_far_closes(rig: Rig) -> None:
    """More is lost than was planned: a stop below that would only lose more."""
    bot = rig.bot(**qt("on_fill"))

    def fall(event: JournalEvent) -> None:
        if event.kind is EventKind.ORDER_FILLED:
            rig.feed.move("BTCUSDT", 0.97)

    rig.venue.journal.subscribe(fall)
    trade = force_entry(bot, BTC)
    assert trade is not None
    assert rig.position("BTCUSDT") == 0
    for _ in range(2):
        bot.process()
    assert trade.exit_reason == "emergency_exit"


@pytest.mark.parametrize(
    "close", [[], [-4118], [-2022, -4118]], ids=["at-once", "blocked-once", "blocked-twice"]
)
def test_on_fill_what_cannot_be_covered_is_closed(
    rig: Rig, caplog: pytest.LogCaptureFixture, close: list[int]
) -> None:
    """Refused, re-priced, refused again: closed at market, again and again until it is done."""
    bot = rig.bot(**qt("on_fill"))
    rig.venue.refuse_stops.extend([VenueError(-2021)] * 2)
    refusals = [VenueError(code) for code in close]

    def refuse_the_close() -> None:
        rig.venue.on_order = lambda: None
        rig.venue.refuse_orders.extend(refusals)

    rig.venue.on_order = refuse_the_close
    trade = force_entry(bot, BTC)
    assert trade is not None
    assert rig.position("BTCUSDT") == 0
    for _ in range(2):
        bot.process()
    assert not trade.is_open
    assert trade.exit_reason == "emergency_exit"
    assert rig.venue.conditional.live() == []
    assert "[ALERT] EMERGENCY CLOSE BTCUSDT: -2021" in caplog.text
    steps = record(bot, trade)["steps"]
    assert [step.split()[0].rstrip(":") for step in steps[:3]] == ["-2021", "re-priced", "-2021"]
    assert steps[-1] == "closed at market"


@pytest.mark.parametrize("code", [-4130, -4509, -2022, -2019])
def test_on_fill_a_passing_refusal_is_tried_again(rig: Rig, code: int) -> None:
    """Codes ccxt does not know are known by number; the position is not closed for them."""
    bot = rig.bot(**qt("on_fill"))
    rig.venue.refuse_stops.extend([VenueError(code)] * 2)
    trade = force_entry(bot, BTC)
    assert trade is not None
    for _ in range(2):
        bot.process()
    assert trade.is_open
    assert len(rig.live_stops("BTCUSDT")) == 1
    assert len(rig.events("order_accepted")) == 1
    assert record(bot, trade)["steps"] == [f"{code}: again"] * 2
