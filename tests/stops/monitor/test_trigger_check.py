"""A stop that is listed and does not trigger protects nothing: its position is closed."""

from math import inf, nan

import pytest

from qt_protections.rules.quote import Quote
from qt_protections.stops.state.pair import PairState
from qt_protections.stops.venue.protocol import RequestError
from tests.stops.clocks import HandClock, hand_clock
from tests.stops.guards import Guards, guards
from tests.stops.paper import BTC, LOST

BEYOND, NEAR = Quote(90.0, 90.1), Quote(97.95, 98.05)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> HandClock:
    """A clock that is moved by hand."""
    return hand_clock(monkeypatch)


@pytest.fixture
def made(clock: HandClock) -> Guards:
    """A long of one whose stop stands at 98."""
    holding = guards()
    holding.enter()
    return holding


def closes(made: Guards) -> int:
    """Return how often a position was closed at market."""
    return made.paper.sent("close")


def pass_beyond(made: Guards, clock: HandClock, price: float = 90.0) -> None:
    """Let the book be beyond the trigger for longer than a position may be naked."""
    made.paper.prices[BTC] = price
    made.watch.triggers.check(made.held(), Quote(price, price))
    clock.pass_s(made.manager.naked_deadline_s)


def test_a_position_whose_stop_does_not_trigger_is_closed(
    made: Guards, clock: HandClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Once the price has been beyond for the deadline, by the kind of price that triggers stops."""
    pass_beyond(made, clock)
    assert closes(made) == 0
    made.watch.triggers.check(made.held(), BEYOND)
    assert closes(made) == 1
    assert made.held().own_required_stop is None
    assert made.live() == []
    assert "the price is beyond its stop, which does not trigger" in caplog.text


@pytest.mark.parametrize(
    ("amount", "trigger", "quote", "is_beyond"),
    [
        (1.0, 98.0, Quote(97.8, 97.89), True),
        (1.0, 98.0, Quote(97.8, 97.95), False),
        (1.0, 98.0, Quote(90.0, 99.0), False),
        (1.0, 98.0, Quote(nan, nan), False),
        (-1.0, 102.0, Quote(102.2, 102.3), True),
        (-1.0, 102.0, Quote(102.05, 102.3), False),
        (-1.0, 102.0, Quote(101.0, 110.0), False),
    ],
)
def test_the_whole_book_has_to_be_beyond(
    clock: HandClock, amount: float, trigger: float, quote: Quote, is_beyond: bool
) -> None:
    """By a thousandth: the price that triggers stops is another than the best prices."""
    made = guards()
    held = made.enter(amount, trigger)
    made.watch.triggers.check(held, quote)
    assert (held.trouble.passed_since is not None) is is_beyond


def test_a_price_that_comes_back_begins_anew(made: Guards, clock: HandClock) -> None:
    """A wick is no failure of the stop."""
    pass_beyond(made, clock)
    made.watch.triggers.check(made.held(), NEAR)
    made.watch.triggers.check(made.held(), BEYOND)
    assert closes(made) == 0
    clock.pass_s(made.manager.naked_deadline_s)
    made.watch.triggers.check(made.held(), BEYOND)
    assert closes(made) == 1


def test_the_price_that_triggers_has_the_last_word(made: Guards, clock: HandClock) -> None:
    """The book alone may be thin."""
    pass_beyond(made, clock)
    made.paper.prices[BTC] = 98.5
    made.watch.triggers.check(made.held(), BEYOND)
    assert closes(made) == 0
    assert made.live() != []


def test_a_stop_that_has_fired_unheard_needs_no_close(made: Guards, clock: HandClock) -> None:
    """It is asked after before anything is sent."""
    pass_beyond(made, clock)
    made.paper.trigger(*made.live())
    made.watch.triggers.check(made.held(), BEYOND)
    assert closes(made) == 0
    assert [fill.amount for fill in made.held().ledger.unbooked_fills] == [1.0]


def test_a_stop_that_nobody_can_tell_of_is_another_matter(made: Guards, clock: HandClock) -> None:
    """It may have fired: a close would be of somebody else's."""
    pass_beyond(made, clock)
    made.paper.untold.update(made.live())
    made.watch.triggers.check(made.held(), BEYOND)
    assert closes(made) == 0


@pytest.mark.parametrize("silent", ["price", "find_stop"])
def test_without_an_answer_nothing_is_closed(made: Guards, clock: HandClock, silent: str) -> None:
    """The next look asks again."""
    pass_beyond(made, clock)
    made.paper.before[silent].append(LOST)
    with pytest.raises(RequestError):
        made.watch.triggers.check(made.held(), BEYOND)
    assert closes(made) == 0
    made.watch.triggers.check(made.held(), BEYOND)
    assert closes(made) == 1


def test_only_what_is_held_has_a_stop_that_should_trigger(clock: HandClock) -> None:
    """The stop of an entry that waits finds nothing to reduce; without a stop there is none."""
    made = guards()
    made.expect()
    held = made.held()
    held.trouble.passed_since = -inf
    made.watch.triggers.check(held, BEYOND)
    assert held.trouble.passed_since is None
    bare = PairState(BTC, base=1.0, trigger=98.0)
    made.watch.triggers.check(bare, BEYOND)
    assert bare.trouble.passed_since is None


def test_a_price_is_asked_for_where_a_stop_stands(made: Guards, clock: HandClock) -> None:
    """Each costs a request."""
    made.paper.asked.clear()
    made.watch.triggers.ask(made.held("ETH/USDT:USDT"))
    assert made.paper.asked == []
    made.paper.prices[BTC] = 90.0
    for _ in range(2):
        made.watch.triggers.ask(made.held())
        clock.pass_s(made.manager.naked_deadline_s)
    assert closes(made) == 1
