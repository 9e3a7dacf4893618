"""Answers that never came, for every kind of request: nothing is doubled, nothing stands naked."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from freqtrade.exceptions import DependencyException
from freqtrade.freqtradebot import FreqtradeBot
from freqtrade.persistence import Trade
from freqtrade.rpc.rpc import RPC, RPCException

from qt_protections.errors import EntryRefused
from qt_protections.stops.venue.binance.orders import BinanceVenue
from qt_protections.stops.venue.protocol import Road
from tests.inside import manager
from tests.integration.hands import move_stop
from tests.integration.rig import BTC, Rig, force_entry, held_market, naked_max, until

ORDER, ALGO = "/fapi/v1/order", "/fapi/v1/algoOrder"

#: One request goes wrong: whether it was executed, and how it was answered.
WAYS = {
    "unknown-503": 'kind = "lost"\nstatus = 503',
    "backend-1007": 'kind = "lost"\nstatus = 408',
    "backend-1007-not-executed": 'kind = "refuse"\ncode = -1007\nstatus = 408',
    "throttled-1008": 'kind = "busy"\nstatus = 503',
    "gateway-504": 'kind = "busy"\nstatus = 504',
    "too-many-1003": 'kind = "refuse"\ncode = -1003\nstatus = 429',
    "cut": 'kind = "drop"\nexecuted = true',
    "cut-not-executed": 'kind = "drop"\nexecuted = false',
    "hangs": 'kind = "hang"\nexecuted = true\nhang_s = 30',
}
every_way = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)


def script(way: str, endpoint: str, **keys: object) -> str:
    """Return a script that strikes the first request to an endpoint."""
    more = "".join(f"\n{key} = {str(value).lower()}" for key, value in keys.items())
    return f'[[fault]]\n{way}\nendpoints = ["{endpoint}"]\ntimes = 1{more}'


@pytest.fixture
def open_rig(tmp_path: Path) -> Callable[[str], Rig]:
    """Opens an exchange under a script."""
    return lambda faults: Rig(tmp_path, held_market("uptrend"), faults=faults)


def soon_gives_up(bot: FreqtradeBot, way: str) -> None:
    """Let Freqtrade wait 2 s instead of 10 for an answer that never comes."""
    if way == WAYS["hangs"]:
        bot.exchange._api.timeout = 2000


def enter(bot: FreqtradeBot) -> Trade | None:
    """Enter BTC; an entry that was dropped is none."""
    try:
        return force_entry(bot, BTC)
    except (DependencyException, EntryRefused, RPCException):
        return None


def assert_books_equal(rig: Rig, bot: FreqtradeBot) -> None:
    """Trades are positions, each under one stop, and no other order is left."""
    for _ in range(3):
        bot.process()
    held = sum(trade.amount for trade in Trade.get_open_trades())
    assert held == pytest.approx(abs(rig.position("BTCUSDT")))
    assert len(rig.live_stops("BTCUSDT")) == (1 if held else 0)
    assert rig.venue.desk.open_orders() == []
    assert naked_max(rig) == 0


@every_way
def test_the_answer_to_a_stop_before_its_entry(open_rig: Callable[[str], Rig], way: str) -> None:
    """It is found or sent again under its name, or the entry is dropped."""
    with open_rig(script(way, f"POST {ALGO}")) as rig:
        bot = rig.bot(max_open_trades=1)
        enter(bot)
        assert_books_equal(rig, bot)
        assert len(rig.events("order_accepted")) <= 1


@every_way
def test_the_answer_to_an_entry(
    open_rig: Callable[[str], Rig], way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is never sent twice; one that happened is a trade, one that did not leaves nothing."""
    monkeypatch.setattr(BinanceVenue, "arrives_within_s", 0.0)
    with open_rig(script(way, f"POST {ORDER}", reduce_only=False)) as rig:
        config: dict[str, Any] = {"max_open_trades": 1}
        bot = rig.bot(**config)
        soon_gives_up(bot, way)
        enter(bot)
        assert_books_equal(rig, bot)
        executed = way.startswith('kind = "lost"') or "executed = true" in way
        assert len(rig.events("order_accepted")) == executed
        assert len(Trade.get_open_trades()) == executed


@every_way
def test_the_answer_to_an_exit(open_rig: Callable[[str], Rig], way: str) -> None:
    """The position is closed once, by this exit or by the next one."""
    with open_rig(script(way, f"POST {ORDER}", reduce_only=True)) as rig:
        bot = rig.bot(max_open_trades=1)
        soon_gives_up(bot, way)
        trade = enter(bot)
        assert trade is not None
        # After 429 nothing is asked until its minute is over; Freqtrade gives up after 18 s.
        for _ in range(5 if way == WAYS["too-many-1003"] else 2):
            if trade.is_open:
                try:
                    RPC(bot)._rpc_force_exit(str(trade.id))
                except (DependencyException, RPCException):
                    bot.process()
        assert_books_equal(rig, bot)
        assert not trade.is_open
        assert rig.position("BTCUSDT") == 0
        assert len(rig.events("order_accepted")) == 2


@every_way
def test_the_answer_to_a_move(open_rig: Callable[[str], Rig], way: str) -> None:
    """One stop is left, and it is not looser than the one before."""
    with open_rig(script(way, f"POST {ALGO}").replace("times = 1", "times = 2")) as rig:
        bot = rig.bot(max_open_trades=1)
        trade = enter(bot)
        for _ in range(2):  # the stop before the entry may be struck as well
            until(lambda: manager(bot).venue.shut_s(Road.STOPS) == 0)
            trade = trade or enter(bot)
        assert trade is not None
        before = trade.stop_loss
        move_stop(bot, BTC, before * 1.002)
        assert_books_equal(rig, bot)
        assert trade.stop_loss >= before
        assert trade.stop_loss == float(rig.live_stops("BTCUSDT")[0].request.trigger_price or 0)


@every_way
def test_the_answer_to_a_cancel(open_rig: Callable[[str], Rig], way: str) -> None:
    """What protects nothing is gone in the end, and the pair is free."""
    with open_rig(script(way, f"DELETE {ALGO}")) as rig:
        bot = rig.bot(max_open_trades=1)
        trade = enter(bot)
        assert trade is not None
        RPC(bot)._rpc_force_exit(str(trade.id))
        until(lambda: rig.live_stops("BTCUSDT") == [])
        assert_books_equal(rig, bot)
        assert not trade.is_open


@every_way
def test_the_answer_to_a_close(open_rig: Callable[[str], Rig], way: str) -> None:
    """Nothing covers the position and nothing will: it is closed once, whatever is said of it."""
    with open_rig(script(way, f"POST {ORDER}", reduce_only=True)) as rig:
        bot = rig.bot(max_open_trades=1)
        trade = enter(bot)
        assert trade is not None
        hand = manager(bot)
        with hand.book.of(BTC).lock:
            hand._emergency_close(hand.book.of(BTC), "forced by a test")
        until(lambda: rig.position("BTCUSDT") == 0)
        assert_books_equal(rig, bot)
        assert not trade.is_open
        assert trade.exit_reason == "emergency_exit"
        assert len(rig.events("order_accepted")) == 2
