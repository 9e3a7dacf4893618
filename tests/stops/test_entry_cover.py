"""An entry and its stop: before the fill, on the fill, or once the amount is worked out."""

import logging

import pytest

from qt_protections.errors import EntryRefused
from qt_protections.settings import StopPlacement
from qt_protections.stops.entry_cover import EntryCover
from qt_protections.stops.state.client_ids import Namer, Role
from tests.stops.clocks import HandClock, hand_clock
from tests.stops.guards import Guards, approved, guards
from tests.stops.paper import BTC, LOST, refusal


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> HandClock:
    """A clock that is moved by hand."""
    return hand_clock(monkeypatch)


@pytest.fixture
def on_paper(clock: HandClock) -> Guards:
    """A manager that places stops before entries and falls back to the fill."""
    return guards()


# Before the entry


@pytest.mark.parametrize(("placement", "stops"), [("auto", 1), ("before_entry", 1), ("on_fill", 0)])
def test_a_stop_stands_first_unless_it_is_to_follow(placement: StopPlacement, stops: int) -> None:
    """As the setting says."""
    made = guards(placement)
    made.expect()
    assert len(made.live()) == stops


def test_a_pair_is_asked_again_some_time_after_it_took_no_stop(
    on_paper: Guards, clock: HandClock, caplog: pytest.LogCaptureFixture
) -> None:
    """The refusal may have been for a passing state. Meanwhile the stop follows the fill."""
    on_paper.paper.before["place_stop"].append(refusal(-2022))
    with caplog.at_level(logging.WARNING):
        on_paper.expect()
    assert "for 15 minutes it is placed on the fill" in caplog.text
    clock.pass_s(899.0)
    assert not on_paper.cover.beforehand(BTC)
    clock.pass_s(2.0)
    assert on_paper.cover.beforehand(BTC)


def test_who_wants_the_stop_first_gets_no_entry_without_it() -> None:
    """Only `auto` may fall back."""
    made = guards("before_entry")
    made.paper.before["place_stop"].append(refusal(-2022))
    with pytest.raises(EntryRefused, match="no stop, no entry"):
        made.expect()
    assert made.held().is_empty


def test_a_refused_second_entry_leaves_the_first_as_it_was(on_paper: Guards) -> None:
    """Its stop stands, and nothing waits."""
    held = on_paper.enter()
    before = on_paper.live()
    on_paper.paper.before["place_stop"].append(refusal(-2021))
    with pytest.raises(EntryRefused):
        on_paper.expect(base=1.0)
    assert on_paper.live() == before
    assert held.pending_entries == []


# Answered


def test_where_the_amount_is_worked_out_later_no_stop_is_placed_before(clock: HandClock) -> None:
    """On spot the fee may be taken from what was bought: a stop for all of it is refused."""
    made = guards("on_fill")
    cover = EntryCover(made.manager, "on_fill", at_hand_over=True)
    pending = cover.expect(approved(BTC, 1.0, 98.0), 0.0)
    order = made.paper.enter(BTC, 1.0, pending.client_id)
    cover.answered(pending, made.paper.orders[order])
    assert made.live() == []
    assert made.held().own == 1.0


def test_an_order_that_freqtrade_is_told_of_is_taken_in(on_paper: Guards) -> None:
    """It cancels an entry and replaces it at once: the stop of the first goes before that."""
    entry = on_paper.rest()
    on_paper.paper.orders[entry]["status"] = "canceled"
    on_paper.cover.told(BTC, on_paper.paper.orders[entry])
    assert on_paper.live() == []
    assert on_paper.held().own_required_stop is None


@pytest.mark.parametrize("told", ["another", "the same as before"])
def test_an_order_that_tells_nothing_new_costs_nothing(on_paper: Guards, told: str) -> None:
    """Freqtrade asks for each open order in each of its loops."""
    entry = on_paper.rest()
    order = dict(on_paper.paper.orders[entry])
    on_paper.paper.asked.clear()
    on_paper.cover.told(BTC, order if told != "another" else {**order, "id": "1"})
    assert on_paper.paper.asked == []
    assert len(on_paper.live()) == 1


# Asked for


def test_an_entry_is_asked_for_by_the_name_it_has(on_paper: Guards) -> None:
    """Before its answer that is the client id."""
    pending = on_paper.expect()
    order = on_paper.paper.enter(BTC, 1.0, pending.client_id)
    found = on_paper.cover.find(on_paper.held(), pending)
    assert found is not None
    assert found["id"] == order
    pending.learn(found)
    pending.client_id = "nobody's"
    assert on_paper.cover.find(on_paper.held(), pending) == found


def test_an_entry_that_can_arrive_no_more_is_forgotten(
    on_paper: Guards, clock: HandClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Before that it may still come, and its stop stays."""
    held, pending = on_paper.held(), on_paper.expect()
    pending.lose_answer()
    clock.pass_s(on_paper.paper.arrives_within_s)
    assert on_paper.cover.find(held, pending) is None
    assert held.pending_entries == [pending]
    clock.pass_s(0.1)
    with caplog.at_level(logging.INFO):
        assert on_paper.cover.find(held, pending) is None
    assert held.pending_entries == []
    assert "The entry of BTCUSDT was never executed" in caplog.text


def test_an_entry_that_was_heard_of_is_not_forgotten(on_paper: Guards, clock: HandClock) -> None:
    """It arrived, whatever the exchange cannot find now."""
    held, pending = on_paper.held(), on_paper.expect()
    pending.hear("77", 0.5, is_over=False)
    clock.pass_s(500.0)
    assert on_paper.cover.find(held, pending) is None
    assert held.pending_entries == [pending]


# Exits


def test_an_exit_without_an_answer_is_asked_for(on_paper: Guards, clock: HandClock) -> None:
    """Freqtrade forgets it, and it may happen."""
    on_paper.cover.lost_exit(BTC, "an exit")
    assert on_paper.held().exits == {"an exit": 1000.0}


def test_where_no_order_has_a_name_no_exit_is_asked_for(
    on_paper: Guards, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Freqtrade's own ways have to do there."""
    monkeypatch.setattr(type(on_paper.paper), "WATCHES", False)
    on_paper.cover.lost_exit(BTC, "an exit")
    assert on_paper.held().exits == {}


@pytest.mark.parametrize(
    ("role", "bot", "is_asked"),
    [(Role.EXIT, "test", True), (Role.ENTRY, "test", False), (Role.EXIT, "other", False)],
)
def test_an_exit_of_an_earlier_run_is_asked_for(
    on_paper: Guards, clock: HandClock, role: Role, bot: str, is_asked: bool
) -> None:
    """A kill may have kept it off the record; another bot's is none of ours."""
    name = Namer(bot, "sqlite://").new(role, BTC)
    on_paper.cover.heard_of_exit(on_paper.held(), name)
    assert on_paper.held().exits == ({name: 1000.0} if is_asked else {})


def test_an_exit_of_this_run_is_freqtrade_s(on_paper: Guards) -> None:
    """It waits for the answer, or has lost it, see above."""
    on_paper.cover.heard_of_exit(on_paper.held(), on_paper.manager.namer.new(Role.EXIT, BTC))
    assert on_paper.held().exits == {}


def test_an_exit_is_asked_for_since_it_was_first_heard_of(
    on_paper: Guards, clock: HandClock
) -> None:
    """Each event of it would else put off the moment at which it can arrive no more."""
    name = Namer("test", "sqlite://").new(Role.EXIT, BTC)
    on_paper.cover.heard_of_exit(on_paper.held(), name)
    clock.pass_s(5.0)
    on_paper.cover.heard_of_exit(on_paper.held(), name)
    assert on_paper.held().exits == {name: 1000.0}


def test_a_lost_question_leaves_the_stop_as_it_is(
    on_paper: Guards, caplog: pytest.LogCaptureFixture
) -> None:
    """The stop was accepted; the watch and the next loop look again."""
    pending = on_paper.expect()
    order = on_paper.paper.enter(BTC, 1.0, pending.client_id)
    on_paper.paper.failing["find_stop"] = LOST
    with caplog.at_level(logging.WARNING):
        on_paper.cover.answered(pending, on_paper.paper.orders[order])
    assert "Could not ask after the stop of BTC/USDT:USDT" in caplog.text
    assert len(on_paper.live()) == 1
