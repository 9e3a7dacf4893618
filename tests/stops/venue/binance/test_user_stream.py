"""The listener in the background: what it reports, how it comes back, and how it ends."""

import gc
import logging
import threading

import pytest

from qt_protections.rehearsal.auth import API_KEY
from qt_protections.stops.venue.binance.order_events import OrderEvent
from qt_protections.stops.venue.binance.user_stream import Pace, UserStream
from tests.integration.rig import until
from tests.patience import PATIENCE_S
from tests.rehearsal.struck import fault
from tests.stops.relay import Relay
from tests.stops.stream_house import BUY, House, Pulse, open_house

LISTEN_KEY = "/fapi/v1/listenKey"
THREAD = "qt-user-stream"


def running() -> list[str]:
    """Return the listener's threads that live."""
    return [thread.name for thread in threading.enumerate() if thread.name == THREAD]


def said(caplog: pytest.LogCaptureFixture, level: int) -> list[str]:
    """Return what the listener logged at one level."""
    name = "qt_protections.stops.venue.binance.user_stream"
    return [r.getMessage() for r in caplog.records if (r.name, r.levelno) == (name, level)]


def test_the_exchange_hangs_up(caplog: pytest.LogCaptureFixture) -> None:
    """Down, then up again: told once each, and events go on."""
    with open_house(fault("stream_drop", at_s=10)) as house, caplog.at_level(logging.INFO):
        stream = house.listening()
        house.stage.now_ms += 10_000
        assert [house.next(), house.next()] == [False, True]
        assert stream.up
        house.send("order", **BUY)
        house.until("FILLED")
    assert [text[:29] for text in said(caplog, logging.INFO)] == [
        "[OK] User data stream is up: ",
        "[OK] User data stream is up a",
    ]
    assert len(said(caplog, logging.WARNING)) == 1


def test_the_exchange_is_away_and_comes_back(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing answers at its address for some attempts: one warning, one loss."""
    with caplog.at_level(logging.INFO):
        stream = house.listening()
        house.server.stop()
        assert house.next() is False
        assert not stream.up
        house.reopen()
        assert house.next() is True
        house.send("order", **BUY)
        house.until("FILLED")
    assert len(said(caplog, logging.WARNING)) == 1
    assert len(said(caplog, logging.INFO)) == 2


@pytest.mark.parametrize(
    "text",
    [
        fault("busy", endpoints=[f"POST {LISTEN_KEY}"], times=3),
        fault("refuse", endpoints=[f"POST {LISTEN_KEY}"], code=-1000, times=3),
        fault("drop", endpoints=[f"POST {LISTEN_KEY}"], times=3),
        fault("ban", endpoints=[f"POST {LISTEN_KEY}"], for_s=999, times=3),
    ],
    ids=["busy", "refuse", "drop", "ban"],
)
def test_no_key_at_first(text: str, caplog: pytest.LogCaptureFixture) -> None:
    """It is asked for until it is given; the user reads of it once, the caller of the success."""
    with open_house(text) as house, caplog.at_level(logging.INFO):
        house.listening()
        assert house.heard.empty()
    assert len(said(caplog, logging.WARNING)) == 1
    assert [line[:29] for line in said(caplog, logging.INFO)] == ["[OK] User data stream is up: "]


def test_a_silent_line(house: House, pulse: Pulse, caplog: pytest.LogCaptureFixture) -> None:
    """A line that is dead without a word is given up, and the stream comes back over a live one."""
    with Relay(house.server.port) as relay, caplog.at_level(logging.DEBUG, "qt_protections"):
        stream = house.listening(pulse.pace, relay.port)
        pulse.beat(3)
        relay.mute()
        pulse.stop(stream)
        assert house.next() is False
        assert not stream.up
        key = house.stage.venue.listen_keys.valid
        relay.unmute()
        assert house.next() is True
        house.send("order", **BUY)
        house.until("FILLED")
        stream.stop()
    (warning,) = said(caplog, logging.WARNING)
    assert "keepalive" in warning
    assert "<listen key>" in warning
    assert key is not None
    assert not any(secret in caplog.text for secret in (key, API_KEY))


def test_a_callback_that_raises(house: House, caplog: pytest.LogCaptureFixture) -> None:
    """It is logged, and the next event is heard."""

    def fail_once(event: OrderEvent) -> None:
        house.heard.put(event)
        if event.status == "NEW":
            raise RuntimeError("cannot take it")

    stream = house.listener(on_event=fail_once)
    stream.start()
    assert house.next() is True
    house.send("order", **BUY)
    assert [event.status for event in house.until("FILLED")] == ["NEW", "FILLED"]
    assert stream.up
    assert "cannot take it" in caplog.text


def test_it_is_renewed_on_demand(house: House, caplog: pytest.LogCaptureFixture) -> None:
    """The line is hung up and another one dialled, with the reason said."""
    with caplog.at_level(logging.INFO):
        stream = house.listening()
        key = house.stage.venue.listen_keys.valid
        stream.renew("it is silent")
        assert [house.next(), house.next()] == [False, True]
        assert stream.up
        house.send("order", **BUY)
        house.until("FILLED")
    assert house.stage.venue.listen_keys.valid == key
    (warning,) = said(caplog, logging.WARNING)
    assert warning.endswith("it is silent")


def test_there_is_nothing_to_renew_before_and_after(house: House) -> None:
    """Neither is an error."""
    stream = house.listener()
    stream.renew("too early")
    stream.start()
    assert house.next() is True
    stream.stop()
    stream.renew("too late")
    assert running() == []


@pytest.mark.parametrize("error", [ValueError("out of turn"), SystemExit(1)])
def test_a_thread_that_fails_begins_again(
    house: House,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: BaseException,
) -> None:
    """Between two connections, where nothing is expected to fail: down, said, and up again."""
    stream = house.listener(Pace(first_s=0.05, longest_s=0.2))
    failing = [error]

    def pause_s(_: Pace, failures: int, chance: float, *, is_ban: bool = False) -> float:
        if failing:
            raise failing.pop()
        return 0.05

    monkeypatch.setattr(Pace, "pause_s", pause_s)
    stream.start()
    assert house.next() is True
    stream.renew("forced by a test")
    assert [house.next(), house.next()] == [False, True]
    assert stream.up
    assert stream.thread.state.restarts == 1
    assert caplog.text.count("[ALERT] Thread qt-user-stream failed") == 1
    house.send("order", **BUY)
    house.until("FILLED")


def test_a_thread_that_hangs_counts_as_down(house: House) -> None:
    """The line may be open: nobody reads from it."""
    go, began = threading.Event(), threading.Event()

    def wait(_: OrderEvent) -> None:
        began.set()
        go.wait(PATIENCE_S)

    stream = house.listener(on_event=wait)
    stream.start()
    assert house.next() is True
    house.send("order", **BUY)
    assert began.wait(PATIENCE_S)
    stream.thread._hangs_s = 0.0
    until(lambda: not stream.up)
    stream.thread._hangs_s = PATIENCE_S
    go.set()
    assert stream.up


def quiet_end(stream: UserStream, caplog: pytest.LogCaptureFixture) -> None:
    """Stop a listener twice, and find nothing of it."""
    stream.stop()
    stream.stop()
    assert running() == []
    assert not stream.up
    gc.collect()
    assert not [r for r in caplog.records if r.name in {"asyncio", "ccxt.base.exchange"}]
    assert not [r for r in caplog.records if "Thread" in r.getMessage()]


def test_stop_while_connected(house: House, caplog: pytest.LogCaptureFixture) -> None:
    """No thread, no open session, no warning, and no further word."""
    stream = house.listening()
    assert running() == [THREAD]
    quiet_end(stream, caplog)
    house.send("order", **BUY)
    assert house.heard.empty()
    assert said(caplog, logging.WARNING) == []


def test_stop_before_start(house: House, caplog: pytest.LogCaptureFixture) -> None:
    """A listener lives once."""
    stream = house.listener()
    quiet_end(stream, caplog)
    with pytest.raises(RuntimeError):
        stream.start()


def test_start_twice(house: House) -> None:
    """The second is an error, and the first goes on."""
    stream = house.listening()
    with pytest.raises(RuntimeError):
        stream.start()
    assert stream.up


@pytest.mark.parametrize("moment", ["dialling", "listening"])
def test_stop_on_a_silent_line(house: House, moment: str, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing is waited for that a dead line will not answer."""
    with Relay(house.server.port) as relay:
        stream = house.listener(port=relay.port)
        if moment == "dialling":
            relay.mute()
            stream.start()
        else:
            stream.start()
            assert house.next() is True
            relay.mute()
        quiet_end(stream, caplog)


def test_stop_while_the_exchange_is_away(house: House, caplog: pytest.LogCaptureFixture) -> None:
    """A pause, however long, ends at once."""
    stream = house.listening(Pace(first_s=3600, longest_s=3600))
    house.server.stop()
    assert house.next() is False
    quiet_end(stream, caplog)
    house.reopen()


def test_stop_from_a_callback(house: House) -> None:
    """It does not wait for itself."""
    ended = threading.Event()

    def stop(_: bool) -> None:
        stream.stop()
        ended.set()

    stream = house.listener(on_state=stop)
    stream.start()
    assert ended.wait(PATIENCE_S)
    stream.thread.join(PATIENCE_S)
    assert running() == []


def test_another_exchange(house: House) -> None:
    """It is refused by name."""
    other = house.exchange()
    other._api_async, api = None, other._api_async
    with pytest.raises(TypeError, match="Binance"):
        UserStream(other, print, print)
    other._api_async = api


@pytest.mark.parametrize(
    ("failures", "is_ban", "low_s", "high_s"),
    [
        (0, False, 0.25, 0.5),
        (1, False, 0.5, 1.0),
        (5, False, 8.0, 16.0),
        (6, False, 15.0, 30.0),
        (10**9, False, 15.0, 30.0),
        (0, True, 15.0, 30.0),
    ],
)
def test_pauses(failures: int, is_ban: bool, low_s: float, high_s: float) -> None:
    """They double up to half a minute, and half of each is chance."""
    pace = Pace()
    assert pace.pause_s(failures, 0.0, is_ban=is_ban) == low_s
    assert low_s < pace.pause_s(failures, 0.999, is_ban=is_ban) < high_s
