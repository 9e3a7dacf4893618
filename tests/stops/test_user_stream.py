"""The listener in the background: what it reports, how it comes back, and how it ends."""

import gc
import logging
import threading

import pytest

from qt_protections.rehearsal.auth import API_KEY
from qt_protections.stops.order_events import OrderEvent
from qt_protections.stops.user_stream import Pace, UserStream
from tests.patience import PATIENCE_S
from tests.rehearsal.struck import fault
from tests.stops.relay import Relay
from tests.stops.stream_house import BUY, House, Pulse, open_house

LISTEN_KEY = "/fapi/v1/listenKey"
THREADS = ("qt-user-stream", "qt-user-events")


def running() -> list[str]:
    """Return the listener's threads that live."""
    return [thread.name for thread in threading.enumerate() if thread.name in THREADS]


def said(caplog: pytest.LogCaptureFixture, level: int) -> list[str]:
    """Return what the listener logged at one level."""
    name = "qt_protections.stops.user_stream"
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


def test_a_callback_that_waits(house: House, pulse: Pulse) -> None:
    """The line is kept alive meanwhile: what waits is heard, and the connection is the same."""
    go_on = threading.Event()

    def wait(event: OrderEvent) -> None:
        assert go_on.wait(PATIENCE_S)
        house.heard.put(event)

    stream = house.listener(pulse.pace, on_event=wait)
    stream.start()
    assert house.next() is True
    for _ in range(20):
        house.send("order", **BUY)
    pulse.beat(5)
    go_on.set()
    assert [house.event().status for _ in range(40)] == ["NEW", "FILLED"] * 20
    assert stream.up


def quiet_end(stream: UserStream, caplog: pytest.LogCaptureFixture) -> None:
    """Stop a listener twice, and find nothing of it."""
    stream.stop()
    stream.stop()
    assert running() == []
    assert not stream.up
    gc.collect()
    assert not [r for r in caplog.records if r.name in {"asyncio", "ccxt.base.exchange"}]
    assert "has not ended" not in caplog.text


def test_stop_while_connected(house: House, caplog: pytest.LogCaptureFixture) -> None:
    """No thread, no open session, no warning, and no further word."""
    stream = house.listening()
    assert sorted(running()) == sorted(THREADS)
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
    stream._threads[1].join(PATIENCE_S)
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
