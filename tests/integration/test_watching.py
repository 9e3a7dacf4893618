"""What vanishes is replaced at once, however the guard hears of it; and nothing is doubled."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from freqtrade.freqtradebot import FreqtradeBot
from freqtrade.persistence import Trade
from freqtrade.rpc.rpc import RPC

from qt_protections.rehearsal.engine.orders import AlgoOrder, AlgoStatus
from qt_protections.rehearsal.streams.hub import Listener
from qt_protections.stops.monitor.keep_alive import CONNECTIONS
from qt_protections.stops.monitor.monitor import Monitor
from qt_protections.stops.reconciliation.entries import EntryReconciliation
from qt_protections.stops.state.external import External
from qt_protections.stops.state.pair import PairState
from qt_protections.stops.venue.protocol import Position
from tests.inside import manager, monitor, stop_service
from tests.integration.hands import by_hand, cancel_by_hand, trade_by_hand
from tests.integration.rig import BTC, ETH, Rig, force_entry, held_market, naked_max, until


def vanish(rig: Rig, stop: AlgoOrder, how: str) -> None:
    """End a stop as nobody of the bot's asked for."""
    if how == "canceled":
        cancel_by_hand(rig, stop.algo_id)
    else:
        status = AlgoStatus.EXPIRED if how == "expired" else AlgoStatus.REJECTED
        withdraw = rig.venue.conditional.withdraw
        rig.does(lambda: withdraw(stop.algo_id, "Order was rejected", status))


def entered(rig: Rig, bot: FreqtradeBot) -> tuple[Trade, AlgoOrder]:
    """Enter BTC, and return the trade and its stop."""
    trade = force_entry(bot, BTC)
    assert trade is not None
    (stop,) = rig.live_stops("BTCUSDT")
    return trade, stop


def assert_replaced(rig: Rig, bot: FreqtradeBot, trade: Trade, old: AlgoOrder) -> None:
    """Exactly one stop stands, the trade's record says so, and Freqtrade changes nothing."""
    (new,) = rig.live_stops("BTCUSDT")
    assert new.algo_id != old.algo_id
    assert new.request.trigger_price == old.request.trigger_price
    for _ in range(3):
        bot.process()
    assert rig.live_stops("BTCUSDT") == [new]
    assert [order.order_id for order in trade.open_sl_orders] == [str(new.algo_id)]
    assert trade.stop_loss == float(new.request.trigger_price or 0)
    assert trade.get_custom_data("qt_stop")["id"] == str(new.algo_id)
    assert trade.get_custom_data("qt_stop")["state"] == "live"
    assert trade.is_open
    assert rig.position("BTCUSDT") == pytest.approx(trade.amount)


WAYS = pytest.mark.parametrize("how", ["canceled", "rejected", "expired"])


def test_connections_are_open_before_they_are_needed(rig: Rig) -> None:
    """Several pairs may be at work at once, and to open one takes round trips of its own.

    They are needed where a stop has to follow the fill of an entry that waits.
    """
    bot = rig.bot("GuardedAlways", qt={"stop_placement": "on_fill"})
    bot.strategy.order_types["entry"] = "limit"
    bot.strategy.custom_entry_price = lambda proposed_rate, **_: proposed_rate * 0.99  # type: ignore[method-assign]
    session = manager(bot).venue._connection._own.session
    pools: Any = session.get_adapter("https://").poolmanager.pools

    def opened() -> int:
        return sum(pools[key].num_connections for key in pools.keys())  # noqa: SIM118

    until(lambda: opened() >= len(CONNECTIONS))
    assert opened() >= len(CONNECTIONS)


@WAYS
def test_the_stream_tells_of_it(rig: Rig, how: str) -> None:
    """Between two loops, without one question about the list of stops."""
    bot = rig.bot()
    until(lambda: monitor(bot)._stream.up)
    trade, old = entered(rig, bot)
    vanish(rig, old, how)
    until(lambda: rig.live_stops("BTCUSDT"))
    assert_replaced(rig, bot, trade, old)


@pytest.fixture
def deaf(tmp_path: Path) -> Iterator[Rig]:
    """An exchange whose user data stream never opens."""
    script = """
    [[fault]]
    kind = "refuse"
    code = -1008
    status = 503
    endpoints = ["* /fapi/v1/listenKey"]
    """
    with Rig(tmp_path, held_market("uptrend"), faults=script) as opened:
        yield opened


@WAYS
def test_polling_finds_it_while_the_stream_is_down(deaf: Rig, how: str) -> None:
    """Once a second."""
    bot = deaf.bot()
    trade, old = entered(deaf, bot)
    vanish(deaf, old, how)
    until(lambda: deaf.live_stops("BTCUSDT"))
    assert not monitor(bot)._stream.up
    assert_replaced(deaf, bot, trade, old)


@WAYS
def test_the_loop_finds_it(rig: Rig, how: str) -> None:
    """Were there neither stream nor ticks."""
    bot = rig.bot()
    monitor(bot).stop()
    trade, old = entered(rig, bot)
    vanish(rig, old, how)
    bot.process()
    assert_replaced(rig, bot, trade, old)


def test_it_vanishes_again_and_again(rig: Rig) -> None:
    """Whoever cancels it: in the end one stands."""
    bot = rig.bot()
    trade, stop = entered(rig, bot)
    for _ in range(5):
        cancel_by_hand(rig, stop.algo_id)
        until(lambda old=stop: [s for s in rig.live_stops("BTCUSDT") if s is not old])  # type: ignore[misc]
        stop = rig.live_stops("BTCUSDT")[-1]
    bot.process()
    assert len(rig.live_stops("BTCUSDT")) == 1
    assert trade.is_open
    assert len(trade.open_sl_orders) == 1


def test_freqtrade_itself_neither_doubles_nor_exits(rig: Rig) -> None:
    """Its own loop comes first: the guard knows nothing of the loss yet."""
    bot = rig.bot()
    monitor(bot).stop()
    trade, old = entered(rig, bot)
    vanish(rig, old, "canceled")
    bot.exit_positions([trade])
    Trade.commit()
    assert_replaced(rig, bot, trade, old)


@pytest.mark.parametrize("listed", [True, False])
def test_a_stop_nobody_can_tell_of(rig: Rig, listed: bool) -> None:
    """-2013 although it is live: nothing is doubled as long as the list shows it."""
    bot = rig.bot()
    monitor(bot).stop()
    trade, stop = entered(rig, bot)
    desk = rig.venue.conditional
    find, live = desk.find, desk.live
    desk.find = lambda *_: None  # type: ignore[method-assign]
    if not listed:
        desk.live = lambda symbol=None: [s for s in live(symbol) if s is not stop]  # type: ignore[method-assign]
    bot.process()
    assert live("BTCUSDT") == [stop]
    bot.process()
    desk.find, desk.live = find, live  # type: ignore[method-assign]
    assert stop in rig.live_stops("BTCUSDT"), "it was cancelled while nobody could tell of it"
    assert len(rig.live_stops("BTCUSDT")) == (1 if listed else 2)
    for _ in range(3):
        bot.process()
    (left,) = rig.live_stops("BTCUSDT")
    assert (left is stop) is listed
    assert trade.is_open
    assert [order.order_id for order in trade.open_sl_orders] == [str(left.algo_id)]
    assert naked_max(rig) == 0


# What the stream does not tell, while the bot's loop does not come


@pytest.fixture
def forgetful(tmp_path: Path) -> Iterator[Rig]:
    """An exchange that tells of all but one thing, once that has begun."""
    script = """
    [[fault]]
    kind = "stream_mute"
    events = ["ALGO_UPDATE"]
    symbols = ["BTCUSDT"]
    times = 1
    """
    with Rig(tmp_path, held_market("uptrend"), faults=script, faults_wait=True) as opened:
        yield opened


@WAYS
def test_a_single_lost_event_is_found_without_a_loop(forgetful: Rig, how: str) -> None:
    """A position is open, the stream is up and tells of everything else."""
    bot = forgetful.bot()
    watching = monitor(bot)
    until(lambda: watching._stream.up)
    trade, old = entered(forgetful, bot)
    until(lambda: not watching._proof._due)
    forgetful.faults.begin()
    vanish(forgetful, old, how)
    assert len(forgetful.events("fault")) == 1
    assert force_entry(bot, ETH) is not None
    until(lambda: forgetful.live_stops("BTCUSDT"))
    until(lambda: not watching._proof._due)
    assert stop_service(bot).health.stream == "up"
    assert_replaced(forgetful, bot, trade, old)


@pytest.fixture
def silence(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """While it is set, every stream of the exchange answers pings and tells nothing."""
    muted, send = threading.Event(), Listener.send

    def send_unless_muted(listener: Listener, text: str) -> None:
        if not muted.is_set():
            send(listener, text)

    monkeypatch.setattr(Listener, "send", send_unless_muted)
    yield muted
    muted.clear()


def test_a_stream_that_pings_and_says_nothing_is_polled(
    rig: Rig, silence: threading.Event, caplog: pytest.LogCaptureFixture
) -> None:
    """The guard's own stop is not heard of: so what vanishes then is found without a loop."""
    bot = rig.bot()
    until(lambda: monitor(bot)._stream.up)
    silence.set()
    trade, old = entered(rig, bot)
    until(lambda: "it did not tell of stop" in caplog.text)
    for _ in range(3):
        vanish(rig, old, "canceled")
        until(lambda old=old: [s for s in rig.live_stops("BTCUSDT") if s is not old])  # type: ignore[misc]
        before, (old,) = old, rig.live_stops("BTCUSDT")
    silence.clear()
    until(lambda: stop_service(bot).health.stream == "up", 60.0)
    assert_replaced(rig, bot, trade, before)


def test_a_thread_that_fails_is_heard_and_goes_on(
    rig: Rig, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another pair's position goes while the tick reads it: what vanishes then is found."""
    bot = rig.bot()
    watching = monitor(bot)
    until(lambda: watching._stream.up)
    _, old = entered(rig, bot)
    held, count = manager(bot).book.of(ETH), iter(range(10**9))
    slot: Any = External.__dict__["position"]
    stranger = Position(ETH, False, 1.0, 3300.0, 30.0)

    def flicker(each: External) -> Position | None:
        if each is held.external and threading.current_thread().name.startswith("qt-"):
            return stranger if next(count) % 3 else None
        found: Position | None = slot.__get__(each)
        return found

    with monkeypatch.context() as patch:
        patch.setattr(External, "position", property(flicker, slot.__set__))
        until(lambda: next(count) > 6)
        vanish(rig, old, "canceled")
        until(lambda: rig.live_stops("BTCUSDT"))
    assert watching._thread.is_alive()
    bot.process()
    assert {thread.life for thread in stop_service(bot).health.threads} == {"running"}


def test_a_check_of_the_threads_that_fails_ends_no_loop(
    rig: Rig, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is said, and the bot trades on."""
    bot = rig.bot()
    error = RuntimeError("forced by a test")
    monkeypatch.setattr(Monitor, "loop_came", Mock(side_effect=error))
    trade, old = entered(rig, bot)
    vanish(rig, old, "canceled")
    bot.process()
    assert_replaced(rig, bot, trade, old)
    assert "[ALERT] The guard's threads could not be checked in this loop." in caplog.text


# What protects nothing


def test_an_exit_takes_all_stops_along(rig: Rig) -> None:
    """At once, not a loop later."""
    bot = rig.bot(qt={"trail_callback": 1.5})
    trade = force_entry(bot, BTC)
    assert trade is not None
    until(lambda: len(rig.live_stops("BTCUSDT")) == 2)
    RPC(bot)._rpc_force_exit(str(trade.id))
    assert rig.position("BTCUSDT") == 0
    until(lambda: rig.live_stops("BTCUSDT") == [])


def test_a_cancel_that_failed_at_the_exit_is_made_good(rig: Rig, tmp_path: Path) -> None:
    """Before the next position: by the tick, without a loop of the bot's."""
    bot = rig.bot()
    trade, stop = entered(rig, bot)
    line = manager(bot).venue
    cancel, refused = line.cancel, []

    def refuse(pair: str, order_id: str) -> bool:
        line.cancel = cancel
        refused.append(order_id)
        return bool(line.find_order(pair, order_id="no number"))

    line.cancel = refuse
    RPC(bot)._rpc_force_exit(str(trade.id))
    assert refused == [str(stop.algo_id)]
    until(lambda: rig.live_stops("BTCUSDT") == [])


def test_leftovers_of_either_side_go(rig: Rig) -> None:
    """Named as this bot's; what a person placed stays."""
    bot = rig.bot()
    last = float(rig.venue.tape.last("BTCUSDT"))
    for name, side, ratio in (("mine", "SELL", 0.9), ("mine", "BUY", 1.1), ("theirs", "SELL", 0.8)):
        mine = manager(bot).namer.new("S", BTC)
        sent = by_hand(
            rig,
            "POST",
            "algoOrder",
            algoType="CONDITIONAL",
            symbol="BTCUSDT",
            side=side,
            type="STOP_MARKET",
            quantity="0.01",
            triggerPrice=round(last * ratio, 1),
            reduceOnly="true",
            clientAlgoId=mine if name == "mine" else "by-hand",
        )
        assert "algoId" in sent, sent
    bot.process()
    assert [stop.request.client_id for stop in rig.live_stops("BTCUSDT")] == ["by-hand"]


def test_a_position_closed_by_hand_is_closed_in_the_books(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its stop goes, Freqtrade finds the order, and no new position is opened by anything."""
    monkeypatch.setattr("qt_protections.stops.reconciliation.positions.MISSING_LAG_S", 0.0)
    bot = rig.bot()
    trade, _ = entered(rig, bot)
    trade_by_hand(rig, "BTCUSDT", -rig.position("BTCUSDT"))
    for _ in range(4):
        bot.process()
    assert not trade.is_open
    assert rig.live_stops("BTCUSDT") == []
    assert rig.position("BTCUSDT") == 0


# Threads


def guard_threads() -> list[str]:
    """Return the names of the guard's threads."""
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("qt-")]


def test_closing_ends_every_thread(rig: Rig) -> None:
    """And may be done twice; the stops stay."""
    bot = rig.bot()
    trade, stop = entered(rig, bot)
    assert guard_threads()
    stop_service(bot).close()
    assert guard_threads() == []
    stop_service(bot).close()
    assert rig.live_stops("BTCUSDT") == [stop]
    assert trade.is_open


def test_what_never_ran_is_closed_as_well(rig: Rig) -> None:
    """A bot whose start fails is cleaned up, too."""
    bot = FreqtradeBot(rig.config("GuardedQuiet"))
    bot.cleanup()
    assert guard_threads() == []


def test_a_reload_leaves_no_thread_behind(rig: Rig) -> None:
    """`/reload_config` ends one bot and starts another in the same process."""
    changes: dict[str, Any] = {"db_url": f"sqlite:///{rig.folder / 'trades.sqlite'}"}
    bot = rig.bot(**changes)
    _, stop = entered(rig, bot)
    for _ in range(3):
        bot.cleanup()
        rig.forget(bot)
        bot = rig.bot(**changes)
        until(lambda bot=bot: monitor(bot)._stream.up)  # type: ignore[misc]
        names = [name for name in guard_threads() if not name.startswith("qt-watch")]
        assert sorted(names) == ["qt-monitor", "qt-user-stream"]
    assert rig.live_stops("BTCUSDT") == [stop]
    assert naked_max(rig) == 0


def test_a_pair_that_fails_keeps_no_other_from_being_looked_after(
    rig: Rig, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error over one pair's entries: the other's stop is placed again and put on record."""
    bot = rig.bot()
    for pair in (BTC, ETH):
        force_entry(bot, pair)
    settle = EntryReconciliation.settle

    def fail_over_btc(self: EntryReconciliation, held: PairState, trade: Trade | None) -> None:
        if held.pair == BTC:
            raise RuntimeError("forced by a test")
        settle(self, held, trade)

    monkeypatch.setattr(EntryReconciliation, "settle", fail_over_btc)
    monkeypatch.setattr(EntryReconciliation, "has_to_settle", staticmethod(lambda *_: True))
    (lost,) = rig.live_stops("ETHUSDT")
    vanish(rig, lost, "expired")
    until(lambda: [stop.algo_id for stop in rig.live_stops("ETHUSDT")] not in ([], [lost.algo_id]))
    bot.process()
    assert "[ALERT] BTCUSDT could not be looked after" in caplog.text
    (stop,) = rig.live_stops("ETHUSDT")
    (trade,) = (trade for trade in Trade.get_open_trades() if trade.pair == ETH)
    assert [row.order_id for row in trade.open_sl_orders] == [str(stop.algo_id)]
