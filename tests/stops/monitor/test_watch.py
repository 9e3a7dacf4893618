"""What is live against what should be: by the stream's events, by looks, and by questions."""

import pytest

from qt_protections.rules.retry_policy import Outcome
from qt_protections.stops.state.client_ids import Namer, Role
from qt_protections.stops.state.pair import PairState
from qt_protections.stops.venue.binance.order_events import OrderEvent
from qt_protections.stops.venue.protocol import RequestError
from tests.stops.clocks import hand_clock
from tests.stops.guards import Guards, guards, order_event
from tests.stops.paper import BTC, ETH, LOST


@pytest.fixture
def on_paper() -> Guards:
    """A manager, its watch, and the stream between exchange and watch."""
    made = guards()
    made.paper.on_event = made.watch.heard
    return made


@pytest.fixture
def deaf() -> Guards:
    """The same without the stream."""
    return guards()


# Events


@pytest.mark.parametrize("status", ["canceled", "rejected", "expired"])
def test_a_stop_that_is_gone_is_replaced_as_the_event_comes(on_paper: Guards, status: str) -> None:
    """Cancelled by another client, rejected after acceptance, or expired."""
    on_paper.enter()
    (old,) = on_paper.live()
    on_paper.paper.end(old, status)
    (new,) = on_paper.live()
    assert new != old
    on_paper.watch.look()
    assert on_paper.live() == [new]


def test_events_of_what_the_guard_did_itself_change_nothing(on_paper: Guards) -> None:
    """A move cancels the old stop, and the exchange tells of it."""
    held = on_paper.enter()
    on_paper.mover.move(held, 99.0)
    assert len(on_paper.live()) == 1
    assert on_paper.paper.sent("place_stop") == 2


def test_a_fired_stop_is_booked_as_the_event_comes(on_paper: Guards) -> None:
    """Its order's fill waits for the trade."""
    held = on_paper.enter()
    on_paper.paper.trigger(*on_paper.live())
    assert [fill.amount for fill in held.ledger.unbooked_fills] == [1.0]
    assert held.required_stop is None


def test_a_stop_consumed_before_its_entry_filled_is_placed_again(on_paper: Guards) -> None:
    """REJECTED at its trigger: nothing was there to reduce."""
    on_paper.expect()
    (stop,) = on_paper.live()
    on_paper.paper.trigger(stop)
    assert on_paper.live() not in ([], [stop])


def test_a_resting_entry_that_dies_takes_its_stop_along(on_paper: Guards) -> None:
    """Nothing of it had filled."""
    entry = on_paper.rest()
    assert on_paper.live()
    on_paper.watch.heard(order_event(entry, "CANCELED"))
    assert on_paper.live() == []


def test_a_partial_fill_is_covered_where_stops_come_on_the_fill() -> None:
    """From the first contract, and again with the next ones."""
    made = guards("on_fill")
    entry = made.rest(3.0)
    for filled in (1.0, 3.0):
        made.paper.fill(entry, filled - made.paper.orders[entry]["filled"])
        made.watch.heard(order_event(entry, "PARTIALLY_FILLED", filled))
        assert made.paper.is_covered(BTC)
        assert len(made.live()) == 1


def test_an_event_out_of_turn_takes_nothing_back() -> None:
    """A PARTIALLY_FILLED that comes after FILLED."""
    made = guards("on_fill")
    entry = made.rest(3.0)
    made.paper.fill(entry, 3.0)
    made.watch.heard(order_event(entry, "FILLED", 3.0))
    made.watch.heard(order_event(entry, "PARTIALLY_FILLED", 1.0))
    (stop,) = made.paper.live()
    assert stop["amount"] == 3.0
    assert made.held().pending_entries[0].is_final


def test_orders_of_others_are_none_of_its_business(on_paper: Guards) -> None:
    """Neither their stops nor their entries."""
    on_paper.enter()
    before = on_paper.live()
    on_paper.watch.heard(order_event("99", "FILLED", 1.0))
    on_paper.watch.heard(OrderEvent(BTC, "98", "x", True, "CANCELED", 0, "", ""))
    assert on_paper.live() == before


# Looks


@pytest.mark.parametrize("status", ["canceled", "rejected", "expired"])
def test_a_look_replaces_what_no_event_told_of(deaf: Guards, status: str) -> None:
    """Of all pairs at once, or of one."""
    held = deaf.enter()
    for look in (deaf.watch.look, lambda: deaf.watch.look_at(held)):
        (old,) = deaf.live()
        deaf.paper.end(old, status)
        look()
        assert len(deaf.live()) == 1
        assert deaf.live() != [old]


def test_a_look_asks_once_for_all_pairs(deaf: Guards) -> None:
    """When all is well."""
    deaf.enter()
    deaf.enter(pair=ETH)
    deaf.paper.asked.clear()
    deaf.watch.look()
    assert deaf.paper.asked == ["open_stops"]


def test_a_look_without_an_answer_changes_nothing(deaf: Guards) -> None:
    """It is no proof that nothing stands."""
    deaf.enter()
    before = deaf.live()
    deaf.paper.before["open_stops"].append(LOST)
    with pytest.raises(RequestError):
        deaf.watch.look()
    assert deaf.live() == before


def test_a_look_notes_when_a_pair_was_compared(deaf: Guards) -> None:
    """Only where it was: a list that is older than a change is none."""
    held = deaf.enter()
    deaf.watch.look()
    first = held.looked
    assert held.changed < first
    listed = deaf.paper.open_stops

    def change_meanwhile(pair: str | None = None) -> list[dict[str, object]]:
        held.touch()
        return listed(pair)

    deaf.paper.open_stops = change_meanwhile  # type: ignore[method-assign]
    deaf.watch.look_at(held)
    assert held.looked == first
    deaf.paper.open_stops = listed  # type: ignore[method-assign]
    deaf.watch.look_at(held)
    assert held.looked > first


@pytest.mark.parametrize("error", [LOST, ValueError("forced by a test")])
@pytest.mark.parametrize("failing", [BTC, ETH])
def test_a_look_ends_for_no_pair_at_anothers_error(
    deaf: Guards, error: Exception, failing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever comes first."""
    for pair in (BTC, ETH):
        deaf.enter(pair=pair)
        deaf.paper.end(*deaf.live(pair), "canceled")
    mend = deaf.manager.reconcile_stops

    def fail_over_one(held: PairState) -> bool:
        if held.pair == failing:
            raise error
        return mend(held)

    monkeypatch.setattr(deaf.manager, "reconcile_stops", fail_over_one)
    monkeypatch.setattr(deaf.manager.outcomes, "_reconcile", fail_over_one)
    deaf.watch.look()
    assert [pair for pair in (BTC, ETH) if deaf.live(pair)] == [
        pair for pair in (BTC, ETH) if pair != failing
    ]


@pytest.mark.parametrize("error", [LOST, ValueError("forced by a test")])
def test_catching_up_ends_for_no_pair_at_anothers_error(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An entry nobody tells of: the other's fill is covered, and the look comes all the same."""
    made = guards("on_fill")
    entries = {pair: made.rest(pair=pair) for pair in (BTC, ETH)}
    for order_id in entries.values():
        made.paper.fill(order_id, 1.0)
    find = made.paper.find_order

    def fail_over_btc(pair: str, **names: str | None) -> dict[str, object] | None:
        if pair == BTC:
            raise error
        return find(pair, **names)

    monkeypatch.setattr(made.paper, "find_order", fail_over_btc)
    made.watch.catch_up()
    assert made.paper.is_covered(ETH)
    assert not made.live(BTC)
    assert "open_stops" in made.paper.asked


def test_leftovers_of_an_earlier_run_are_cancelled(deaf: Guards) -> None:
    """Known by their names; another bot's and a person's stay."""
    namer = deaf.manager.namer
    mine = [
        deaf.paper.stray_stop(BTC, 1.0, 98.0, namer.new(Role.STOP, BTC)),
        deaf.paper.stray_stop(ETH, -1.0, 102.0, namer.new(Role.TRAILING, ETH)),
    ]
    others = [
        deaf.paper.stray_stop(BTC, 1.0, 97.0, Namer("other", "sqlite://").new(Role.STOP, BTC)),
        deaf.paper.stray_stop(BTC, 1.0, 96.0, "by hand"),
    ]
    deaf.watch.look()
    assert not set(mine) & set(deaf.live())
    assert deaf.live() == others


def test_what_a_trade_claims_is_taken_up_whatever_its_name(deaf: Guards) -> None:
    """A stop of plain Freqtrade's, from before the guard: it is enough."""
    held = deaf.held()
    held.base, held.trigger, held.trigger_inferred = 1.0, 97.0, True
    theirs = deaf.paper.stray_stop(BTC, 1.0, 98.0, "x-theirs")
    held.ledger.known_to_freqtrade = frozenset({theirs})
    deaf.watch.look()
    assert deaf.live() == [theirs]
    assert held.trigger == 98.0
    assert deaf.paper.sent("place_stop") == 0


def test_of_two_stops_of_a_move_half_done_the_new_one_stays(deaf: Guards) -> None:
    """The bot died between the new stop and the cancel of the old one."""
    namer = deaf.manager.namer
    old = deaf.paper.stray_stop(BTC, 1.0, 97.0, namer.new(Role.STOP, BTC))
    new = deaf.paper.stray_stop(BTC, 1.0, 98.0, namer.new(Role.STOP, BTC))
    deaf.paper.size[BTC] = 1.0
    held = deaf.held()
    held.base, held.trigger, held.ledger.known_to_freqtrade = 1.0, 97.0, frozenset({old})
    deaf.watch.look()
    assert deaf.live() == [new]
    assert deaf.paper.laid_bare == []


def test_a_list_older_than_a_change_is_not_acted_on(deaf: Guards) -> None:
    """A stop moved meanwhile: the old one is no leftover, and the new one no loss."""
    held = deaf.enter()
    listed = deaf.paper.open_stops

    def move_meanwhile(pair: str | None = None) -> list[dict[str, object]]:
        found = listed(pair)
        deaf.mover.move(held, 99.0)
        return found

    deaf.paper.open_stops = move_meanwhile  # type: ignore[method-assign]
    deaf.paper.asked.clear()
    deaf.watch.look_at(held)
    assert deaf.paper.asked == ["open_stops", "place_stop", "cancel"]
    assert [stop.order_id for stop in held.stops] == deaf.live()


# Doubts


def test_a_stop_nobody_can_tell_of_is_neither_doubled_nor_dropped(deaf: Guards) -> None:
    """The first time; -2013 although it is live (freqtrade#12681)."""
    deaf.enter()
    (stop,) = deaf.live()
    deaf.paper.untold.add(stop)
    deaf.paper.unlisted.add(stop)
    deaf.watch.look()
    assert deaf.live() == [stop]
    assert deaf.doubts() == [stop]


def test_a_stop_the_list_shows_is_no_reason_to_ask(deaf: Guards) -> None:
    """It is live, whatever a question would say."""
    held = deaf.enter()
    deaf.paper.untold.update(deaf.live())
    deaf.watch.look()
    assert not held.is_in_doubt
    assert len(deaf.live()) == 1


def test_a_doubt_ends_when_the_exchange_tells_again(deaf: Guards) -> None:
    """It was live all the time."""
    held = deaf.enter()
    (stop,) = deaf.live()
    deaf.paper.untold.add(stop)
    deaf.paper.unlisted.add(stop)
    deaf.watch.look()
    deaf.paper.untold.clear()
    deaf.watch.check_doubts(held)
    assert not held.is_in_doubt
    assert deaf.live() == [stop]


def test_silence_is_no_doubt(deaf: Guards) -> None:
    """Only an exchange that answers and does not know counts toward another stop."""
    held = deaf.enter()
    (stop,) = deaf.live()
    deaf.paper.unlisted.add(stop)
    for _ in range(4):
        deaf.paper.before["find_stop"].append(RequestError("down", Outcome.NOT_EXECUTED))
        deaf.watch.look()
    assert not held.is_in_doubt
    assert deaf.live() == [stop]


@pytest.mark.parametrize("amount", [1.0, -1.0], ids=["long", "short"])
def test_unknown_twice_is_replaced_and_never_leaves_two_nor_none(
    deaf: Guards, amount: float
) -> None:
    """If it re-appears, one of the two goes; whether it can be cancelled blindly or not."""
    held = deaf.enter(amount, 98.0 if amount > 0 else 102.0)
    (old,) = deaf.live()
    deaf.paper.untold.add(old)
    deaf.paper.unlisted.add(old)
    cancel, deaf.paper.cancel = deaf.paper.cancel, lambda *_: False  # type: ignore[method-assign]
    deaf.watch.look()
    deaf.watch.check_doubts(held)
    assert len(deaf.live()) == 2
    deaf.paper.cancel = cancel  # type: ignore[method-assign]
    deaf.paper.untold.clear()
    deaf.paper.unlisted.clear()
    deaf.watch.look()
    assert len(deaf.live()) == 1
    assert deaf.live() != [old]
    assert deaf.paper.laid_bare == []


def test_a_stop_that_was_given_up_is_cancelled_blindly(deaf: Guards) -> None:
    """Live, but neither listed nor known: it could hit the next position unseen."""
    held = deaf.enter()
    (old,) = deaf.live()
    deaf.paper.untold.add(old)
    deaf.paper.unlisted.add(old)
    deaf.watch.look()
    deaf.watch.check_doubts(held)
    assert deaf.paper.stops[old]["status"] == "canceled"
    assert len(deaf.live()) == 1
    assert deaf.paper.laid_bare == []


def test_a_stop_that_lists_lack_and_nobody_tells_of_is_replaced(
    deaf: Guards, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service that tells of a single stop is down: after a while the lists decide."""
    clock = hand_clock(monkeypatch)
    held = deaf.enter()
    (old,) = deaf.live()
    deaf.paper.end(old, "canceled")
    deaf.paper.failing["find_stop"] = LOST
    for _ in range(2):
        clock.pass_s(2.0)
        deaf.watch.look_at(held)
        assert deaf.live() == []
    clock.pass_s(2.0)
    deaf.watch.look_at(held)
    (new,) = deaf.live()
    assert new != old


def test_a_stop_that_a_list_shows_again_is_not_replaced(
    deaf: Guards, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lists lag: what one lacked another shows."""
    clock = hand_clock(monkeypatch)
    held = deaf.enter()
    (stop,) = deaf.live()
    deaf.paper.failing["find_stop"] = LOST
    for is_listed in (False, True, False):
        deaf.paper.unlisted = set() if is_listed else {stop}
        clock.pass_s(3.0)
        deaf.watch.look_at(held)
    assert deaf.live() == [stop]


def test_a_close_is_not_measured_while_an_entry_is_on_its_way(deaf: Guards) -> None:
    """What the entry has filled is in the position, and would stand for what a hand closed."""
    held = deaf.enter(2.0)
    held.opened_ms = 1
    pending = deaf.expect(1.0, base=2.0)
    hand = deaf.paper.enter(BTC, -2.0, "web_1")
    entry = deaf.paper.enter(BTC, 1.0, pending.client_id)
    deaf.watch.heard(OrderEvent(BTC, hand, "web_1", False, "FILLED", 2.0, "", "", side="SELL"))
    assert held.own == 2.0
    deaf.cover.answered(pending, deaf.paper.orders[entry])
    deaf.watch.check_doubts(held)
    assert held.own == 1.0


def test_a_close_that_nobody_tells_of_is_not_asked_for_without_end(
    deaf: Guards, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each question costs request weight; the comparison of positions finds the close later."""
    clock = hand_clock(monkeypatch)
    held = deaf.enter(2.0)
    held.opened_ms = 1
    hand = deaf.paper.enter(BTC, -2.0, "web_1")
    deaf.paper.failing["orders_since"] = LOST
    deaf.watch.heard(OrderEvent(BTC, hand, "web_1", False, "FILLED", 2.0, "", "", side="SELL"))
    for _ in range(15):
        clock.pass_s(5.0)
        deaf.watch.check_doubts(held)
    asked = deaf.paper.sent("orders_since")
    for _ in range(15):
        clock.pass_s(5.0)
        deaf.watch.check_doubts(held)
    assert deaf.paper.sent("orders_since") == asked
    assert held.own == 2.0


# Entries whose stop follows, and entries whose answer was lost


@pytest.mark.parametrize(
    ("placement", "asked"), [("on_fill", ["find_order", "open_stops"]), ("auto", ["open_stops"])]
)
def test_only_an_entry_whose_stop_follows_is_asked_for(placement: str, asked: list[str]) -> None:
    """The stop of any other stands already; and one that is over fills no further."""
    made = guards(placement)  # type: ignore[arg-type]
    made.rest()
    made.paper.asked.clear()
    made.watch.catch_up()
    assert made.paper.asked == asked
    made.held().pending_entries[0].hear("1", 0.0, is_over=True)
    made.paper.asked.clear()
    made.watch.catch_up()
    assert "find_order" not in made.paper.asked


def test_an_entry_without_an_id_is_not_asked_for() -> None:
    """Its answer is awaited, by whoever sent it."""
    made = guards("on_fill")
    made.expect()
    made.paper.asked.clear()
    made.watch.ask_for_entries(made.held())
    assert made.paper.asked == []


def test_a_fill_that_was_not_heard_is_covered(deaf: Guards) -> None:
    """And asking alone is no news: a comparison after it counts."""
    made = guards("on_fill")
    entry = made.rest()
    held = made.held()
    changed = held.changed
    made.watch.ask_for_entries(held)
    assert held.changed == changed
    made.paper.fill(entry, 1.0)
    made.watch.ask_for_entries(held)
    assert made.paper.is_covered(BTC)
    assert held.changed > changed


@pytest.mark.parametrize("arrived", [True, False])
def test_an_entry_whose_answer_was_lost_is_settled_once_it_can_arrive_no_more(
    deaf: Guards, monkeypatch: pytest.MonkeyPatch, arrived: bool
) -> None:
    """Until then its stop stands; one that never was takes its stop along."""
    clock = hand_clock(monkeypatch)
    pending = deaf.expect()
    pending.lose_answer()
    held, stops = deaf.held(), deaf.live()
    if arrived:
        deaf.paper.enter(BTC, 1.0, pending.client_id, fills=False)
    clock.pass_s(deaf.paper.arrives_within_s)
    deaf.paper.asked.clear()
    deaf.watch.check_doubts(held)
    assert deaf.paper.asked == []
    clock.pass_s(0.1)
    deaf.watch.check_doubts(held)
    assert deaf.paper.asked[0] == "find_order"
    assert held.pending_entries == [pending] * arrived
    assert deaf.live() == (stops if arrived else [])


# Stops that a list shows and the book does not have


@pytest.mark.parametrize("role", [Role.STOP, Role.TRAILING])
def test_an_earlier_runs_stop_that_nothing_explains_stays(deaf: Guards, role: Role) -> None:
    """It may protect an entry whose answer was lost: only evidence lets it go."""
    name = Namer("test", "sqlite://").new(role, BTC)
    stop = deaf.paper.stray_stop(BTC, 1.0, 98.0, name)
    deaf.watch.look()
    assert deaf.live() == [stop]
    assert [each.order_id for each in deaf.held().inherited] == [stop]


def test_a_stop_of_this_run_whose_answer_was_lost_is_taken_up(deaf: Guards) -> None:
    """As the cover that it is: no other is placed."""
    held = deaf.held()
    held.base, held.trigger, deaf.paper.size[BTC] = 1.0, 98.0, 1.0
    name = deaf.manager.namer.new(Role.STOP, BTC)
    stop = deaf.paper.stray_stop(BTC, 1.0, 98.0, name)
    deaf.watch.look_at(held)
    assert deaf.live() == [stop]
    assert held.inherited == []
    assert deaf.paper.sent("place_stop") == 0


def forgotten(made: Guards) -> tuple[PairState, str]:
    """Return a pair whose stop the guard saw end, and the stop's id."""
    held = made.enter()
    (stop,) = made.live()
    made.watch.heard(OrderEvent(BTC, stop, "", True, "CANCELED", 0, "", ""))
    made.watch.look()
    return held, stop


@pytest.mark.parametrize("is_live", [True, False])
def test_a_list_that_shows_what_has_ended_is_checked(deaf: Guards, is_live: bool) -> None:
    """The list may be old; or the event was wrong, and the stop is one too many."""
    held, stop = forgotten(deaf)
    assert stop not in deaf.live(), "the guard has cancelled the one that it took up"
    if is_live:
        deaf.paper.stops[stop]["status"] = "open"
    else:
        deaf.paper.views["open_stops"] = lambda listed: [*listed, dict(deaf.paper.stops[stop])]
    before = [each for each in deaf.live() if each != stop]
    deaf.paper.asked.clear()
    deaf.watch.look_at(held)
    assert "find_stop" in deaf.paper.asked
    assert ("cancel" in deaf.paper.asked) is is_live
    assert deaf.live() == before
    assert deaf.paper.is_covered(BTC)


def test_without_an_answer_what_has_ended_stays_so(deaf: Guards) -> None:
    """The next list tells."""
    held, stop = forgotten(deaf)
    deaf.paper.stops[stop]["status"] = "open"
    deaf.paper.failing["find_stop"] = LOST
    before = deaf.live()
    deaf.watch.look_at(held)
    assert held.stop_of(stop) is None
    assert deaf.live() == before


# Stops that a list does not show


def test_a_stop_that_was_heard_to_trigger_covers_nothing_soon(
    deaf: Guards, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether or not anybody tells what its order did: the rest is covered anew."""
    clock = hand_clock(monkeypatch)
    held = deaf.enter()
    (old,) = deaf.live()
    deaf.paper.stops[old]["status"] = "closed"
    deaf.watch.heard(OrderEvent(BTC, old, "", True, "TRIGGERED", 0, "", ""))
    deaf.paper.failing["find_stop"] = LOST
    clock.pass_s(1.0)
    deaf.watch.look_at(held)
    assert deaf.live() == []
    clock.pass_s(1.5)
    deaf.watch.look_at(held)
    (new,) = deaf.live()
    assert new != old


def test_an_earlier_runs_stop_goes_on_proof_alone(
    deaf: Guards, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long lists do not show it."""
    clock = hand_clock(monkeypatch)
    name = Namer("test", "sqlite://").new(Role.STOP, BTC)
    stop = deaf.paper.stray_stop(BTC, 1.0, 98.0, name)
    deaf.watch.look()
    held = deaf.held()
    deaf.paper.unlisted.add(stop)
    deaf.paper.failing["find_stop"] = LOST
    for _ in range(5):
        clock.pass_s(10.0)
        deaf.watch.look_at(held)
    assert [each.order_id for each in held.inherited] == [stop]
    assert deaf.live() == [stop]


def test_a_ping_without_an_answer_disturbs_nobody(
    deaf: Guards, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever needs the answer will say so."""

    def silent(_idle_s: float) -> None:
        raise LOST

    deaf.watch.ping(0.0)
    monkeypatch.setattr(deaf.paper, "ping", silent)
    caplog.set_level("INFO")
    deaf.watch.ping(0.0)
    assert caplog.messages == []
