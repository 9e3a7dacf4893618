"""Two lists that agree for long enough are evidence; nothing less is."""

import pytest

from qt_protections.rules.retry_policy import Outcome
from qt_protections.stops.reconciliation.absence import AGREE_S, Absence
from qt_protections.stops.venue.protocol import RequestError
from tests.stops.clocks import HandClock, hand_clock
from tests.stops.paper import BTC, ETH, Paper


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> HandClock:
    """A clock that is moved by hand."""
    return hand_clock(monkeypatch)


def looked(absence: Absence, shown: set[str], pair: str = BTC) -> bool:
    """Take in a list, and return what it proves."""
    absence.see(shown)
    return absence.is_proven(pair)


def test_both_lists_have_to_agree_for_a_minute(clock: HandClock) -> None:
    """Not at once, and not a second before."""
    absence = Absence(Paper())
    assert not looked(absence, set())
    clock.pass_s(AGREE_S)
    assert not looked(absence, set())
    clock.pass_s(1.0)
    assert looked(absence, set())


def test_two_answers_on_either_side_of_an_outage_are_not_enough(clock: HandClock) -> None:
    """Nor is a moment long ago at which nothing was shown."""
    absence = Absence(Paper())
    assert not looked(absence, set())
    clock.pass_s(500.0)
    assert not looked(absence, set())
    absence.see({BTC})  # nobody asks while it is shown
    clock.pass_s(500.0)
    for _ in range(3):
        assert not looked(absence, set())


@pytest.mark.parametrize("second", [True, False], ids=["second list", "first list"])
def test_one_list_that_shows_the_position_begins_the_time_anew(
    clock: HandClock, second: bool
) -> None:
    """Whichever it is."""
    paper = Paper()
    absence = Absence(paper)
    assert not looked(absence, set())
    clock.pass_s(AGREE_S - 1)
    if second:
        paper.size[BTC] = 1.0
    assert not looked(absence, set() if second else {BTC})
    paper.size[BTC] = 0.0
    clock.pass_s(2.0)
    for _ in range(2):
        assert not looked(absence, set())
    clock.pass_s(AGREE_S + 1)
    assert looked(absence, set())


def test_silence_is_no_evidence(clock: HandClock) -> None:
    """The second list cannot be asked."""
    paper = Paper()
    absence = Absence(paper)
    for _ in range(2):
        assert not looked(absence, set())
    clock.pass_s(AGREE_S + 1)
    paper.before["account_positions"].append(RequestError("down", Outcome.UNKNOWN))
    assert not looked(absence, set())


def test_a_lost_entry_may_arrive_later_than_a_minute(
    clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The time grows with the window in which the exchange executes a request."""
    monkeypatch.setattr(Paper, "arrives_within_s", 61.0)
    absence = Absence(Paper())
    for _ in range(2):
        assert not looked(absence, set())
    clock.pass_s(AGREE_S + 1)
    assert not looked(absence, set())
    clock.pass_s(12.0)
    assert looked(absence, set())


def test_the_second_list_is_asked_once_a_look_and_only_if_needed(clock: HandClock) -> None:
    """It costs request weight."""
    paper = Paper()
    absence = Absence(paper)
    assert not looked(absence, {BTC, ETH})
    assert paper.sent("account_positions") == 0
    absence.see(set())
    for pair in (BTC, ETH, BTC):
        assert not absence.is_proven(pair)
    assert paper.sent("account_positions") == 1


def test_a_second_list_that_cannot_be_had_is_asked_for_once(clock: HandClock) -> None:
    """Each question takes its time-out, and the bot's loop waits."""
    paper = Paper()
    absence = Absence(paper)
    absence.see(set())
    paper.before["account_positions"].append(RequestError("down", Outcome.UNKNOWN))
    for pair in (BTC, ETH):
        assert not absence.is_proven(pair)
        assert absence.may_be_shown(pair)
    assert paper.sent("account_positions") == 1
