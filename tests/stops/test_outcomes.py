"""What became of a stop decides what is booked, what is placed anew, and what may be cancelled."""

import logging

import pytest

from qt_protections.stops.state.booking import book_close
from qt_protections.stops.state.client_ids import Namer, Role
from qt_protections.stops.state.pair import PairState
from qt_protections.stops.venue.protocol import Position
from tests.stops.clocks import hand_clock
from tests.stops.guards import Guards, guards
from tests.stops.paper import BTC, LOST


@pytest.fixture
def on_paper() -> Guards:
    """A manager that places stops before entries and falls back to the fill."""
    return guards()


def fires(on_paper: Guards, stop: str, share: float = 1.0) -> str:
    """Let a stop trigger unheard; return the id of the order that it becomes."""
    on_paper.paper.trigger(stop, share)
    return str(on_paper.paper.stops[stop]["info"]["actualOrderId"])


def beside_a_stranger(on_paper: Guards, held: PairState, amount: float) -> None:
    """Let somebody else hold so much beside the trade, and the loop learn of that."""
    on_paper.paper.enter(BTC, amount, "web_1")
    size = on_paper.paper.size[BTC]
    held.external.position = Position(BTC, size < 0, abs(size), 100.0, 10.0)
    on_paper.manager.reconcile_stops(held)


def earlier_run_s(on_paper: Guards) -> str:
    """Let a stop of an earlier run stand that nothing known explains; return its id."""
    client_id = Namer("test", "sqlite://").new(Role.STOP, BTC)
    stop = on_paper.paper.stray_stop(BTC, 1.0, 98.0, client_id)
    on_paper.watch.look()
    return stop


# Asked after


def test_a_stop_told_as_live_is_in_doubt_no_more(on_paper: Guards) -> None:
    """Nothing else follows: it is neither doubled nor replaced."""
    held = on_paper.enter()
    (stop,) = on_paper.live()
    on_paper.paper.untold.add(stop)
    on_paper.manager.outcomes.make_sure(held)
    assert on_paper.doubts() == [stop]
    on_paper.paper.untold.clear()
    assert on_paper.manager.outcomes.ask_after(held, held.stops[0])
    assert on_paper.doubts() == []
    assert on_paper.live() == [stop]


def test_a_stop_told_as_gone_is_replaced(on_paper: Guards) -> None:
    """By whoever asks first."""
    held = on_paper.enter()
    (stop,) = on_paper.live()
    on_paper.paper.stops[stop]["status"] = "expired"
    assert on_paper.manager.outcomes.ask_after(held, held.stops[0])
    assert on_paper.live() != [stop]
    assert on_paper.paper.is_covered(BTC)


def test_without_a_stop_nobody_has_to_be_asked(on_paper: Guards) -> None:
    """A pair that holds nothing costs no request."""
    on_paper.manager.outcomes.make_sure(on_paper.held())
    assert on_paper.paper.asked == []


def test_silence_and_not_knowing_differ(on_paper: Guards, caplog: pytest.LogCaptureFixture) -> None:
    """A stop nobody knows is replaced some time; without an answer nothing is known of it."""
    held = on_paper.enter()
    on_paper.paper.untold.update(on_paper.live())
    assert on_paper.manager.outcomes.try_to_ask_after(held, held.stops[0]) is False
    on_paper.paper.before["find_stop"].append(LOST)
    with caplog.at_level(logging.WARNING):
        assert on_paper.manager.outcomes.try_to_ask_after(held, held.stops[0]) is None
    assert "Could not ask after stop" in caplog.text


# Gone


def test_a_trailing_stop_that_is_gone_is_told_as_one(
    on_paper: Guards, caplog: pytest.LogCaptureFixture
) -> None:
    """The stop beside it covers, so nothing has to be placed at once."""
    held = on_paper.enter()
    on_paper.mover.trail(held, 1.0, 1.5, 101.0)
    stop, trail = on_paper.live()
    on_paper.paper.stops[trail]["status"] = "expired"
    with caplog.at_level(logging.WARNING):
        on_paper.manager.outcomes.lost(held, trail, "expired")
    assert f"Trailing stop {trail} of BTCUSDT is gone: expired" in caplog.text
    assert on_paper.live() == [stop]
    assert held.trailing_stops == []


def test_a_stop_that_found_no_position_has_the_orders_asked_first(on_paper: Guards) -> None:
    """Another hand has closed the position: no other stop goes out, and the trade books it."""
    held = on_paper.enter()
    held.opened_ms = 1
    (stop,) = on_paper.live()
    on_paper.paper.enter(BTC, -1.0, "web_1")
    on_paper.paper.trigger(stop)
    on_paper.manager.outcomes.lost(held, stop, "REJECTED Reduce Only reject")
    assert held.trouble.denied == 1
    assert [fill.amount for fill in held.ledger.unbooked_fills] == [1.0]
    assert on_paper.live() == []
    assert on_paper.paper.sent("place_stop") == 1


def test_before_an_entry_has_filled_such_a_stop_proves_nothing(on_paper: Guards) -> None:
    """It was touched too early: the entry gets another one, and no orders are asked for."""
    on_paper.rest()
    held = on_paper.held()
    (stop,) = on_paper.live()
    on_paper.paper.trigger(stop)
    on_paper.manager.outcomes.lost(held, stop, "REJECTED Reduce Only reject")
    assert on_paper.paper.sent("orders_since") == 0
    assert len(on_paper.live()) == 1
    assert on_paper.live() != [stop]


# Given up


def test_what_is_given_up_goes_once_another_stands(on_paper: Guards) -> None:
    """Were both to stay, the next position would meet the forgotten one."""
    held = on_paper.enter()
    (stop,) = on_paper.live()
    on_paper.manager.outcomes.give_up(held, stop)
    assert on_paper.live() != [stop]
    assert len(on_paper.live()) == 1
    assert on_paper.paper.laid_bare == []


def test_what_is_given_up_stays_while_no_other_is_taken(
    on_paper: Guards, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may stand, and then it is all there is."""
    hand_clock(monkeypatch)
    held = on_paper.enter()
    before = on_paper.live()
    on_paper.paper.before["place_stop"].extend([LOST] * 30)
    on_paper.manager.outcomes.give_up(held, before[0])
    assert on_paper.live() == before
    assert on_paper.paper.sent("cancel") == 0


def test_an_earlier_run_s_stop_is_not_cancelled_when_it_is_given_up(on_paper: Guards) -> None:
    """Nobody knows what it protects."""
    stop = earlier_run_s(on_paper)
    on_paper.manager.outcomes.give_up(on_paper.held(), stop)
    assert on_paper.live() == [stop]


# Fired


def test_the_stop_of_a_stranger_is_nobody_s_to_book(on_paper: Guards) -> None:
    """An id the book does not know changes nothing."""
    held = on_paper.enter()
    before = on_paper.live()
    on_paper.manager.outcomes.fired(held, "another", "1")
    assert not held.ledger.unbooked_fills
    assert on_paper.live() == before


def test_of_what_a_stop_took_the_stranger_s_part_is_not_booked(on_paper: Guards) -> None:
    """The stop covered both; the trade held 1 of 3."""
    held = on_paper.enter()
    beside_a_stranger(on_paper, held, 2.0)
    stop = on_paper.live()[-1]
    child = fires(on_paper, stop)
    assert on_paper.paper.orders[child]["filled"] == 3.0
    on_paper.manager.outcomes.fired(held, stop, child)
    assert [fill.amount for fill in held.ledger.unbooked_fills] == [1.0]
    assert held.own == 0.0


def test_what_a_stop_took_of_the_other_side_is_written_off(on_paper: Guards) -> None:
    """A long's stop sells: a trade that is short has no part in that."""
    held = on_paper.enter()
    (stop,) = on_paper.live()
    child = fires(on_paper, stop)
    held.is_short = True
    on_paper.manager.outcomes.fired(held, stop, child)
    assert not held.ledger.unbooked_fills
    assert stop in held.ledger.written_off
    assert child not in held.ledger.children
    assert held.base == 1.0


def test_a_stop_of_an_entry_that_filled_nothing_took_somebody_s_part(on_paper: Guards) -> None:
    """No list has shown that part yet. The entry's stop is passed, so the entry is called off."""
    entry = on_paper.rest()
    held = on_paper.held()
    (stop,) = on_paper.live()
    on_paper.paper.enter(BTC, 1.0, "web_1")
    child = fires(on_paper, stop)
    assert on_paper.paper.orders[child]["filled"] == 1.0
    on_paper.manager.outcomes.fired(held, stop, child)
    assert not held.ledger.unbooked_fills
    assert held.ledger.parts[child] == 0.0
    assert on_paper.paper.orders[entry]["status"] == "canceled"


@pytest.mark.parametrize("filled", [0.0, None])
def test_a_stop_whose_order_tells_of_no_fill_took_nothing(
    on_paper: Guards, filled: float | None
) -> None:
    """Some answers leave the number out."""
    held = on_paper.enter()
    (stop,) = on_paper.live()
    child = fires(on_paper, stop)
    on_paper.paper.orders[child] |= {"filled": filled, "status": "canceled"}
    on_paper.manager.outcomes.fired(held, stop, child)
    assert sum(fill.amount for fill in held.ledger.unbooked_fills) == 0.0
    assert held.own == 1.0


def test_what_the_history_told_of_first_is_booked_once(on_paper: Guards) -> None:
    """The stop's order was found as one that closed the position, before the stop's event."""
    held = on_paper.enter()
    (stop,) = on_paper.live()
    child = fires(on_paper, stop)
    book_close(held, dict(on_paper.paper.orders[child]))
    on_paper.manager.outcomes.fired(held, stop, child)
    assert [fill.amount for fill in held.ledger.unbooked_fills] == [1.0]
    assert held.stops == []


def test_a_stop_whose_order_filled_nothing_leaves_the_position_to_another(
    on_paper: Guards,
) -> None:
    """It is over, and the position is covered anew."""
    held = on_paper.enter()
    (stop,) = on_paper.live()
    child = on_paper.paper.enter(BTC, -1.0, fills=False)
    on_paper.paper.orders[child]["status"] = "expired"
    on_paper.paper.stops[stop] |= {"status": "closed", "info": {"actualOrderId": child}}
    on_paper.manager.outcomes.fired(held, stop, child)
    assert held.own == 1.0
    assert on_paper.paper.is_covered(BTC)


def test_a_trade_that_its_stop_has_ended_takes_its_entries_along(on_paper: Guards) -> None:
    """What waits would enter a position that is being left."""
    held = on_paper.enter()
    entry = on_paper.rest(1.0, 98.0, base=1.0)
    stop = on_paper.live()[-1]
    on_paper.manager.outcomes.fired(held, stop, fires(on_paper, stop))
    assert on_paper.paper.orders[entry]["status"] == "canceled"


def test_a_trailing_stop_that_took_a_part_leaves_entries_alone(on_paper: Guards) -> None:
    """The trade goes on: a stop of its own still covers the rest."""
    held = on_paper.enter(2.0)
    entry = on_paper.rest(1.0, 98.0, base=2.0)
    on_paper.mover.trail(held, 1.0, 1.5, 101.0)
    trail = on_paper.live()[-1]
    child = fires(on_paper, trail)
    on_paper.manager.outcomes.fired(held, trail, child)
    assert held.base == 1.0
    assert on_paper.paper.orders[entry]["status"] == "open"


def test_entries_that_cannot_be_asked_for_keep_nothing_from_being_booked(
    on_paper: Guards, caplog: pytest.LogCaptureFixture
) -> None:
    """A stop closed more than is known: what is known is booked all the same."""
    held = on_paper.enter()
    pending = on_paper.expect(2.0, base=1.0)
    waiting = on_paper.paper.enter(BTC, 2.0, pending.client_id, fills=False)
    on_paper.cover.answered(pending, on_paper.paper.orders[waiting])
    on_paper.paper.fill(waiting, 2.0)
    stop = on_paper.live()[-1]
    child = fires(on_paper, stop)
    ask = on_paper.paper.find_order

    def silent_of_entries(pair: str, **names: str) -> object:
        if names.get("order_id") == waiting:
            raise LOST
        return ask(pair, **names)

    on_paper.paper.find_order = silent_of_entries  # type: ignore[method-assign, assignment]
    with caplog.at_level(logging.WARNING):
        on_paper.manager.outcomes.fired(held, stop, child)
    assert "Could not ask for entries of BTCUSDT" in caplog.text
    assert held.base == 0.0
    assert [fill.amount for fill in held.ledger.unbooked_fills] == [3.0]


def test_a_stop_whose_order_nobody_names_covers_for_a_moment_only(
    on_paper: Guards, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Within milliseconds it has done its work, or never will: after 2 s another goes out."""
    clock = hand_clock(monkeypatch)
    held = on_paper.enter()
    (stop,) = on_paper.live()
    on_paper.manager.outcomes.fired(held, stop, "")
    clock.pass_s(1.0)
    on_paper.manager.outcomes.fired(held, stop, "")
    assert on_paper.paper.sent("place_stop") == 1
    clock.pass_s(1.1)
    on_paper.manager.outcomes.fired(held, stop, "")
    assert on_paper.paper.sent("place_stop") == 2
    assert "it counts as cover no more" in caplog.text
    assert held.stop_of(stop) is None


# Cancelled


def test_an_earlier_run_s_stop_that_fired_is_left_to_its_trade(on_paper: Guards) -> None:
    """Freqtrade cancels what it has on record; only what fired is worth booking."""
    stop = on_paper.paper.stray_stop(BTC, 1.0, 98.0)
    on_paper.paper.stops[stop]["status"] = "closed"
    held = on_paper.held()
    assert on_paper.manager.outcomes.cancel(held, stop), "the book does not know it, so it is gone"
    assert stop not in held.released


def test_a_stop_nobody_knows_any_more_is_gone(on_paper: Guards) -> None:
    """Neither its cancel nor a question finds it."""
    held = on_paper.enter()
    (stop,) = on_paper.live()
    del on_paper.paper.stops[stop]
    assert on_paper.manager.outcomes.cancel(held, stop)
    assert held.stop_of(stop) is None
    assert stop in held.released
