"""What closed a position is read from the order history, and booked once."""

import pytest
from freqtrade.enums import ExitType

from qt_protections.stops.state.client_ids import Role
from qt_protections.stops.state.pair import PairState
from qt_protections.stops.venue.protocol import RequestError
from tests.stops.guards import Guards, guards
from tests.stops.paper import BTC, LOST


@pytest.fixture
def made() -> Guards:
    """A long of two, known since the first moment."""
    entered = guards()
    entered.enter(2.0)
    entered.held().opened_ms = 1
    return entered


def asked(made: Guards, *, with_exits: bool = False) -> list[float]:
    """Ask what closed the position, and return what is booked."""
    held = made.held()
    made.manager.history._ask_at.clear()
    made.manager.history.book_closes(held, with_exits=with_exits)
    return [fill.amount for fill in held.ledger.unbooked_fills]


def test_nothing_closed_it(made: Guards) -> None:
    """An entry is no close."""
    assert asked(made) == []


@pytest.mark.parametrize("amount", [0.5, 2.0])
def test_another_hand_is_booked_as_sold_on_the_exchange(made: Guards, amount: float) -> None:
    """Once, however often it is asked."""
    made.paper.enter(BTC, -amount)
    assert asked(made) == [amount]
    assert asked(made) == [amount]
    (fill,) = made.held().ledger.unbooked_fills
    assert fill.reason == ExitType.SOLD_ON_EXCHANGE.value
    assert made.held().base == 2.0 - amount


def test_what_turned_the_position_counts_as_far_as_it_closed_it(made: Guards) -> None:
    """The rest is somebody's position of the other side."""
    made.paper.enter(BTC, -3.0)
    assert asked(made) == [2.0]


def test_what_a_stop_became_is_the_stops(made: Guards) -> None:
    """It is booked by the stop's own id, when the stop is asked after."""
    made.paper.trigger(made.live()[0])
    assert asked(made) == []


def test_exits_of_this_bot_are_freqtrades(made: Guards) -> None:
    """Unless it is certain that Freqtrade has none under way."""
    made.paper.enter(BTC, -2.0, made.manager.namer.new(Role.EXIT, BTC))
    assert asked(made) == []
    assert asked(made, with_exits=True) == [2.0]


def test_what_is_on_record_is_booked_already(made: Guards) -> None:
    """The trade has the order."""
    made.held().ledger.on_record = frozenset([made.paper.enter(BTC, -2.0)])
    assert asked(made) == []


def test_what_came_before_the_position_did_not_close_it(made: Guards) -> None:
    """By the time of the exchange."""
    closed = made.paper.enter(BTC, -2.0)
    made.held().opened_ms = made.paper.orders[closed]["timestamp"]
    assert asked(made) == []


def test_an_entry_that_filled_unheard_is_counted_first() -> None:
    """Of what waits nobody here knew a fill, and all of it was closed."""
    made = guards("on_fill")
    entry = made.rest(2.0)
    made.paper.fill(entry, 2.0)
    made.paper.enter(BTC, -2.0)
    held = made.held()
    held.pending_entries[0].filled, held.opened_ms = 0.5, 1
    assert asked(made) == [2.0]
    assert held.own == 0


def test_silence_changes_nothing(made: Guards) -> None:
    """The error goes to whoever asks."""
    made.paper.enter(BTC, -2.0)
    made.paper.before["orders_since"].append(LOST)
    with pytest.raises(RequestError):
        asked(made)
    assert made.held().base == 2.0


def test_nobody_knows_since_when() -> None:
    """Without that nothing is booked: it may be of an earlier position."""
    made = guards()
    held: PairState = made.enter(1.0)
    made.paper.enter(BTC, -1.0)
    assert held.known_since_ms == 0
    assert asked(made) == []


@pytest.mark.parametrize(("at_most", "booked"), [(0.0, []), (0.5, [0.5]), (9.0, [1.5])])
def test_what_others_closed_of_their_own_is_not_the_trades(
    made: Guards, at_most: float, booked: list[float]
) -> None:
    """The list of positions tells how much of the trade is gone."""
    made.paper.enter(BTC, -1.5)
    held = made.held()
    made.manager.history.book_closes(held, at_most)
    assert [fill.amount for fill in held.ledger.unbooked_fills] == booked


def test_a_pair_is_asked_for_once_in_five_seconds(made: Guards) -> None:
    """Each question costs request weight."""
    history, held = made.manager.history, made.held()
    assert history.is_due(held)
    history.book_closes(held)
    assert not history.is_due(held)
    made.paper.enter(BTC, -2.0)
    assert not history.book_closes(held)
    assert made.paper.sent("orders_since") == 1


def test_what_others_enter_and_leave_is_theirs(made: Guards) -> None:
    """A person buys and sells beside the trade."""
    made.paper.enter(BTC, 1.5)
    made.paper.enter(BTC, -1.0)
    assert asked(made) == []
    made.paper.enter(BTC, -1.0)
    assert asked(made) == [0.5]


def test_an_order_that_rests_is_not_over(made: Guards) -> None:
    """It fills on, and is its owner's to cancel."""
    resting = made.paper.enter(BTC, -2.0, fills=False)
    made.paper.fill(resting, 0.5)
    assert asked(made) == []
    made.paper.fill(resting, 1.5)
    assert asked(made) == [2.0]


def test_the_guards_own_close_is_booked_if_its_answer_was_lost(made: Guards) -> None:
    """Nobody else books it."""
    made.paper.enter(BTC, -2.0, made.manager.namer.new(Role.EMERGENCY_CLOSE, BTC))
    assert asked(made) == [2.0]


def test_a_stops_order_is_booked_once_however_many_stops_followed(made: Guards) -> None:
    """The pair remembers what its stops became for as long as the position lasts."""
    held = made.held()
    made.paper.trigger(made.live()[0], share=0.5)
    made.manager.outcomes.ask_after(held, held.stops[0])
    held.ledger.unbooked_fills.clear()  # the trade has booked it
    for step in range(1, 30):
        made.mover.move(held, 98.0 + step / 100)
    assert asked(made) == []


@pytest.mark.parametrize(
    ("orders", "is_closed"),
    [([], False), ([-1.0], False), ([-2.0], True), ([-2.0, 2.0], False), ([1.0, -3.0], True)],
)
def test_a_position_is_closed_when_its_orders_sum_up(
    made: Guards, orders: list[float], is_closed: bool
) -> None:
    """Whoever bought back holds it again."""
    held = made.held()
    held.opened_ms = max(order["timestamp"] for order in made.paper.orders.values())
    for amount in orders:
        made.paper.enter(BTC, amount)
    history = made.manager.history
    assert history.is_closed(held, 2.0, held.opened_ms, is_short=False) is is_closed
