"""Whose a close was, and what follows for the entries of a trade that it ended."""

import logging

import pytest

from qt_protections.stops.state.pair import PairState
from qt_protections.stops.venue.protocol import Position
from tests.stops.clocks import HandClock, hand_clock
from tests.stops.guards import Guards, guards
from tests.stops.paper import BTC, LOST


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> HandClock:
    """A clock that is moved by hand."""
    return hand_clock(monkeypatch)


@pytest.fixture
def on_paper(clock: HandClock) -> Guards:
    """A manager that places stops before entries and falls back to the fill."""
    return guards()


def entered(on_paper: Guards, amount: float = 2.0) -> PairState:
    """Enter, as a trade whose first entry is all there was."""
    held = on_paper.enter(amount)
    (first,) = on_paper.paper.orders.values()
    held.opened_ms, held.ledger.on_record = first["timestamp"], frozenset({first["id"]})
    return held


def taken(on_paper: Guards, amount: float) -> str:
    """Let another hand close so much of a long; return its order."""
    return on_paper.paper.enter(BTC, -amount, "web_1")


def booked(held: PairState) -> list[float]:
    """Return what the trade is to book."""
    return [fill.amount for fill in held.ledger.unbooked_fills]


# What is found


def test_what_another_hand_took_is_booked(on_paper: Guards) -> None:
    """The position is covered at its new size from then on."""
    held = entered(on_paper)
    taken(on_paper, 0.5)
    assert on_paper.manager.closes.book(held)
    assert (booked(held), held.own) == ([0.5], 1.5)


def test_a_trade_that_others_ended_takes_its_entries_along(on_paper: Guards) -> None:
    """What rests would begin a position without a reason."""
    held = entered(on_paper)
    entry = on_paper.rest(1.0, 98.0, base=2.0)
    taken(on_paper, 2.0)
    assert on_paper.manager.closes.book(held)
    assert on_paper.paper.orders[entry]["status"] == "canceled"


def test_a_part_leaves_entries_alone(on_paper: Guards) -> None:
    """The trade goes on."""
    held = entered(on_paper)
    entry = on_paper.rest(1.0, 98.0, base=2.0)
    taken(on_paper, 0.5)
    assert on_paper.manager.closes.book(held)
    assert on_paper.paper.orders[entry]["status"] == "open"


def test_without_an_answer_nothing_is_booked(
    on_paper: Guards, caplog: pytest.LogCaptureFixture
) -> None:
    """It is asked again."""
    held = entered(on_paper)
    taken(on_paper, 2.0)
    on_paper.paper.before["orders_since"].append(LOST)
    with caplog.at_level(logging.WARNING):
        assert not on_paper.manager.closes.book(held)
    assert "Could not ask what closed BTCUSDT" in caplog.text
    assert (booked(held), held.own) == ([], 2.0)


# What is called off


def test_an_entry_without_a_name_or_over_is_not_called_off(on_paper: Guards) -> None:
    """The one cannot be named to the exchange, the other is gone."""
    held = entered(on_paper)
    unnamed = on_paper.expect(1.0, 98.0, base=2.0)
    over = on_paper.expect(1.0, 98.0, base=2.0)
    over.hear("77", 0.0, is_over=True)
    on_paper.manager.closes.call_off(held)
    assert on_paper.paper.sent("cancel_order") == 0
    assert held.pending_entries == [unnamed, over]


# What is heard


def test_what_is_heard_is_booked_at_once(on_paper: Guards) -> None:
    """Nobody else holds a part, and list and orders agree."""
    held = entered(on_paper)
    order = taken(on_paper, 2.0)
    on_paper.manager.closes.heard(held, order, 2.0)
    assert booked(held) == [2.0]
    assert not held.ledger.heard


def test_a_trade_that_was_heard_to_end_takes_its_entries_along(on_paper: Guards) -> None:
    """As any other end of a trade."""
    held = entered(on_paper)
    entry = on_paper.rest(1.0, 98.0, base=2.0)
    on_paper.manager.closes.heard(held, taken(on_paper, 2.0), 2.0)
    assert on_paper.paper.orders[entry]["status"] == "canceled"


@pytest.mark.parametrize("amount", [2.0, -2.0], ids=["long", "short"])
def test_a_list_that_tells_otherwise_decides_nothing(
    on_paper: Guards, clock: HandClock, amount: float
) -> None:
    """It may be old. Once the list has caught up, the close is booked."""
    held = on_paper.enter(amount, 98.0 if amount > 0 else 102.0)
    (first,) = on_paper.paper.orders.values()
    held.opened_ms, held.ledger.on_record = first["timestamp"], frozenset({first["id"]})
    before = on_paper.paper.held()
    order = on_paper.paper.enter(BTC, -amount / 4, "web_1")
    on_paper.paper.views["positions"] = lambda _: before
    on_paper.manager.closes.heard(held, order, 0.5)
    assert (booked(held), held.ledger.heard) == ([], {order: 0.5})
    on_paper.paper.views.clear()
    clock.pass_s(5.1)
    on_paper.manager.closes.book_heard(held)
    assert (booked(held), held.ledger.heard) == ([0.5], {})


def test_a_list_of_the_other_side_is_not_the_trade_s(on_paper: Guards) -> None:
    """It would count against it: such a list tells that something else has happened."""
    held = entered(on_paper)
    order = taken(on_paper, 2.0)
    turned = {BTC: Position(BTC, True, 1.0, 100.0, 10.0)}
    on_paper.paper.views["positions"] = lambda _: turned
    on_paper.manager.closes.heard(held, order, 2.0)
    assert (booked(held), held.ledger.heard) == ([], {order: 2.0})


def test_without_a_list_the_orders_decide_where_nobody_else_holds_a_part(
    on_paper: Guards, caplog: pytest.LogCaptureFixture
) -> None:
    """The service of positions is down; the orders tell all there is to tell."""
    held = entered(on_paper)
    order = taken(on_paper, 0.5)
    on_paper.paper.failing["positions"] = LOST
    with caplog.at_level(logging.WARNING):
        on_paper.manager.closes.heard(held, order, 0.5)
    assert "Could not ask for the position of BTC/USDT:USDT" in caplog.text
    assert (booked(held), held.ledger.heard) == ([0.5], {})


def test_without_a_list_nothing_is_booked_beside_a_stranger_s_part(
    on_paper: Guards, caplog: pytest.LogCaptureFixture
) -> None:
    """That may be what was closed."""
    held = entered(on_paper)
    on_paper.paper.enter(BTC, 1.0, "web_0")
    held.external.position = on_paper.paper.held()[BTC]
    order = taken(on_paper, 0.5)
    on_paper.paper.failing["positions"] = LOST
    with caplog.at_level(logging.WARNING):
        on_paper.manager.closes.heard(held, order, 0.5)
    assert "Could not ask what closed BTCUSDT" in caplog.text
    assert (booked(held), held.ledger.heard) == ([], {order: 0.5})


def test_an_entry_without_an_answer_hides_what_was_closed(
    on_paper: Guards, clock: HandClock
) -> None:
    """What it has filled is in the position: nothing is certain before its answer."""
    held = entered(on_paper)
    pending = on_paper.expect(1.0, 98.0, base=2.0)
    order = taken(on_paper, 0.5)
    on_paper.paper.asked.clear()
    on_paper.manager.closes.heard(held, order, 0.5)
    assert on_paper.paper.asked == []
    on_paper.cover.refused(pending)
    on_paper.manager.closes.book_heard(held)
    assert booked(held) == [0.5]


def test_what_stays_uncertain_is_given_up(on_paper: Guards, clock: HandClock) -> None:
    """After a minute the bot's loop decides, which waits longer before it believes a list."""
    held = entered(on_paper)
    order = taken(on_paper, 0.5)
    on_paper.paper.views["orders_since"] = lambda _: []
    on_paper.manager.closes.heard(held, order, 0.5)
    clock.pass_s(59.0)
    on_paper.manager.closes.book_heard(held)
    assert held.ledger.heard == {order: 0.5}
    clock.pass_s(6.0)
    on_paper.manager.closes.book_heard(held)
    assert (booked(held), held.ledger.heard) == ([], {})


def test_what_was_given_up_is_not_heard_of_with_the_next_close(
    on_paper: Guards, clock: HandClock
) -> None:
    """The orders tell of the next one at once; the first may be hidden for ever."""
    held = entered(on_paper)
    first = taken(on_paper, 0.5)
    on_paper.paper.views["orders_since"] = lambda orders: [o for o in orders if o["id"] != first]
    on_paper.manager.closes.heard(held, first, 0.5)
    clock.pass_s(61.0)
    second = taken(on_paper, 0.5)
    on_paper.manager.closes.heard(held, second, 0.5)
    assert first not in held.ledger.heard


def test_a_stop_that_fired_is_booked_before_what_was_heard(on_paper: Guards) -> None:
    """What is heard may be that stop's own order."""
    held = entered(on_paper)
    on_paper.manager.outcomes.fired(held, on_paper.live()[0], "")
    on_paper.paper.asked.clear()
    on_paper.manager.closes.heard(held, taken(on_paper, 0.5), 0.5)
    assert on_paper.paper.sent("orders_since") == 0
    assert held.ledger.heard


# What was written off


@pytest.mark.parametrize("is_asked", [True, False])
def test_what_a_written_off_stop_became_is_asked_for_a_minute(
    on_paper: Guards, clock: HandClock, is_asked: bool
) -> None:
    """Beside a stranger's part, nothing else would ever tell that a part of the trade is gone."""
    held = entered(on_paper)
    (stop,) = on_paper.live()
    on_paper.paper.trigger(stop, 0.5)
    held.write_off(stop, 1060.0)
    if not is_asked:
        clock.pass_s(61.0)
    on_paper.manager.closes.book_written_off(held)
    assert booked(held) == ([1.0] if is_asked else [])
    assert (on_paper.paper.sent("orders_since") > 0) is is_asked
