"""Between the bot's loops: every pair is reached, and no thread's death or silence goes unheard.

Events come over the rehearsal exchange's own user data stream; what the watch asks is answered on
paper, by the thread that ticks or hears.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from math import inf

import pytest
from freqtrade.exchange import Exchange

from qt_protections.rules.look_interval import FRESH_S, LONGEST_S
from qt_protections.rules.retry_policy import Outcome
from qt_protections.stops.monitor.hearing import Hearing, Stream
from qt_protections.stops.monitor.keep_alive import CONNECTIONS
from qt_protections.stops.monitor.look_schedule import TICK_S
from qt_protections.stops.monitor.monitor import Monitor
from qt_protections.stops.monitor.stream_proof import StreamProof
from qt_protections.stops.state.pair import PairState
from qt_protections.stops.state.phases import StopEvent
from qt_protections.stops.threads.supervised import Life
from qt_protections.stops.venue.binance.user_stream import UserStream
from qt_protections.stops.venue.protocol import Rank, RequestError, Road
from tests.integration.rig import until
from tests.stops.guards import Guards, guards, order_event
from tests.stops.paper import BTC, ETH, LOST
from tests.stops.stream_house import PATIENCE_S, STOP, House, open_house


@pytest.fixture
def made() -> Guards:
    """A manager and its watch, with nothing between exchange and watch but the monitor."""
    return guards()


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    """An exchange with a user data stream."""
    with open_house() as opened:
        yield opened


@pytest.fixture(scope="module")
def exchange(house: House) -> Exchange:
    """Freqtrade's way to it."""
    return house.exchange()


@pytest.fixture
def monitor(made: Guards, exchange: Exchange) -> Iterator[Monitor]:
    """A monitor that has not started: its ticks are the test's."""
    built = Monitor(partial(UserStream, exchange), made.watch)
    yield built
    built.stop()


@pytest.fixture
def hearing(monitor: Monitor) -> Monitor:
    """One whose stream is up, and all has been asked that was not heard."""
    monitor._stream.start()
    until(lambda: monitor._stream.up)
    ticked(monitor)
    assert monitor.health.stream is Stream.UP
    return monitor


def run_dry(monitor: Monitor, *pairs: str) -> None:
    """Wait until what was put in the lanes is done."""
    for pair in (*pairs, BTC, ETH, ""):
        done = threading.Event()
        assert monitor._lanes.put(pair, done.set)
        assert done.wait(PATIENCE_S)
    until(lambda: not monitor._lanes._waiting)  # an act that has just been done is in its lane yet


def ticked(monitor: Monitor, times: int = 1) -> None:
    """Let the monitor tick, and wait for what that led to."""
    for _ in range(times):
        run_dry(monitor)  # a tick passes over pairs that are being looked after
        a_second_passes(monitor)
        monitor._tick()
    run_dry(monitor)


def a_second_passes(monitor: Monitor) -> None:
    """Let everything that was asked be a second older."""
    for pair in monitor._schedule._tried:
        monitor._schedule._tried[pair] -= TICK_S
    for held in monitor._watch.book:
        held.looked -= TICK_S
        held.changed -= TICK_S
    monitor._watch.looked -= TICK_S
    monitor._schedule._looked -= TICK_S


def looked_long_ago(monitor: Monitor, *helds: PairState) -> None:
    """Let nobody have compared a pair for a while."""
    for held in helds:
        held.looked = time.monotonic() - LONGEST_S - 1
    monitor._schedule._tried.clear()
    monitor._schedule._looked = -inf


def looks(monitor: Monitor, patch: pytest.MonkeyPatch, failing: str = "") -> list[str]:
    """Return the pairs that are looked at from now on; the look at one of them may fail."""
    looked: list[str] = []
    look_at = monitor._watch.look_at

    def look(held: PairState) -> None:
        looked.append(held.pair)
        if held.pair == failing:
            raise LOST
        look_at(held)

    patch.setattr(monitor._watch, "look_at", look)
    return looked


def alerts(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what was said with [ALERT]."""
    said = [record.getMessage() for record in caplog.records]
    return [line for line in said if line.startswith("[ALERT]")]


# One pair's surprise is that pair's


def test_a_pair_that_fails_keeps_no_other_from_being_looked_after(
    monitor: Monitor, made: Guards, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever about it fails; and the ticks go on."""

    class Broken(PairState):
        @property
        def required_stop(self) -> None:  # type: ignore[override]
            raise AttributeError("'NoneType' object has no attribute 'amount'")

    made.manager.book._pairs[BTC] = Broken(BTC, base=1.0)
    made.enter(pair=ETH)
    made.paper.end(*made.live(ETH), "canceled")
    monitor._thread.start()
    until(lambda: made.live(ETH))
    made.paper.end(*made.live(ETH), "canceled")
    until(lambda: made.live(ETH))
    assert monitor._thread.state.restarts == 0
    assert len([line for line in alerts(caplog) if BTC in line]) == 1


def test_a_pair_is_read_under_its_lock(
    monitor: Monitor, made: Guards, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bot's thread may let a stranger go meanwhile: what was seen of it is gone at once."""
    need, owned = PairState.required_stop.fget, []
    assert need is not None

    def look(held: PairState) -> object:
        owned.append(held.lock._is_owned())  # type: ignore[attr-defined]
        return need(held)

    made.enter()
    monkeypatch.setattr(PairState, "required_stop", property(look))
    ticked(monitor, 3)
    assert owned
    assert all(owned)


def test_the_ticks_go_on_after_an_error_of_their_own(
    monitor: Monitor, made: Guards, caplog: pytest.LogCaptureFixture
) -> None:
    """It is said, counted, and seen in the health."""
    made.enter()
    failing = [RuntimeError("forced by a test")]
    tick = monitor._tick

    def fail_once() -> None:
        if failing:
            raise failing.pop()
        tick()

    monitor._tick = fail_once  # type: ignore[method-assign]
    monitor._thread.start()
    until(lambda: monitor._thread.state.restarts)
    made.paper.end(*made.live(), "canceled")
    until(made.live)
    assert alerts(caplog)[0] == (
        "[ALERT] Thread qt-monitor failed: forced by a test. It begins again."
    )
    assert monitor.health.threads[0].restarts == 1


# Whatever road is shut


def test_what_is_not_covered_is_reached_while_the_exchange_takes_nothing(
    hearing: Monitor, made: Guards, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each tick: a deadline may run. What is covered is left alone, and nothing is pinged."""
    made.enter(pair=ETH)
    held = made.enter()
    monkeypatch.setattr(made.paper, "shut_s", lambda _: 60.0)
    pings: list[int] = []
    monkeypatch.setattr(made.paper, "ping", lambda: pings.append(1))
    reached: list[str] = []
    check = made.watch.check_doubts
    monkeypatch.setattr(
        made.watch, "check_doubts", lambda held: reached.append(held.pair) or check(held)
    )
    hearing._hearing.missed()
    hearing._keep_alive._at = 0.0
    ticked(hearing)
    assert reached == []
    for _ in range(5):
        made.paper.before["place_stop"].append(LOST)
        made.paper.before["find_stop"].append(LOST)
    held.drop(*made.live())
    made.paper.asked.clear()
    ticked(hearing)
    assert reached == [BTC]
    assert "place_stop" in made.paper.asked
    assert "open_stops" not in made.paper.asked
    assert pings == []


def test_doubts_are_asked_after_all_the_same(
    hearing: Monitor, made: Guards, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stop that may have fired is no cover that is certain."""
    held = made.enter()
    held.stops[0].track.hear(StopEvent.UNKNOWN)
    monkeypatch.setattr(made.paper, "shut_s", lambda road: 60.0 if road is Road.STOPS else 0.0)
    made.paper.asked.clear()
    ticked(hearing)
    assert made.paper.asked == ["find_stop"]


# What the stream does not tell is asked


def test_while_the_stream_is_down_every_tick_asks(monitor: Monitor, made: Guards) -> None:
    """Of what has something to protect."""
    made.enter()
    made.held(ETH)
    made.paper.asked.clear()
    ticked(monitor, 3)
    assert made.paper.asked == ["open_stops"] * 3


def test_pairs_share_what_may_be_polled(monitor: Monitor, made: Guards) -> None:
    """Thirty are asked for as often as plain Freqtrade would ask, and not each second."""
    pairs = [f"C{number}/USDT:USDT" for number in range(30)]
    for pair in pairs:
        made.enter(pair=pair)
    monitor._tick()
    run_dry(monitor, *pairs)
    made.paper.asked.clear()
    for _ in range(60):
        a_second_passes(monitor)
        monitor._tick()
        run_dry(monitor, *pairs)
    assert 30 * 12 <= made.paper.sent("open_stops") <= 30 * 15


def test_near_the_limit_nothing_is_looked_at(monitor: Monitor, made: Guards) -> None:
    """What lacks cover is covered all the same."""
    held = made.enter()
    made.paper.has_room = lambda rank: rank < Rank.COMPARE  # type: ignore[method-assign]
    made.paper.asked.clear()
    ticked(monitor, 3)
    assert made.paper.asked == []
    held.drop(*made.live())
    ticked(monitor)
    assert made.paper.asked == ["place_stop"]


def test_while_the_stream_is_up_pairs_take_turns(
    hearing: Monitor, made: Guards, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a look at all of them too: none waits for its turn longer than the others."""
    pairs = [f"C{number}/USDT:USDT" for number in range(5)]
    for pair in pairs:
        made.enter(pair=pair).changed -= FRESH_S
    looked = looks(hearing, monkeypatch)
    hearing._tick()
    run_dry(hearing, *pairs)
    made.watch.look()
    looked.clear()
    for _ in range(10):
        a_second_passes(hearing)
        hearing._tick()
        run_dry(hearing, *pairs)
    assert sorted(looked[:5]) == pairs
    assert looked == looked[:5] * 2


def test_a_pair_that_just_changed_is_looked_at_each_second(
    hearing: Monitor, made: Guards, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An exchange that takes a stop back does so soon after the stop was placed."""
    for number in range(5):
        made.enter(pair=f"C{number}/USDT:USDT").changed -= FRESH_S
    made.enter()
    ticked(hearing)
    looked = looks(hearing, monkeypatch)
    ticked(hearing, 3)
    assert looked.count(BTC) == 3
    ticked(hearing, 2)
    looked.clear()
    ticked(hearing, 5)
    assert looked.count(BTC) <= 2


def test_a_connection_that_opens_is_no_knowledge_yet(monitor: Monitor, made: Guards) -> None:
    """What happened before is asked for until the exchange answers, by pair."""
    made.enter()
    (old,) = made.live()
    made.paper.before["open_stops"].extend([LOST] * 3)  # the look of the opening, and two ticks
    monitor._stream.start()
    until(lambda: monitor._stream.up)
    ticked(monitor, 2)
    assert not made.paper.before["open_stops"]
    made.paper.end(old, "canceled")
    ticked(monitor)
    (new,) = made.live()
    assert new != old
    assert monitor._schedule._asked[BTC] >= monitor._hearing.whole_since


def test_an_event_whose_act_failed_is_asked_for(
    hearing: Monitor, made: Guards, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the next tick."""
    made.enter()
    ticked(hearing)
    made.paper.asked.clear()
    failed = threading.Event()

    def fail(_: object) -> None:
        failed.set()
        raise ValueError("forced by a test")

    monkeypatch.setattr(made.watch, "heard", fail)
    house.send("algoOrder", **STOP)
    assert failed.wait(PATIENCE_S)
    ticked(hearing)
    assert made.paper.asked == ["open_stops"]


@pytest.mark.parametrize("road", ["find_order", "open_stops"])
def test_one_road_that_fails_stops_no_other(road: str, exchange: Exchange) -> None:
    """Entries are asked for by one service, stops by another; both until both have answered."""
    made = guards("on_fill")
    monitor = Monitor(partial(UserStream, exchange), made.watch)
    made.rest()
    made.paper.asked.clear()
    made.paper.before[road].append(RequestError("down", Outcome.NOT_EXECUTED))
    ticked(monitor)
    assert made.paper.asked == ["find_order", "open_stops"]
    assert BTC not in monitor._schedule._asked
    ticked(monitor)
    assert BTC in monitor._schedule._asked
    monitor.stop()


def test_an_exchange_that_does_not_answer_fills_no_log(
    monitor: Monitor, made: Guards, caplog: pytest.LogCaptureFixture
) -> None:
    """One line for many ticks."""
    made.enter()
    made.paper.before["open_stops"].extend([LOST] * 5)
    ticked(monitor, 5)
    said = [r for r in caplog.records if "could not reach the exchange" in r.getMessage()]
    assert len(said) == 1


def test_many_pairs_are_looked_at_at_once(monitor: Monitor, made: Guards) -> None:
    """One look at the whole account costs less than so many."""
    pairs = [f"C{number}/USDT:USDT" for number in range(41)]
    for pair in pairs:
        made.enter(pair=pair)
    monitor._tick()
    run_dry(monitor, *pairs)
    lists: list[str | None] = []
    listed = made.paper.open_stops

    def note(pair: str | None = None) -> list[dict[str, object]]:
        lists.append(pair)
        return listed(pair)

    made.paper.open_stops = note  # type: ignore[method-assign]
    for _ in range(5):
        a_second_passes(monitor)
    monitor._tick()
    run_dry(monitor, *pairs)
    assert lists.count(None) == 1
    made.paper.has_room = lambda rank: rank < Rank.COMPARE  # type: ignore[method-assign]
    for _ in range(5):
        a_second_passes(monitor)
    monitor._tick()
    run_dry(monitor, *pairs)
    assert lists.count(None) == 1


def test_a_pair_that_somebody_is_at_holds_up_nobody(monitor: Monitor, made: Guards) -> None:
    """The bot's thread may wait for the exchange with the pair in hand."""
    one, other = made.enter(), made.enter(pair=ETH)
    for held in (one, other):
        held.drop(*made.live(held.pair))
    with one.lock:
        ticked(monitor)
        assert (len(one.stops), len(other.stops)) == (0, 1)
    ticked(monitor)
    assert (len(one.stops), len(other.stops)) == (1, 1)


def test_what_needs_no_cover_is_not_asked_for(monitor: Monitor, made: Guards) -> None:
    """A pair whose trade is known, and no stop of it: the bot's loop knows more next."""
    made.held().base = 1.0
    ticked(monitor, 3)
    assert made.paper.asked == []


# The watch's own looks


def test_where_nobody_compares_the_watch_looks_itself(hearing: Monitor, made: Guards) -> None:
    """The bot is stopped, or its loop hangs, and an event got lost."""
    held = made.enter()
    made.held("ZEN/USDT:USDT")
    ticked(hearing)
    made.paper.end(*made.live(), "canceled")
    looked_long_ago(hearing, held)
    made.paper.asked.clear()
    ticked(hearing)
    assert len(made.live()) == 1
    assert made.paper.sent("open_stops") == 1


def test_an_own_look_in_vain_waits_for_its_turn(
    hearing: Monitor, made: Guards, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An exchange that does not answer for a pair is not asked for that pair each second."""
    for number in range(5):
        made.enter(pair=f"C{number}/USDT:USDT").changed -= FRESH_S
    held = made.enter()
    held.changed -= FRESH_S
    ticked(hearing)
    looked_long_ago(hearing, held)
    looked = looks(hearing, monkeypatch, failing=BTC)
    ticked(hearing, 3)
    assert looked.count(BTC) == 1


def test_the_fill_of_an_entry_is_acted_on(exchange: Exchange) -> None:
    """As the stream tells of it; it says nothing of the guard's own stops."""
    made = guards("on_fill")
    monitor = Monitor(partial(UserStream, exchange), made.watch)
    entry = made.rest()
    made.paper.fill(entry, 1.0)
    monitor._proof.opened()
    monitor._proof.expect(entry, time.monotonic())
    monitor._heard(order_event(entry, "FILLED", 1.0))
    run_dry(monitor)
    assert made.paper.is_covered(BTC)
    assert monitor._proof._due, "an order of the book is no proof of conditional orders"
    monitor.stop()


def test_connections_are_opened_for_a_stop_to_come(
    monitor: Monitor, made: Guards, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Several: one alone may be busy when the stop goes out."""
    pinged: list[float] = []
    monkeypatch.setattr(made.paper, "ping", pinged.append)
    monitor.warm_up()
    run_dry(monitor, *CONNECTIONS)
    assert pinged == [0.0] * 3


# Silence and lag


def test_a_stream_that_does_not_tell_of_an_order_is_renewed(
    hearing: Monitor, made: Guards, caplog: pytest.LogCaptureFixture
) -> None:
    """Polled meanwhile, said once, and up again with the new connection."""
    made.enter()
    ticked(hearing)
    renewed, turned = threading.Event(), hearing._turned
    states: list[bool] = []

    def note(is_up: bool) -> None:
        states.append(is_up)
        turned(is_up)
        if is_up:
            renewed.set()

    hearing._stream._on_state = note
    hearing._proof.expect("17", time.monotonic() - 100.0)
    made.paper.asked.clear()
    with caplog.at_level(logging.INFO):
        ticked(hearing)
        assert "open_stops" in made.paper.asked
        assert renewed.wait(PATIENCE_S)
    assert states == [False, True]
    said = [r.getMessage() for r in caplog.records if "User data stream" in r.getMessage()]
    assert len(said) == 2
    assert "it did not tell of stop 17 in time" in said[0]
    ticked(hearing, 2)
    assert hearing.health.stream is Stream.UP


def test_an_order_that_is_heard_of_proves_the_stream(
    hearing: Monitor, house: House, made: Guards
) -> None:
    """Its acceptance, and its end."""
    stop = str(house.send("algoOrder", **STOP)["algoId"])
    hearing._proof.expect(stop, time.monotonic())
    house.send("algoOrder", "DELETE", algoId=stop)
    hearing._proof.expect(stop, time.monotonic(), ended=True)
    until(lambda: not hearing._proof._due)
    assert hearing._proof.overdue(time.monotonic() + 100.0) is None


def test_events_that_wait_too_long_count_as_unheard(
    hearing: Monitor, made: Guards, caplog: pytest.LogCaptureFixture
) -> None:
    """Other pairs are polled until what waits is done; it is said once."""
    made.enter(pair=ETH)
    ticked(hearing)
    go, began, now = threading.Event(), threading.Event(), time.monotonic()

    def wait() -> None:
        began.set()
        go.wait(PATIENCE_S)

    hearing._lanes._clock = lambda: now
    hearing._lanes.put(BTC, wait)
    assert began.wait(PATIENCE_S)
    hearing._lanes._clock = lambda: now + 3.0
    made.paper.asked.clear()
    a_second_passes(hearing)
    for _ in range(3):
        hearing._tick()
        assert hearing.health.stream is Stream.LATE
        until(lambda: ETH not in hearing._lanes._waiting)
    assert made.paper.sent("open_stops") >= 1
    assert len(alerts(caplog)) == 1
    go.set()
    run_dry(hearing)
    ticked(hearing)
    assert hearing.health.stream is Stream.UP


def test_what_could_not_be_taken_is_asked_for(hearing: Monitor, made: Guards, house: House) -> None:
    """Too many events wait: one is dropped, and each pair is looked at."""
    made.enter()
    ticked(hearing)
    made.paper.asked.clear()
    hearing._lanes._most = 0
    before = hearing._hearing.whole_since
    house.send("algoOrder", **STOP)
    until(lambda: hearing._hearing.whole_since > before)
    hearing._lanes._most = 1000
    ticked(hearing)
    assert made.paper.asked == ["open_stops"]
    assert hearing._schedule._asked[BTC] >= hearing._hearing.whole_since


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_the_state_of_the_stream_and_its_age() -> None:
    """The worst counts: down, then mute, then late."""
    clock, proof = Clock(), StreamProof()
    seen = Hearing(proof, clock)
    assert seen.state is Stream.DOWN
    clock.now += 5.0
    assert seen.state_s == 5.0
    seen.opened()
    assert (seen.state, seen.state_s, seen.whole_since) == (Stream.UP, 0.0, clock.now)
    clock.now += 5.0
    seen.review(is_open=True, lag_s=1.0)
    assert (seen.state, seen.state_s) == (Stream.UP, 5.0)
    seen.review(is_open=True, lag_s=3.0)
    assert (seen.state, seen.state_s) == (Stream.LATE, 0.0)
    proof.expect("1", 1.0)
    proof.overdue(9.0)
    seen.review(is_open=True, lag_s=3.0)
    assert seen.state is Stream.MUTE
    seen.review(is_open=False, lag_s=3.0)
    assert seen.state is Stream.DOWN
    assert seen.whole_since == 1005.0
    seen.missed()
    assert seen.whole_since == clock.now


# The threads, and the bot's own


@pytest.mark.parametrize("check", [Monitor.loop_came, Monitor._tick])
def test_what_has_died_is_started(
    monitor: Monitor, caplog: pytest.LogCaptureFixture, check: Callable[[Monitor], None]
) -> None:
    """By the bot's loop, and by each tick."""
    monitor._lanes._started = 1
    threads = (monitor._thread, monitor._stream.thread, monitor._lanes.threads[0])
    for thread in threads:
        thread._is_wanted, thread._thread = True, threading.Thread()  # as if it had died
        assert thread.state.life is Life.DEAD
    check(monitor)
    for thread in threads:
        assert thread.state.life is Life.RUNNING
        assert f"[ALERT] Thread {thread.name} had ended unheard. It runs again." in caplog.text


def test_a_loop_that_does_not_come_is_said(
    monitor: Monitor, made: Guards, caplog: pytest.LogCaptureFixture
) -> None:
    """Once, while there is something to protect; and again when it comes."""
    monitor._loop._at -= 3600.0
    ticked(monitor)
    assert alerts(caplog) == []
    made.enter()
    ticked(monitor, 3)
    (said,) = alerts(caplog)
    assert said.startswith("[ALERT] The bot's loop has not come round for 36")
    with caplog.at_level(logging.INFO):
        monitor.loop_came()
        ticked(monitor)
    assert "[OK] The bot's loop is well again." in caplog.text


def test_the_health(monitor: Monitor, made: Guards) -> None:
    """Each thread, the stream, and how long ago the pair was compared that waits longest."""
    assert monitor.health.looked_s is None
    assert {thread.life for thread in monitor.health.threads} == {Life.ENDED}
    one, other = made.enter(), made.enter(pair=ETH)
    monitor.start()
    ticked(monitor)
    monitor._began -= 3600.0
    now = time.monotonic()
    one.looked, other.looked = now - 7.0, now - 3.0
    health = monitor.health
    assert health.looked_s is not None
    assert health.looked_s >= 7.0 or one.looked > now - 7.0  # a tick of its own came between
    names = [thread.name for thread in health.threads]
    assert names[:3] == ["qt-monitor", "qt-user-stream", "qt-watch-1"]
    assert {thread.life for thread in health.threads} == {Life.RUNNING}


def test_it_starts_once_and_ends_once(monitor: Monitor) -> None:
    """More is no error, and what has ended stays so."""
    monitor.start()
    monitor.start()
    monitor.stop()
    monitor.stop()
    monitor.start()
    assert {thread.life for thread in monitor.health.threads} == {Life.ENDED}
    assert not [t for t in threading.enumerate() if t.name.startswith("qt-")]
