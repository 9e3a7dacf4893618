"""A position without cover is closed in time, whatever keeps its stop from standing."""

import logging

import pytest

from qt_protections.rules.quote import Quote
from qt_protections.rules.retry_policy import Outcome
from qt_protections.stops.state.pair import PairState
from qt_protections.stops.state.unbooked_fill import EMERGENCY
from qt_protections.stops.venue.protocol import RequestError
from tests.stops.clocks import HandClock, hand_clock
from tests.stops.guards import Guards, guards
from tests.stops.paper import BTC, LOST, refusal

THROTTLED = refusal(-1008, Outcome.NOT_EXECUTED)
FAILURES = {
    "throttled": THROTTLED,
    "banned": refusal(-1003, Outcome.NOT_EXECUTED),
    "too many orders": refusal(-1015, Outcome.NOT_EXECUTED),
    "clock": refusal(-1021, Outcome.NOT_EXECUTED),
    "no answer": LOST,
    "no connection": RequestError("no connection", Outcome.NOT_EXECUTED),
}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> HandClock:
    """A clock that stands still."""
    return hand_clock(monkeypatch)


@pytest.fixture
def on_paper(clock: HandClock) -> Guards:
    """A manager whose pauses move the clock; it closes after 5 s."""
    return guards("on_fill", pause=clock.pass_s)


def fail(made: Guards, failure: RequestError, times: int = 500) -> None:
    """Let the service of conditional orders fail; orders at market are taken."""
    for method in ("place_stop", "find_stop"):
        made.paper.before[method].extend([failure] * times)


def tick(made: Guards, held: PairState, clock: HandClock) -> None:
    """Let the watch look, a second later."""
    clock.pass_s(1.0)
    made.watch.check_doubts(held)


@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES)
def test_a_position_is_closed_when_its_stop_fails_for_long(
    on_paper: Guards, clock: HandClock, failure: RequestError
) -> None:
    """By the road that works; the deadline counts from the first failed stop."""
    fail(on_paper, failure)
    began = clock()
    held = on_paper.enter()
    while on_paper.paper.size[BTC]:
        tick(on_paper, held, clock)
        assert clock() - began < 10
    assert clock() - began >= 5.0
    assert [fill.reason for fill in held.ledger.unbooked_fills] == [EMERGENCY]
    assert held.required_stop is None


@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES)
def test_the_same_when_a_stop_is_taken_away(clock: HandClock, failure: RequestError) -> None:
    """It stood before its entry, and another hand cancels it while none is accepted."""
    made = guards(pause=clock.pass_s)
    held = made.enter()
    fail(made, failure)
    began = clock()
    (stop,) = made.live()
    made.paper.end(stop, "canceled")
    made.manager.outcomes.lost(held, stop, "CANCELED")
    while made.paper.size[BTC]:
        tick(made, held, clock)
        assert clock() - began < 10
    assert clock() - began >= 5.0


def test_a_stop_in_time_keeps_the_position(on_paper: Guards, clock: HandClock) -> None:
    """Two seconds of throttling close nothing, and the next trouble has a deadline of its own."""
    fail(on_paper, THROTTLED, times=3)
    held = on_paper.enter()
    assert on_paper.paper.is_covered(BTC)
    assert held.trouble.naked_since is None
    assert on_paper.paper.sent("close") == 0


def test_a_close_that_fails_is_tried_again(
    on_paper: Guards, clock: HandClock, caplog: pytest.LogCaptureFixture
) -> None:
    """With each tick, beside the stop."""
    caplog.set_level(logging.ERROR)
    fail(on_paper, THROTTLED)
    on_paper.paper.before["close"].extend([THROTTLED] * 20)
    held = on_paper.enter()
    for _ in range(40):
        tick(on_paper, held, clock)
    assert on_paper.paper.size[BTC] == 0
    assert "Could not close BTCUSDT" in caplog.text


def test_a_strangers_position_is_never_closed(clock: HandClock) -> None:
    """However long no stop is accepted for it."""
    made = guards(pause=clock.pass_s)
    made.paper.enter(BTC, 2.0)
    held = made.held()
    held.external.position = made.paper.positions()[BTC]
    held.trigger = 98.0
    fail(made, THROTTLED)
    for _ in range(30):
        tick(made, held, clock)
    assert made.paper.size[BTC] == 2.0


def test_a_stop_that_does_not_trigger_is_no_cover(clock: HandClock) -> None:
    """It is listed, the price is beyond it for seconds: the position is closed at market."""
    made = guards(pause=clock.pass_s)
    held = made.enter()
    beyond = Quote(96.9, 97.0)
    made.paper.prices[BTC] = 97.0
    made.watch.triggers.check(held, beyond)
    clock.pass_s(4.0)
    made.watch.triggers.check(held, beyond)
    assert made.paper.size[BTC] == 1.0
    clock.pass_s(1.5)
    made.watch.triggers.check(held, beyond)
    assert made.paper.size[BTC] == 0.0
    assert made.live() == []


@pytest.mark.parametrize(
    "quote",
    [Quote(99.0, 99.1), Quote(97.9, 97.95), Quote(97.0, 98.1)],
    ids=["above", "within a hair", "half of the book"],
)
def test_a_stop_that_has_no_reason_to_trigger_yet(clock: HandClock, quote: Quote) -> None:
    """Nothing is closed while the whole book is not clearly beyond the trigger."""
    made = guards(pause=clock.pass_s)
    held = made.enter()
    for _ in range(20):
        clock.pass_s(1.0)
        made.watch.triggers.check(held, quote)
    assert made.paper.size[BTC] == 1.0


@pytest.mark.parametrize("child", ["", "999999"], ids=["not named", "unknown"])
def test_a_triggered_stop_whose_order_nobody_knows(
    clock: HandClock, child: str, caplog: pytest.LogCaptureFixture
) -> None:
    """It covers for two seconds and no longer; then another stands, and that is said."""
    caplog.set_level(logging.ERROR)
    made = guards(pause=clock.pass_s)
    held = made.enter()
    (stop,) = made.live()
    made.paper.stops[stop] |= {"status": "closed", "info": {"actualOrderId": child}}
    for _ in range(4):
        tick(made, held, clock)
        made.watch.look()
    assert made.paper.is_covered(BTC)
    assert made.live() != [stop]
    assert "does not tell what its order did" in caplog.text


def test_what_an_unknown_order_closed_is_found(clock: HandClock) -> None:
    """The history of orders has it: it is booked, and nothing is placed for what is gone."""
    made = guards(pause=clock.pass_s)
    held = made.enter()
    held.opened_ms = 1
    (stop,) = made.live()
    made.paper.trigger(stop)
    made.paper.stops[stop]["info"] = {"actualOrderId": ""}
    for _ in range(4):
        tick(made, held, clock)
        made.watch.look()
    assert [fill.amount for fill in held.ledger.unbooked_fills] == [1.0]
    assert (held.base, made.live()) == (0.0, [])


def test_a_reduce_only_reject_is_asked_about(clock: HandClock) -> None:
    """The engine saw no position: what closed it is booked, and no stop is placed again."""
    made = guards(pause=clock.pass_s)
    held = made.enter()
    held.opened_ms = 1
    made.paper.enter(BTC, -1.0)  # by another hand
    (stop,) = made.live()
    made.paper.end(stop, "rejected")
    made.manager.outcomes.lost(held, stop, "REJECTED Reduce Only reject")
    assert made.paper.sent("place_stop") == 1
    assert (held.base, made.live()) == (0.0, [])


def test_a_reduce_only_reject_of_a_position_that_is_there(clock: HandClock) -> None:
    """Nothing closed it: the next stop goes out."""
    made = guards(pause=clock.pass_s)
    held = made.enter()
    held.opened_ms = 1
    (stop,) = made.live()
    made.paper.end(stop, "rejected")
    made.manager.outcomes.lost(held, stop, "REJECTED Reduce Only reject")
    assert made.paper.is_covered(BTC)


def test_a_pair_goes_back_to_stops_before_entries(clock: HandClock) -> None:
    """A refusal for a passing state does not bind it for the life of the process."""
    made = guards(pause=clock.pass_s)
    made.paper.before["place_stop"].append(refusal(-4509))
    made.enter()
    assert not made.cover.beforehand(BTC)
    clock.pass_s(901)
    assert made.cover.beforehand(BTC)


# Larger than one order


@pytest.mark.parametrize("placement", ["auto", "on_fill"])
def test_a_large_position_is_covered_by_several_stops(clock: HandClock, placement: str) -> None:
    """And moved, filled in part, and closed by them."""
    made = guards(placement, pause=clock.pass_s)  # type: ignore[arg-type]
    made.paper.most[BTC] = 1.0
    held = made.enter(2.5)
    assert sorted(stop["amount"] for stop in made.paper.live()) == [0.5, 1.0, 1.0]
    assert made.mover.move(held, 99.0)
    assert sorted((s["amount"], s["stopPrice"]) for s in made.paper.live()) == [
        (0.5, 99.0),
        (1.0, 99.0),
        (1.0, 99.0),
    ]
    assert not made.paper.laid_bare
    for stop in made.live():
        made.paper.trigger(stop)
        made.manager.outcomes.ask_after(held, held.stop_of(stop))  # type: ignore[arg-type]
    assert made.paper.size[BTC] == 0
    assert sum(fill.amount for fill in held.ledger.unbooked_fills) == 2.5


def test_a_large_position_is_closed_by_several_orders(on_paper: Guards, clock: HandClock) -> None:
    """None is larger than the exchange takes."""
    on_paper.paper.most[BTC] = 1.0
    on_paper.paper.before["place_stop"].extend([refusal(-1111)] * 3)
    on_paper.enter(2.5)
    assert on_paper.paper.size[BTC] == 0
    assert on_paper.paper.sent("close") == 3
