"""What an event of the user data stream leads to, at once and for its pair alone."""

import pytest

from qt_protections.stops.state.stop import Stop
from qt_protections.stops.venue.binance.order_events import OrderEvent
from qt_protections.stops.venue.protocol import Position
from tests.stops.guards import Guards, guards, order_event
from tests.stops.paper import BTC


@pytest.fixture
def deaf() -> Guards:
    """A manager and its watch, which hear what a test tells them."""
    return guards()


@pytest.fixture
def hearing() -> Guards:
    """The same with the stream between exchange and watch."""
    made = guards()
    made.paper.on_event = made.watch.heard
    return made


def of_stop(order_id: str, status: str) -> OrderEvent:
    """Return an event of a conditional order."""
    return OrderEvent(BTC, order_id, "", True, status, 0.0, "", "")


@pytest.mark.parametrize("status", ["TRIGGERING", "TRIGGERED"])
def test_a_stop_at_its_trigger_is_asked_after_with_the_next_tick(deaf: Guards, status: str) -> None:
    """What its order fills is told next, as a rule; until then it is no certain cover."""
    held = deaf.enter()
    (stop,) = deaf.live()
    deaf.paper.asked.clear()
    deaf.watch.heard(of_stop(stop, status))
    assert deaf.paper.asked == []
    assert deaf.doubts() == [stop]
    deaf.paper.trigger(stop)
    deaf.watch.check_doubts(held)
    assert held.required_stop is None
    assert [fill.amount for fill in held.ledger.unbooked_fills] == [1.0]


def test_a_stop_that_is_told_as_new_changes_nothing(deaf: Guards) -> None:
    """Its answer has told of it."""
    deaf.enter()
    (stop,) = deaf.live()
    deaf.paper.asked.clear()
    deaf.watch.heard(of_stop(stop, "NEW"))
    assert deaf.paper.asked == []
    assert deaf.doubts() == []


def guarded_stranger(made: Guards) -> str:
    """Have somebody hold a position, and cover it with a stop; return the stop's id."""
    held = made.held()
    guard = made.paper.stray_stop(BTC, 1.0, 97.0, "by hand")
    held.external.position = Position(BTC, False, 1.0, 100.0, 10.0)
    held.external.stops = [Stop.of(BTC, made.paper.stops[guard])]
    held.trigger = 98.0
    made.paper.size[BTC] = 1.0
    return guard


@pytest.mark.parametrize("status", ["CANCELED", "EXPIRED", "REJECTED", "FINISHED"])
def test_a_position_without_a_trade_is_covered_as_its_own_stop_ends(
    deaf: Guards, status: str
) -> None:
    """At once: nobody else will."""
    guard = guarded_stranger(deaf)
    deaf.paper.stops[guard]["status"] = "canceled"
    deaf.watch.heard(of_stop(guard, status))
    assert deaf.paper.is_covered(BTC)
    assert [order["stopPrice"] for order in deaf.paper.live()] == [98.0]


@pytest.mark.parametrize(("whose", "status"), [("the guard's", "NEW"), ("another", "CANCELED")])
def test_a_guard_that_stands_is_left_its_position(deaf: Guards, whose: str, status: str) -> None:
    """Two stops at once would reduce what somebody enters next."""
    guard = guarded_stranger(deaf)
    deaf.watch.heard(of_stop(guard if whose == "the guard's" else "99", status))
    assert deaf.live() == [guard]


def test_the_order_that_a_stop_became_is_counted_once(hearing: Guards) -> None:
    """The stream tells of both: what is left of the position must stay covered."""
    held = hearing.enter(2.0)
    held.opened_ms = 1
    (stop,) = hearing.live()
    hearing.paper.trigger(stop, share=0.5)
    child = hearing.paper.stops[stop]["info"]["actualOrderId"]
    assert held.own == 1.0
    hearing.paper.asked.clear()
    hearing.watch.heard(OrderEvent(BTC, child, "", False, "FILLED", 1.0, "", "", side="SELL"))
    assert held.own == 1.0
    assert "orders_since" not in hearing.paper.asked, "there is nothing to find out"
    assert hearing.paper.is_covered(BTC)


@pytest.mark.parametrize(
    ("status", "filled", "side", "own"),
    [
        ("FILLED", 1.0, "SELL", 1.0),
        ("PARTIALLY_FILLED", 1.0, "SELL", 2.0),
        ("CANCELED", 0.0, "SELL", 2.0),
        ("FILLED", 1.0, "BUY", 2.0),
    ],
    ids=["closes a part", "not over", "empty", "adds"],
)
def test_what_another_hand_closes_is_taken_off(
    deaf: Guards, status: str, filled: float, side: str, own: float
) -> None:
    """Once it is over; what a hand adds is no part of the trade."""
    held = deaf.enter(2.0)
    held.opened_ms = 1
    hand = deaf.paper.enter(BTC, -filled if side == "SELL" else filled, "web_1")
    deaf.watch.heard(OrderEvent(BTC, hand, "web_1", False, status, filled, "", "", side=side))
    assert held.own == own


def test_an_entry_of_nobody_here_is_left_alone(deaf: Guards) -> None:
    """The pair has no position of this bot's."""
    deaf.watch.heard(order_event("99", "FILLED", 1.0))
    assert deaf.paper.asked == []
    assert deaf.held().is_empty
