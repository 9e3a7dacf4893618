"""What one event would have told is found by a look, no later than plain Freqtrade finds it.

The stream goes on telling of everything else, so nothing but a look can find it. The clock is moved
by hand.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from qt_protections.stops.monitor.hearing import Stream
from qt_protections.stops.monitor.look_schedule import TICK_S
from qt_protections.stops.venue.protocol import Rank
from tests.stops.hand_clock import HandClock
from tests.stops.lives import quiet
from tests.stops.minutes import Minutes

#: Seconds between two loops of plain Freqtrade, unless it is told otherwise.
LOOP_S = 5.0
PAIR = "C0/USDT:USDT"


@pytest.fixture
def minutes(tmp_path: Path, clock: HandClock) -> Iterator[Minutes]:
    """A bot that hears everything."""
    with quiet(tmp_path):
        yield Minutes(tmp_path, clock)


def unheard(minutes: Minutes, act: Callable[[], object]) -> None:
    """Have something happen on the exchange whose events get lost."""
    told, minutes.paper.on_event = minutes.paper.on_event, lambda _: None
    act()
    minutes.paper.on_event = told


def uncovered_s(minutes: Minutes, clock: HandClock, throttle_s: float) -> float:
    """Have a stop vanish unheard; return the seconds until the position is covered again."""
    (stop,) = minutes.paper.live(PAIR)
    unheard(minutes, lambda: minutes.paper.end(stop["id"], "expired"))
    began = clock.now
    minutes.live(120.0, throttle_s, until=lambda: minutes.paper.is_covered(PAIR))
    return clock.now - began


@pytest.mark.parametrize(
    ("pairs", "is_heard", "throttle_s"),
    [
        (1, True, 5.0),
        (5, True, 5.0),
        (5, True, 1.0),
        (5, True, 60.0),
        (12, True, 5.0),
        (12, False, 5.0),
        (45, True, 5.0),
    ],
)
def test_a_stop_that_vanished_unheard(
    minutes: Minutes, clock: HandClock, pairs: int, is_heard: bool, throttle_s: float
) -> None:
    """At whatever moment between two looks, and however many pairs wait for theirs."""
    minutes.hold(pairs, settle_s=20.0)
    minutes.bot.monitor.connect(is_heard)
    for moment in range(3):
        minutes.live(12.0 + 2.0 * moment, throttle_s)
        most_s = min(throttle_s, LOOP_S) + TICK_S
        assert uncovered_s(minutes, clock, throttle_s) <= most_s
        assert (minutes.bot.monitor._hearing.state is Stream.UP) is is_heard


def test_a_stop_that_is_taken_back_soon_after(minutes: Minutes, clock: HandClock) -> None:
    """Within two ticks, whatever else is held: the pair is looked at each second then."""
    minutes.hold(5, settle_s=20.0)
    for distance in (0.04, 0.03, 0.02):
        minutes.bot.tighten(PAIR, distance)
        (old,) = minutes.paper.live(PAIR)
        minutes.live(LOOP_S, LOOP_S, until=lambda old=old: minutes.paper.live(PAIR) != [old])
        minutes.live(TICK_S, LOOP_S)
        assert uncovered_s(minutes, clock, LOOP_S) <= 2 * TICK_S


def test_a_stop_that_fired_unheard(minutes: Minutes) -> None:
    """Its trade is over in the books as soon as Freqtrade's own question would end it."""
    minutes.hold(5, settle_s=20.0)
    unheard(minutes, lambda: minutes.paper.trigger(minutes.paper.live(PAIR)[0]["id"]))
    minutes.live(2 * LOOP_S + TICK_S, LOOP_S)
    assert minutes.bot.trade(PAIR) is None


def test_an_entry_that_filled_unheard(tmp_path: Path, clock: HandClock) -> None:
    """Where its stop has to follow: the look at the pair asks for the entry as well."""
    with quiet(tmp_path):
        minutes = Minutes(tmp_path, clock, "on_fill")
        minutes.hold(5, at_market=False, settle_s=20.0)
        (entry,) = [o for o in minutes.paper.orders.values() if o["symbol"] == PAIR]
        unheard(minutes, lambda: minutes.paper.fill(entry["id"], entry["amount"]))
        minutes.live(LOOP_S + TICK_S, 60.0)
        assert minutes.paper.is_covered(PAIR)


def test_near_the_limit_freqtrade_asks_by_itself(minutes: Minutes, clock: HandClock) -> None:
    """Nobody looks then, so its question is not answered from memory."""
    minutes.hold(5, settle_s=20.0)
    minutes.paper.has_room = lambda rank: rank < Rank.COMPARE  # type: ignore[method-assign]
    assert uncovered_s(minutes, clock, LOOP_S) <= LOOP_S


def test_nearer_to_the_limit_nothing_is_asked(minutes: Minutes) -> None:
    """What is left is for what protects."""
    minutes.hold(5, settle_s=20.0)
    minutes.paper.has_room = lambda rank: rank < Rank.ASK  # type: ignore[method-assign]
    assert minutes.live(30.0, LOOP_S).keys() <= {"ping"}
