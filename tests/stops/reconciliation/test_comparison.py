"""What a list cannot tell is compared with the next one, and keeps no other list from it."""

import pytest

from tests.stops.minutes import Minutes
from tests.stops.paper import BTC, LOST
from tests.stops.reconciliation.scenes import held, stops


def in_a_trade(minutes: Minutes) -> None:
    """Enter, and let a trade book that."""
    minutes.bot.enter(BTC, 1.0)
    minutes.live(10.0, 5.0)


@pytest.mark.parametrize("service", ["open_orders", "open_stops"])
def test_a_first_comparison_is_made_until_all_answer(minutes: Minutes, service: str) -> None:
    """Until then nothing enters, and whatever stands stays."""
    in_a_trade(minutes)
    minutes.bot.end()
    minutes.paper.failing[service] = LOST
    minutes.restart()
    assert not minutes.bot.stops._books.view.has_looked()
    assert stops(minutes) == [(1.0, 95.0)]
    minutes.paper.failing.clear()
    minutes.bot.loop()
    assert minutes.bot.stops._books.view.has_looked()
    assert stops(minutes) == [(1.0, 95.0)]


def test_positions_that_cannot_be_had_are_due_again_at_once(minutes: Minutes) -> None:
    """And the stops are compared all the same."""
    in_a_trade(minutes)
    minutes.live(40.0, 5.0)
    minutes.paper.failing["positions"] = LOST
    minutes._clock.sleep(300.0)
    minutes.paper.asked.clear()
    for _ in range(3):
        minutes._clock.sleep(1.0)
        minutes.bot.stops.loop()
    assert minutes.paper.sent("positions") == 3
    assert minutes.paper.sent("open_stops") == 1
    minutes.paper.failing.clear()
    minutes._clock.sleep(1.0)
    minutes.bot.stops.loop()
    asked = minutes.paper.sent("positions")
    minutes._clock.sleep(1.0)
    minutes.bot.stops.loop()
    assert minutes.paper.sent("positions") == asked == 4


def test_stops_that_cannot_be_listed_leave_those_that_are_known(minutes: Minutes) -> None:
    """The list is asked for again after its pause, not with each loop."""
    in_a_trade(minutes)
    minutes.live(40.0, 5.0)
    minutes.paper.failing["open_stops"] = LOST
    minutes._clock.sleep(300.0)
    minutes.bot.stops.loop()
    assert [stop.order_id for stop in held(minutes).stops] == [minutes.paper.live(BTC)[0]["id"]]
    assert stops(minutes) == [(1.0, 95.0)]
