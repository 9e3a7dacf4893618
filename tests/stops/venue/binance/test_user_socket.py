"""A connection to the rehearsal exchange's user data stream: what is heard, and how it ends."""

import threading

import pytest

from qt_protections.rehearsal.auth import API_KEY
from qt_protections.rehearsal.engine.listen_keys import VALIDITY_MS
from qt_protections.stops.venue.binance.order_events import OrderEvent
from qt_protections.stops.venue.binance.user_stream import UserStream
from tests.patience import PATIENCE_S
from tests.rehearsal.struck import fault
from tests.stops.stream_house import BUY, LIMIT, STOP, House, Pulse, lively, open_house

PAIR = "BTC/USDT:USDT"
LISTEN_KEY = "/fapi/v1/listenKey"


def briefly(events: list[OrderEvent]) -> list[tuple[str, float]]:
    """Return status and filled amount of each event."""
    return [(event.status, event.filled) for event in events]


def test_an_entry_fills(house: House) -> None:
    """Its acceptance and its fill, which leave the exchange in one breath, are both heard."""
    house.listening()
    answer = house.send("order", **BUY, newClientOrderId="qt-entry")
    new, filled = house.until("FILLED")
    order_id = str(answer["orderId"])
    assert new == OrderEvent(PAIR, order_id, "qt-entry", False, "NEW", 0.0, "", "", "BUY")
    assert filled == OrderEvent(PAIR, order_id, "qt-entry", False, "FILLED", 0.01, "", "", "BUY")


def test_partial_fills(house: House) -> None:
    """Each is heard with the amount so far, however close they follow each other."""
    house.send("order", **BUY)
    house.listening()
    house.send("order", **BUY | {"side": "SELL", "quantity": "0.03"})
    assert briefly(house.until("FILLED")) == [
        ("NEW", 0.0),
        ("PARTIALLY_FILLED", 0.01),
        ("FILLED", 0.03),
    ]


def test_the_rest_of_an_order_expires() -> None:
    """What the book could not fill: the amount stays that of the fills."""
    with open_house(depth_ratio=1e-6) as house:
        house.listening()
        house.send("order", **BUY | {"quantity": "5"})
        expired = house.until("EXPIRED")[-1]
        assert 0 < expired.filled < 5


def test_many_orders_at_once(house: House) -> None:
    """No update of any of them is lost, and each order's come in order."""
    house.listening()
    sent = [house.send("order", **LIMIT, newClientOrderId=f"qt-{n}") for n in range(30)]
    house.price(98_999)
    heard = [house.event() for _ in range(60)]
    for order in sent:
        own = [event for event in heard if event.order_id == str(order["orderId"])]
        assert briefly(own) == [("NEW", 0.0), ("FILLED", 0.01)]


def test_a_stop_is_placed_and_cancelled(house: House) -> None:
    """By its own number and client id, as a conditional order."""
    house.listening()
    stop = house.send("algoOrder", **STOP, clientAlgoId="qt-stop")
    house.send("algoOrder", "DELETE", algoId=str(stop["algoId"]))
    new, cancelled = house.until("CANCELED")
    number = str(stop["algoId"])
    assert new == OrderEvent(PAIR, number, "qt-stop", True, "NEW", 0.0, "", "", "SELL")
    assert (cancelled.order_id, cancelled.conditional) == (number, True)


@pytest.mark.parametrize(("outcome", "status"), [("reject", "REJECTED"), ("expire", "EXPIRED")])
def test_an_accepted_stop_is_withdrawn(outcome: str, status: str) -> None:
    """The exchange's reason comes along."""
    text = fault("withdraw", after_ms=1000, outcome=outcome, reason="no longer wanted")
    with open_house(text) as house:
        house.listening()
        house.send("algoOrder", **STOP)
        house.stage.now_ms += 1000
        assert house.until(status)[-1].reason == "no longer wanted"


def test_a_stop_triggers_and_closes_the_position(house: House) -> None:
    """The order it became is named, and heard of under its own number."""
    house.send("order", **BUY)
    house.listening()
    house.send("algoOrder", **STOP)
    house.price(99_400)
    events = house.until("FINISHED")
    stops = [event for event in events if event.conditional]
    assert [event.status for event in stops] == ["NEW", "TRIGGERING", "TRIGGERED", "FINISHED"]
    assert stops[0].child_id == ""
    assert stops[-1].child_id == stops[-2].child_id != ""
    (*_, fill) = [event for event in events if not event.conditional]
    assert (fill.order_id, fill.status, fill.filled) == (stops[-1].child_id, "FILLED", 0.01)
    assert stops[-1].filled == fill.filled


def test_a_stop_triggers_without_a_position(house: House) -> None:
    """It is consumed: rejected, with the engine's reason."""
    house.listening()
    house.send("algoOrder", **STOP)
    house.price(99_400)
    rejected = house.until("REJECTED")[-1]
    assert rejected.conditional
    assert rejected.reason != ""


@pytest.mark.parametrize("hours", [1, 24])
def test_a_key_or_a_connection_that_is_too_old(house: House, hours: int) -> None:
    """A new key is asked for; the first hour ends the key, a day the connection as well."""
    house.listening()
    old = house.stage.venue.listen_keys.valid
    house.stage.now_ms += hours * VALIDITY_MS
    assert [house.next(), house.next()] == [False, True]
    assert house.stage.venue.listen_keys.valid not in {old, None}
    house.send("order", **BUY)
    house.until("FILLED")


def test_another_client_closes_the_key(house: House) -> None:
    """The exchange says goodbye; a new key is asked for."""
    house.listening()
    house.send("listenKey", "DELETE")
    assert [house.next(), house.next()] == [False, True]
    house.send("order", **BUY)
    house.until("FILLED")


def test_a_key_is_extended_until_the_exchange_denies_it() -> None:
    """An unanswered extension changes nothing; -1125 means a new key and a new connection."""
    put = [f"PUT {LISTEN_KEY}"]
    text = "\n".join(
        [
            fault("busy", endpoints=put, to_s=100),
            fault("refuse", endpoints=put, code=-1125, from_s=100, times=1),
        ]
    )
    with open_house(text) as house:
        struck = threading.Semaphore(0)
        house.stage.venue.journal.subscribe(lambda e: e.kind == "fault" and struck.release())
        stream = house.listening(lively(extend_s=0.05, extend_again_s=0.05))
        for _ in range(3):
            assert struck.acquire(timeout=PATIENCE_S)
        assert stream.up
        assert house.heard.empty()
        house.stage.now_ms += 100_000
        assert [house.next(), house.next()] == [False, True]
        assert stream.up


def test_an_idle_line_is_not_given_up(house: House, pulse: Pulse) -> None:
    """Pongs are enough; while nothing happens nothing is said."""
    house.listening(pulse.pace)
    pulse.beat(10)
    house.send("order", **BUY)
    assert house.until("FILLED")


def test_a_message_that_cannot_be_read(house: House, caplog: pytest.LogCaptureFixture) -> None:
    """It may say that a stop is gone: the connection is given up, so that the caller looks."""
    unreadable = [{"e": "ALGO_UPDATE", "o": {"s": "BTCUSDT"}}]
    stream = house.listener()
    take, stream._take = stream._take, lambda m: take(unreadable.pop() if unreadable else m)
    stream.start()
    assert house.next() is True
    house.send("algoOrder", **STOP)
    assert [house.next(), house.next()] == [False, True]
    assert "KeyError" in caplog.text


def test_the_secret_stays_with_the_bot(house: House) -> None:
    """The listener needs the key alone."""
    exchange = house.exchange()
    stream = UserStream(exchange, print, print)
    assert "secret" not in stream._settings
    assert stream._settings["apiKey"] == API_KEY
    assert stream._settings["options"] is not exchange._api_async.options
