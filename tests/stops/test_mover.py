"""Stops follow the price: the position never has less cover than before."""

import logging

import pytest

from qt_protections.rules.retry_policy import Outcome
from qt_protections.stops.state.stop import Stop
from qt_protections.stops.venue.protocol import CcxtOrder, RequestError, StopOrder, TrailingOrder
from tests.stops.guards import Guards, guards
from tests.stops.paper import BTC, LOST, refusal


@pytest.fixture
def on_paper() -> Guards:
    """A manager that places stops before entries and falls back to the fill."""
    return guards()


@pytest.mark.parametrize("way", ["move", "loosen"])
def test_nothing_is_moved_where_nothing_has_to_stand(on_paper: Guards, way: str) -> None:
    """A closed position gets no stop for the sake of a trigger."""
    assert not getattr(on_paper.mover, way)(on_paper.held(), 99.0)
    assert on_paper.paper.asked == []


@pytest.mark.parametrize("way", ["move", "loosen"])
def test_what_is_not_covered_is_covered_before_it_is_moved(on_paper: Guards, way: str) -> None:
    """While the exchange takes no stop it is not asked for another one as well."""
    held = on_paper.enter()
    on_paper.paper.stops[on_paper.live()[0]]["status"] = "canceled"
    held.drop(held.stops[0].order_id)
    on_paper.paper.before["place_stop"].extend([LOST] * 8)
    assert not getattr(on_paper.mover, way)(held, 97.0)
    assert held.trigger == 98.0
    assert not on_paper.paper.before["place_stop"]


def test_a_trigger_farther_away_moves_nothing(on_paper: Guards) -> None:
    """`move` only ever tightens."""
    held = on_paper.enter()
    before = on_paper.live()
    on_paper.mover.move(held, 97.0)
    assert held.trigger == 98.0
    assert on_paper.live() == before


@pytest.mark.parametrize("amount", [1.0, -1.0], ids=["long", "short"])
def test_where_no_cancel_is_taken_the_tighter_one_counts(on_paper: Guards, amount: float) -> None:
    """Both stand, and the old one triggers first. Should it vanish, another takes its place."""
    tight, loose = (98.0, 97.0) if amount > 0 else (102.0, 103.0)
    held = on_paper.enter(amount, tight)
    (old,) = on_paper.live()
    on_paper.paper.failing["cancel"] = LOST
    assert not on_paper.mover.loosen(held, loose)
    assert [stop["stopPrice"] for stop in on_paper.paper.live()] == [tight, loose]
    assert held.trigger == tight
    on_paper.paper.failing.clear()
    on_paper.manager.reconcile_stops(held)
    assert on_paper.live() == [old]
    on_paper.paper.end(old, "expired")
    on_paper.watch.look()
    assert [stop["stopPrice"] for stop in on_paper.paper.live()] == [tight]


def test_an_old_stop_that_fired_counts_no_more(on_paper: Guards) -> None:
    """What its order does is not known yet: the looser one covers what is left."""
    held = on_paper.enter()
    (old,) = on_paper.live()
    place = on_paper.paper.place_stop

    def fires_meanwhile(order: StopOrder, client_id: str) -> CcxtOrder:
        answer = place(order, client_id)
        on_paper.paper.stops[old] |= {"status": "closed", "info": {"actualOrderId": "99"}}
        return answer

    on_paper.paper.place_stop = fires_meanwhile  # type: ignore[method-assign]
    assert not on_paper.mover.loosen(held, 97.0)
    assert held.trigger == 97.0


def test_an_old_stop_that_fires_as_it_is_cancelled_ends_the_move(on_paper: Guards) -> None:
    """It closed the position: the looser one goes as well."""
    held = on_paper.enter()
    (old,) = on_paper.live()
    cancel = on_paper.paper.cancel

    def fires_first(pair: str, order_id: str) -> bool:
        if order_id == old and on_paper.paper.stops[old]["status"] == "open":
            on_paper.paper.trigger(old)
        return cancel(pair, order_id)

    on_paper.paper.cancel = fires_first  # type: ignore[method-assign]
    on_paper.mover.loosen(held, 97.0)
    assert held.own == 0.0
    assert on_paper.live() == []


# Trailing stops


def test_a_trailing_stop_covers_nothing(on_paper: Guards, caplog: pytest.LogCaptureFixture) -> None:
    """It is placed beside the stop, and said with its callback."""
    held = on_paper.enter()
    with caplog.at_level(logging.INFO):
        assert on_paper.mover.trail(held, 1.0, 1.5, 101.0)
    stop, trail = on_paper.paper.live()
    assert ("stopPrice" in stop, "stopPrice" in trail) == (True, False)
    assert (trail["amount"], trail["activation"]) == (1.0, 101.0)
    assert (
        f"Trailing stop placed for BTCUSDT: order ID {trail['id']}, callback 1.5 %" in caplog.text
    )


def test_a_trailing_stop_that_a_look_saw_first_is_known_once(on_paper: Guards) -> None:
    """The watch may list it before its answer has come."""
    held = on_paper.enter()
    place = on_paper.paper.place_trailing

    def seen_first(order: TrailingOrder, client_id: str) -> CcxtOrder:
        answer = place(order, client_id)
        held.trailing_stops.append(Stop.trailing(BTC, answer))
        return answer

    on_paper.paper.place_trailing = seen_first  # type: ignore[method-assign]
    assert on_paper.mover.trail(held, 1.0, 1.5, None)
    assert [each.order_id for each in held.trailing_stops] == on_paper.live()[1:]


def test_a_trailing_stop_of_a_position_that_ended_meanwhile_goes(on_paper: Guards) -> None:
    """The pair's lock is free while its answer is awaited."""
    held = on_paper.enter()
    place = on_paper.paper.place_trailing

    def ended(order: TrailingOrder, client_id: str) -> CcxtOrder:
        answer = place(order, client_id)
        on_paper.paper.exit(BTC)
        held.base = 0.0
        return answer

    on_paper.paper.place_trailing = ended  # type: ignore[method-assign]
    assert on_paper.mover.trail(held, 1.0, 1.5, None)
    assert on_paper.live() == []


@pytest.mark.parametrize(
    ("error", "is_worth_asking", "is_unsupported"),
    [
        (refusal(-2007), False, True),
        (refusal(-4045), False, False),
        (refusal(-2022), True, False),
        (RequestError("busy", Outcome.NOT_EXECUTED), True, False),
    ],
    ids=["a bad rate", "no", "no position yet", "busy"],
)
def test_whether_asking_again_is_of_use(
    on_paper: Guards, error: RequestError, is_worth_asking: bool, is_unsupported: bool
) -> None:
    """A rate that is not taken will not be next time either, a position may show up."""
    held = on_paper.enter()
    on_paper.paper.failing["place_trailing"] = error
    assert on_paper.mover.trail(held, 1.0, 1.5, 101.0) is is_worth_asking
    assert held.trailing_unsupported is is_unsupported


# Where Freqtrade looks after stops


def test_a_stop_is_placed_once(on_paper: Guards) -> None:
    """What stands is enough."""
    held = on_paper.held()
    on_paper.mover.place_once(held)
    assert on_paper.live() == []
    held.base, held.trigger = 1.0, 98.0
    on_paper.mover.place_once(held)
    assert len(on_paper.live()) == 1
    on_paper.mover.place_once(held)
    assert len(on_paper.live()) == 1


def test_a_stop_that_is_refused_is_freqtrade_s_to_place(
    on_paper: Guards, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing is closed for that: Freqtrade tries in each loop."""
    held = on_paper.held()
    held.base, held.trigger = 1.0, 98.0
    on_paper.paper.failing["place_stop"] = refusal(-1102)
    with caplog.at_level(logging.WARNING):
        on_paper.mover.place_once(held)
    assert "No stop for BTCUSDT yet: -1102" in caplog.text
    assert on_paper.paper.sent("close") == 0
