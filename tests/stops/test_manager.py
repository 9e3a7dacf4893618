"""The manager covers, repairs, moves and closes; on an exchange on paper."""

import logging
from math import inf

import pytest

from qt_protections.errors import EntryRefused
from qt_protections.rules.retry_policy import Outcome
from qt_protections.stops.state.client_ids import Namer, Role
from qt_protections.stops.state.unbooked_fill import EMERGENCY, TRAILED
from tests.stops.clocks import hand_clock
from tests.stops.guards import Guards, guards, order_event
from tests.stops.paper import BTC, LOST, refusal


@pytest.fixture
def on_paper() -> Guards:
    """A manager that places stops before entries and falls back to the fill."""
    return guards()


# Entries


def test_the_stop_stands_before_the_entry(on_paper: Guards) -> None:
    """One request, and it covers what is about to be entered."""
    on_paper.expect(2.0)
    (stop,) = on_paper.paper.live()
    assert (stop["amount"], stop["stopPrice"], stop["side"]) == (2.0, 98.0, "sell")
    assert on_paper.paper.asked == ["place_stop"]


def test_an_entry_after_a_position_that_another_hand_closed_is_covered(on_paper: Guards) -> None:
    """What was gone is over; what is entered in the same loop needs its stop, and keeps it."""
    held = on_paper.enter()
    on_paper.paper.exit(BTC)
    held.base = 0.0
    on_paper.manager.reconcile_stops(held)
    on_paper.enter()
    on_paper.manager.reconcile_stops(held)
    assert len(on_paper.live()) == 1


def test_a_further_entry_counts_what_a_stop_closed_and_no_trade_has_booked(
    on_paper: Guards,
) -> None:
    """The trade's amount is stale until the bot's loop: the stop's fill is off it here."""
    held = on_paper.enter(3.0)
    (stop,) = on_paper.live()
    on_paper.paper.trigger(stop, share=0.5)
    on_paper.manager.outcomes.ask_after(held, held.stops[0])
    on_paper.expect(1.0, base=3.0)
    assert held.base == 1.5
    assert [fill.amount for fill in held.ledger.unbooked_fills] == [1.5]


def test_no_further_entry_to_a_position_that_a_stop_has_closed(on_paper: Guards) -> None:
    """Its trade ends with the next loop."""
    held = on_paper.enter(3.0)
    on_paper.paper.trigger(*on_paper.live())
    on_paper.manager.outcomes.ask_after(held, held.stops[0])
    with pytest.raises(EntryRefused, match="closed meanwhile"):
        on_paper.expect(1.0, base=3.0)
    assert on_paper.live() == []


def test_no_stop_no_entry(on_paper: Guards) -> None:
    """A refused stop ends the entry, and nothing is left behind."""
    on_paper.paper.before["place_stop"].append(refusal(-2021))
    with pytest.raises(EntryRefused, match="no stop, no entry"):
        on_paper.expect()
    assert on_paper.held().required_stop is None
    assert on_paper.live() == []


def test_a_stop_that_may_stand_without_its_entry_is_cancelled(on_paper: Guards) -> None:
    """Its answer was lost to the end: the entry is dropped, and the next look finds the stop."""
    on_paper.paper.after["place_stop"].append(LOST)
    on_paper.paper.before["find_stop"].extend([LOST] * 3)
    with pytest.raises(EntryRefused):
        on_paper.expect()
    assert len(on_paper.live()) == 1
    on_paper.watch.look()
    assert on_paper.live() == []


@pytest.mark.parametrize("code", [-2022, -4509])
def test_a_pair_that_takes_no_stop_beforehand_gets_it_on_the_fill(
    on_paper: Guards, code: int
) -> None:
    """It is asked once; from then on its stops go out with the entry's answer."""
    on_paper.paper.before["place_stop"].append(refusal(code))
    held = on_paper.enter()
    assert on_paper.paper.is_covered(BTC)
    assert not on_paper.cover.beforehand(BTC)
    assert held.required_stop is not None
    assert on_paper.paper.sent("place_stop") == 2


def test_a_refused_entry_takes_its_stop_along(on_paper: Guards) -> None:
    """And leaves the stop of the position that was there before."""
    on_paper.enter()
    first = on_paper.live()
    pending = on_paper.expect(base=1.0)
    assert len(on_paper.live()) == 2
    on_paper.cover.refused(pending)
    assert len(on_paper.live()) == 1
    assert on_paper.paper.is_covered(BTC)
    assert on_paper.live() != first, "the larger one stays: the newest that covers"


def test_a_stop_consumed_before_the_fill_is_placed_again(on_paper: Guards) -> None:
    """It was refused at its trigger, as there was nothing to reduce yet."""
    pending = on_paper.expect()
    (stop,) = on_paper.live()
    on_paper.paper.trigger(stop)
    order = on_paper.paper.enter(BTC, 1.0, pending.client_id)
    on_paper.cover.answered(pending, on_paper.paper.orders[order])
    assert on_paper.paper.is_covered(BTC)
    assert on_paper.live() != [stop]


def test_a_stop_the_exchange_cannot_tell_of_after_the_fill_is_asked_after_again(
    on_paper: Guards,
) -> None:
    """It is neither doubled nor taken for live."""
    pending = on_paper.expect()
    on_paper.paper.untold.update(on_paper.live())
    order = on_paper.paper.enter(BTC, 1.0, pending.client_id)
    on_paper.cover.answered(pending, on_paper.paper.orders[order])
    assert on_paper.doubts() == on_paper.live()
    assert len(on_paper.live()) == 1


def test_an_answer_lost_after_the_fill_does_not_undo_the_entry(on_paper: Guards) -> None:
    """Whatever goes wrong once an entry has filled is left to the watch."""
    pending = on_paper.expect()
    order = on_paper.paper.enter(BTC, 1.0, pending.client_id)
    on_paper.paper.before["find_stop"].append(LOST)
    on_paper.cover.answered(pending, on_paper.paper.orders[order])
    assert on_paper.paper.is_covered(BTC)


# What is gone


@pytest.mark.parametrize("amount", [1.0, -1.0], ids=["long", "short"])
def test_a_lost_stop_is_replaced_where_it_stood(on_paper: Guards, amount: float) -> None:
    """The same size, side and trigger."""
    held = on_paper.enter(amount, 98.0 if amount > 0 else 102.0)
    (old,) = on_paper.live()
    on_paper.paper.stops[old]["status"] = "canceled"
    on_paper.manager.outcomes.lost(held, old, "canceled")
    (new,) = on_paper.paper.live()
    terms = ("amount", "side", "stopPrice")
    assert [new[k] for k in terms] == [on_paper.paper.stops[old][k] for k in terms]
    assert old in held.released


def test_a_stop_is_lost_once(on_paper: Guards) -> None:
    """The event, the look and Freqtrade's own question may all tell of it."""
    held = on_paper.enter()
    (old,) = on_paper.live()
    on_paper.paper.stops[old]["status"] = "canceled"
    for _ in range(3):
        on_paper.manager.outcomes.lost(held, old, "canceled")
    assert len(on_paper.live()) == 1
    assert on_paper.paper.sent("place_stop") == 2


def test_a_fired_stop_is_booked_and_not_replaced(on_paper: Guards) -> None:
    """What it filled is off the size that has to be covered; its trade learns of it."""
    held = on_paper.enter()
    (stop,) = on_paper.live()
    on_paper.paper.trigger(stop)
    child = on_paper.paper.stops[stop]["info"]["actualOrderId"]
    on_paper.manager.outcomes.fired(held, stop, child)
    assert held.required_stop is None
    assert [(f.amount, f.reason) for f in held.ledger.unbooked_fills] == [(1.0, "")]
    assert on_paper.live() == []


def test_what_a_stop_left_over_is_covered_again(on_paper: Guards) -> None:
    """Its order filled in part and ended."""
    held = on_paper.enter(2.0)
    (stop,) = on_paper.live()
    on_paper.paper.trigger(stop, share=0.25)
    on_paper.manager.outcomes.fired(held, stop, on_paper.paper.stops[stop]["info"]["actualOrderId"])
    (new,) = on_paper.paper.live()
    assert new["amount"] == 1.5


def test_an_order_that_cannot_be_asked_after_is_asked_after_again(on_paper: Guards) -> None:
    """The stop fired, and the exchange does not say what became of its order."""
    held = on_paper.enter()
    (stop,) = on_paper.live()
    on_paper.paper.trigger(stop)
    child = on_paper.paper.stops[stop]["info"]["actualOrderId"]
    on_paper.paper.before["find_order"].append(LOST)
    on_paper.manager.outcomes.fired(held, stop, child)
    assert not held.ledger.unbooked_fills
    on_paper.watch.check_doubts(held)
    assert held.required_stop is None
    assert held.ledger.unbooked_fills


def test_the_rest_of_an_entry_is_covered_on_its_fill_when_its_stop_has_fired(
    on_paper: Guards,
) -> None:
    """Part of a limit entry filled and was stopped out; the price is past the stop meanwhile."""
    entry = on_paper.rest(3.0)
    on_paper.paper.fill(entry, 1.0)
    held = on_paper.held()
    held.pending_entries[0].filled = 1.0
    (stop,) = on_paper.live()
    on_paper.paper.trigger(stop)
    on_paper.manager.outcomes.fired(held, stop, on_paper.paper.stops[stop]["info"]["actualOrderId"])
    assert on_paper.live() == []
    on_paper.paper.fill(entry, 2.0)
    on_paper.watch.heard(order_event(entry, "FILLED", 3.0))
    (new,) = on_paper.paper.live()
    assert new["amount"] == 2.0


# Cancels


def test_a_stop_that_fired_before_its_cancel_is_booked(on_paper: Guards) -> None:
    """The exchange knows no such order to cancel: that is no proof that it did nothing."""
    held = on_paper.enter()
    (stop,) = on_paper.live()
    on_paper.paper.trigger(stop)
    assert on_paper.manager.outcomes.cancel(held, stop)
    assert [fill.amount for fill in held.ledger.unbooked_fills] == [1.0]
    assert held.required_stop is None


def test_a_stop_the_exchange_only_seems_not_to_know_stays_known(on_paper: Guards) -> None:
    """freqtrade#12681: cancel and question disagree; it is live, so it is cancelled later."""
    held = on_paper.enter()
    (stop,) = on_paper.live()
    on_paper.paper.exit(BTC)
    held.base = 0.0
    cancel = on_paper.paper.cancel
    on_paper.paper.cancel = lambda *_: False  # type: ignore[method-assign]
    assert not on_paper.manager.outcomes.cancel(held, stop)
    assert held.stop_of(stop) is not None
    on_paper.paper.cancel = cancel  # type: ignore[method-assign]
    assert on_paper.manager.reconcile_stops(held)
    assert on_paper.live() == []


@pytest.mark.parametrize("executed", [True, False])
def test_a_cancel_without_an_answer_is_made_good(on_paper: Guards, executed: bool) -> None:
    """The next time it is asked for again, and nothing stands in the end."""
    held = on_paper.enter()
    on_paper.paper.exit(BTC)
    held.base = 0.0
    (on_paper.paper.after if executed else on_paper.paper.before)["cancel"].append(LOST)
    assert not on_paper.manager.reconcile_stops(held)
    assert on_paper.manager.reconcile_stops(held)
    assert on_paper.live() == []
    assert held.stops == []


# Moves


@pytest.mark.parametrize("amount", [1.0, -1.0], ids=["long", "short"])
def test_the_new_stop_stands_before_the_old_one_goes(on_paper: Guards, amount: float) -> None:
    """Make before break."""
    held = on_paper.enter(amount, 98.0 if amount > 0 else 102.0)
    on_paper.paper.asked.clear()
    assert on_paper.mover.move(held, 99.0 if amount > 0 else 101.0)
    assert on_paper.paper.asked == ["place_stop", "cancel"]
    assert len(on_paper.live()) == 1
    assert on_paper.paper.laid_bare == []


@pytest.mark.parametrize("code", [-2021, -2022, -4045, -1102])
def test_a_refused_move_leaves_the_old_stop(on_paper: Guards, code: int) -> None:
    """And is no reason to close anything."""
    held = on_paper.enter()
    before = on_paper.live()
    on_paper.paper.before["place_stop"].extend([refusal(code)] * 9)
    assert not on_paper.mover.move(held, 99.0)
    assert on_paper.live() == before
    assert on_paper.paper.size[BTC] == 1.0


@pytest.mark.parametrize("largest", [inf, 2.0], ids=["one stop", "several"])
def test_a_looser_stop_stands_before_the_old_one_goes(on_paper: Guards, largest: float) -> None:
    """The position never has less cover than its whole size."""
    on_paper.paper.most[BTC] = largest
    held = on_paper.enter(3.0)
    old = on_paper.live()
    on_paper.paper.asked.clear()
    assert on_paper.mover.loosen(held, 97.0)
    assert on_paper.paper.asked == ["place_stop"] * len(old) + ["cancel"] * len(old)
    assert {stop["stopPrice"] for stop in on_paper.paper.live()} == {97.0}
    assert sum(stop["amount"] for stop in on_paper.paper.live()) >= 3.0
    assert held.trigger == 97.0
    new = on_paper.live()
    assert on_paper.manager.reconcile_stops(held)
    assert on_paper.live() == new, "it does not stay there"
    assert on_paper.paper.laid_bare == []


def test_a_looser_stop_that_is_refused_leaves_the_old_one(on_paper: Guards) -> None:
    """And the trigger goes back."""
    held = on_paper.enter(2.0)
    (old,) = on_paper.live()
    on_paper.paper.before["place_stop"].extend([refusal(-4045)] * 9)
    assert not on_paper.mover.loosen(held, 97.0)
    assert on_paper.live() == [old]
    assert held.trigger == 98.0


def test_of_two_stops_the_tighter_stays_where_it_cannot_be_cancelled(on_paper: Guards) -> None:
    """What is begun and not ended leaves what stood before."""
    held = on_paper.enter(2.0)
    (old,) = on_paper.live()
    on_paper.paper.before["cancel"].append(refusal(-1008, Outcome.NOT_EXECUTED))
    assert not on_paper.mover.loosen(held, 97.0)
    on_paper.manager.reconcile_stops(held)
    assert on_paper.live() == [old]
    assert held.active_stop is not None
    assert held.trigger == held.active_stop.trigger == 98.0


def test_a_move_whose_answer_is_lost_ends_with_one_stop(on_paper: Guards) -> None:
    """The new one stands though nobody said so: the look finds it, and the old one goes."""
    held = on_paper.enter()
    on_paper.paper.after["place_stop"].append(LOST)
    on_paper.paper.before["find_stop"].extend([LOST] * 2)
    on_paper.mover.move(held, 99.0)
    on_paper.watch.look()
    (stop,) = on_paper.paper.live()
    assert stop["stopPrice"] == 99.0
    assert on_paper.paper.laid_bare == []


# Ends


def test_what_cannot_be_covered_is_closed(on_paper: Guards) -> None:
    """At market, at once, and what still rests of the entry is called off first."""
    entry = on_paper.rest(2.0)
    on_paper.paper.fill(entry, 1.0)
    held = on_paper.held()
    held.pending_entries[0].filled = 1.0
    (stop,) = on_paper.live()
    on_paper.paper.stops[stop]["status"] = "rejected"
    on_paper.paper.before["place_stop"].extend([refusal(-1102)] * 9)
    on_paper.manager.outcomes.lost(held, stop, "rejected")
    assert on_paper.paper.size[BTC] == 0.0
    assert on_paper.paper.orders[entry]["status"] == "canceled"
    assert [fill.reason for fill in held.ledger.unbooked_fills] == [EMERGENCY]


def test_an_entry_that_rests_uncovered_is_called_off(on_paper: Guards) -> None:
    """There is nothing to close yet, and there shall not be; its lost answer breaks nothing."""
    entry = on_paper.rest()
    held = on_paper.held()
    (stop,) = on_paper.live()
    on_paper.paper.stops[stop]["status"] = "rejected"
    on_paper.paper.before["place_stop"].extend([refusal(-1102)] * 9)
    on_paper.paper.before["cancel_order"].append(LOST)
    on_paper.manager.outcomes.lost(held, stop, "rejected")
    assert on_paper.paper.orders[entry]["status"] == "open"
    on_paper.manager.reconcile_stops(held)
    assert on_paper.paper.orders[entry]["status"] == "canceled"
    assert on_paper.paper.sent("close") == 0


def test_silence_is_no_reason_to_close(on_paper: Guards) -> None:
    """While nobody answers the stop may stand: it is tried again, and the position stays."""
    held = on_paper.enter()
    (stop,) = on_paper.live()
    on_paper.paper.stops[stop]["status"] = "rejected"
    on_paper.paper.before["place_stop"].extend([LOST] * 30)
    on_paper.manager.outcomes.lost(held, stop, "rejected")
    assert on_paper.paper.sent("close") == 0
    on_paper.paper.before["place_stop"].clear()
    assert on_paper.manager.reconcile_stops(held)
    assert on_paper.paper.is_covered(BTC)


@pytest.mark.parametrize("executed", [True, False])
def test_a_close_without_an_answer_is_not_sent_twice(on_paper: Guards, executed: bool) -> None:
    """It is found by its name, or sent again."""
    held = on_paper.enter()
    (stop,) = on_paper.live()
    on_paper.paper.stops[stop]["status"] = "rejected"
    on_paper.paper.before["place_stop"].extend([refusal(-1102)] * 9)
    (on_paper.paper.after if executed else on_paper.paper.before)["close"].append(LOST)
    on_paper.manager.outcomes.lost(held, stop, "rejected")
    assert on_paper.paper.size[BTC] == 0.0
    assert on_paper.paper.sent("close") == (1 if executed else 2)
    assert [fill.amount for fill in held.ledger.unbooked_fills] == [1.0]
    assert held.required_stop is None


def test_a_trailing_stop_stands_beside_the_stop_and_goes_with_it(on_paper: Guards) -> None:
    """Its fill closes the trade under its own reason, and the stop that is left is cancelled."""
    held = on_paper.enter()
    assert on_paper.mover.trail(held, 1.0, 1.5, 101.0)
    (stop, trail) = on_paper.live()
    on_paper.paper.trigger(trail)
    on_paper.manager.outcomes.fired(
        held, trail, on_paper.paper.stops[trail]["info"]["actualOrderId"]
    )
    assert [fill.reason for fill in held.ledger.unbooked_fills] == [TRAILED]
    assert on_paper.live() == []
    assert on_paper.paper.stops[stop]["status"] == "canceled"


@pytest.mark.parametrize("outcome", [Outcome.REFUSED, Outcome.UNKNOWN])
def test_a_trailing_stop_that_is_refused_leaves_the_stop(
    on_paper: Guards, outcome: Outcome, caplog: pytest.LogCaptureFixture
) -> None:
    """With a warning; one that may stand is not asked for again before the look."""
    held = on_paper.enter()
    on_paper.paper.before["place_trailing"].extend([refusal(-2007, outcome)] * 5)
    with caplog.at_level(logging.WARNING):
        placed = on_paper.mover.trail(held, 1.0, 1.5, 101.0)
    assert placed is (outcome is Outcome.UNKNOWN)
    assert "its stop stays" in caplog.text
    assert len(on_paper.live()) == 1


def test_stops_of_the_other_side_go(on_paper: Guards) -> None:
    """They could only hit the next position."""
    held = on_paper.enter()
    other = on_paper.paper.stray_stop(
        BTC,
        -1.0,
        102.0,
        on_paper.manager.namer.new("S", BTC),  # type: ignore[arg-type]
    )
    on_paper.watch.look()
    assert other not in on_paper.live()
    assert on_paper.manager.reconcile_stops(held)
    assert on_paper.paper.is_covered(BTC)


def test_a_second_entry_is_covered_whole_before_it_goes_out(on_paper: Guards) -> None:
    """At the tighter of the two triggers; the smaller stop goes once the larger one stands."""
    on_paper.enter()
    pending = on_paper.expect(1.0, 97.0, base=1.0)
    assert [(o["amount"], o["stopPrice"]) for o in on_paper.paper.live()][-1] == (2.0, 98.0)
    order = on_paper.paper.enter(BTC, 1.0, pending.client_id)
    on_paper.cover.answered(pending, on_paper.paper.orders[order])
    assert len(on_paper.live()) == 1
    assert on_paper.paper.laid_bare == []


# What is left over is worked out anew


def test_a_cancel_that_finds_a_fired_stop_takes_no_other_along(on_paper: Guards) -> None:
    """Others are needed then: those that were left over a moment ago, too."""
    held = on_paper.enter(2.0)
    held.largest = 1.0
    on_paper.manager.reconcile_stops(held)
    smaller = [stop["id"] for stop in on_paper.paper.live() if stop["amount"] == 1.0]
    assert smaller == []
    for _ in range(2):
        name = on_paper.paper.stray_stop(BTC, 1.0, 98.0, on_paper.manager.namer.new(Role.STOP, BTC))
        smaller.append(name)
    on_paper.watch.look()
    on_paper.paper.trigger(smaller[0])
    on_paper.manager.reconcile_stops(held)
    on_paper.watch.look()
    assert on_paper.paper.size[BTC] == 1.0
    assert on_paper.paper.is_covered(BTC)
    assert not on_paper.paper.laid_bare


def test_an_earlier_runs_stop_is_not_given_up_for_want_of_answers(on_paper: Guards) -> None:
    """Unlisted and unknown twice: what it protects is not known, and it may live."""
    client_id = Namer("test", "sqlite://").new(Role.STOP, BTC)
    stop = on_paper.paper.stray_stop(BTC, 1.0, 98.0, client_id)
    on_paper.watch.look()
    held = on_paper.held()
    assert [each.order_id for each in held.inherited] == [stop]
    on_paper.paper.untold.add(stop)
    on_paper.paper.unlisted.add(stop)
    for _ in range(3):
        on_paper.watch.look()
    assert on_paper.live() == [stop]
    on_paper.paper.unlisted.clear()
    on_paper.watch.look()
    assert [each.order_id for each in held.inherited] == [stop]


def test_a_triggered_stop_covers_no_more_though_the_orders_cannot_be_asked_for(
    on_paper: Guards, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other service takes a new stop."""
    clock = hand_clock(monkeypatch)
    held = on_paper.enter()
    (stop,) = on_paper.live()
    on_paper.paper.stops[stop] |= {"status": "closed", "info": {"actualOrderId": "99"}}
    on_paper.paper.before["find_order"].extend([LOST] * 50)
    for _ in range(5):
        clock.pass_s(1.0)
        on_paper.watch.check_doubts(held)
        on_paper.watch.look()
    assert on_paper.paper.is_covered(BTC)


def test_a_stop_that_closed_more_than_is_known_closed_the_entry_too(on_paper: Guards) -> None:
    """The entry's fill, heard of later, is no position any more: nothing is there to cover."""
    held = on_paper.enter(1.0)
    pending = on_paper.expect(2.0, base=1.0)
    waiting = on_paper.paper.enter(BTC, 2.0, pending.client_id, fills=False)
    on_paper.cover.answered(pending, on_paper.paper.orders[waiting])
    on_paper.paper.fill(waiting, 2.0)  # and nobody tells
    (stop,) = on_paper.live()
    on_paper.paper.trigger(stop)
    child = on_paper.paper.stops[stop]["info"]["actualOrderId"]
    assert on_paper.paper.orders[child]["filled"] == 3.0
    on_paper.manager.outcomes.fired(held, stop, child)
    on_paper.watch.heard(order_event(waiting, "FILLED", 2.0))
    assert held.own == 0.0
    assert on_paper.live() == []
    assert on_paper.paper.sent("place_stop") == 2


# What is missing is worked out anew, too


def test_of_several_stops_only_the_one_that_is_gone_is_placed_again(on_paper: Guards) -> None:
    """The others cover their part."""
    on_paper.paper.most[BTC] = 2.0
    held = on_paper.enter(5.0)
    assert [stop["amount"] for stop in on_paper.paper.live()] == [2.0, 2.0, 1.0]
    (gone, *others) = on_paper.live()
    on_paper.paper.stops[gone]["status"] = "expired"
    on_paper.manager.outcomes.lost(held, gone, "expired")
    assert on_paper.paper.sent("place_stop") == 4
    assert set(others) < set(on_paper.live())
    assert on_paper.paper.is_covered(BTC)


def test_a_stop_that_triggers_as_it_is_accepted_is_asked_after(
    on_paper: Guards, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The price went through: if no order of it is told of within 2 s, another stop goes out."""
    clock = hand_clock(monkeypatch)
    held = on_paper.enter()
    (stop,) = on_paper.live()
    on_paper.paper.stops[stop]["status"] = "expired"
    on_paper.paper.dead_on_arrival.append("closed")
    on_paper.manager.outcomes.lost(held, stop, "expired")
    assert held.has_fired
    assert on_paper.live() == []
    clock.pass_s(2.1)
    on_paper.watch.check_doubts(held)
    assert not held.has_fired
    assert on_paper.paper.is_covered(BTC)


def test_what_a_stop_closed_unheard_is_not_closed_once_more(on_paper: Guards) -> None:
    """The close for want of a larger stop is for the rest alone: the rest may be a stranger's."""
    held = on_paper.enter()
    (stop,) = on_paper.live()
    on_paper.paper.enter(BTC, 1.0)
    held.base = 2.0
    on_paper.paper.enter(BTC, 3.0, "web_1")
    on_paper.paper.trigger(stop)
    on_paper.paper.failing["place_stop"] = refusal(-1102)
    on_paper.manager.reconcile_stops(held)
    assert on_paper.paper.size[BTC] == 3.0
    assert [(fill.amount, fill.reason) for fill in held.ledger.unbooked_fills] == [
        (1.0, ""),
        (1.0, EMERGENCY),
    ]
