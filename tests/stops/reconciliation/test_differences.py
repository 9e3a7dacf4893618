"""A listed position differs from the books by what only one of the two has."""

import pytest
from freqtrade.persistence import Order, Trade
from hypothesis import given
from hypothesis import strategies as st

from qt_protections.rules.entries import EntryRequest
from qt_protections.stops.reconciliation.differences import (
    is_missing,
    is_more,
    is_short_of,
    lacking,
)
from qt_protections.stops.state.pair import PairState
from qt_protections.stops.state.pending_entry import PendingEntry
from qt_protections.stops.venue.protocol import Position
from tests.stops.paper import BTC
from tests.stops.reconciliation.test_trade_writer import trade as new_trade

AMOUNTS = st.integers(1, 1_000_000).map(lambda lots: lots / 1000)


def book(base: float, *, is_short: bool = False, is_deleted: bool = False) -> PairState:
    """Return what is known of a pair whose trade holds so much."""
    return PairState(BTC, is_short=is_short, base=base, trade_deleted=is_deleted)


def listed(amount: float, *, is_short: bool = False) -> Position | None:
    """Return the position that a list shows; None of nothing."""
    return Position(BTC, is_short, amount, 100.0, 10.0) if amount else None


def waits(held: PairState, amount: float, filled: float = 0.0) -> PendingEntry:
    """Add an entry under way."""
    entry = EntryRequest(BTC, held.is_short, 100.0, 10.0, amount)
    pending = PendingEntry(entry, "name", stop_first=True, order_id="7", filled=filled)
    held.pending_entries.append(pending)
    return pending


def trade_of(held: PairState, exit_filled: float = 0.0, *, rests: bool = True) -> Trade:
    """Return the pair's trade; an exit of it has filled so much."""
    trade = new_trade(100.0, 0.1, 10.0, is_short=held.is_short)
    trade.orders.append(
        Order(
            ft_order_side=trade.exit_side,
            ft_pair=BTC,
            ft_is_open=rests,
            order_id="8",
            ft_amount=1.0,
            filled=exit_filled,
        )
    )
    return trade


@pytest.mark.parametrize(
    ("base", "shown", "other_side", "lacks"),
    [
        (1.0, 1.0, False, 0.0),
        (1.0, 0.25, False, 0.75),
        (1.0, 0.0, False, 1.0),
        (1.0, 2.0, False, 0.0),
        (1.0, 3.0, True, 1.0),
    ],
    ids=["as booked", "a part", "nothing", "more", "the other side"],
)
@pytest.mark.parametrize("is_short", [False, True], ids=["long", "short"])
def test_what_the_list_shows_too_little(
    base: float, shown: float, other_side: bool, lacks: float, is_short: bool
) -> None:
    """A position of the other side is none of the trade's."""
    held = book(base, is_short=is_short)
    position = listed(shown, is_short=is_short is not other_side)
    assert lacking(held, position, trade_of(held)) == lacks
    assert lacking(held, position, None) == lacks
    assert is_missing(held, position, None) is (lacks == base)


def test_the_side_is_that_of_the_trade() -> None:
    """The book of a pair may have been turned by what somebody else holds."""
    held = book(1.0, is_short=True)
    trade = new_trade(100.0, 0.1, 10.0, is_short=False)
    assert lacking(held, listed(1.0, is_short=False), trade) == 0.0
    assert not is_missing(held, listed(1.0, is_short=False), trade)
    assert is_missing(held, listed(1.0, is_short=True), trade)


def test_what_an_exit_that_rests_has_filled_is_not_missed() -> None:
    """That is on its order's record. What is over is on the trade as well."""
    held = book(1.0)
    assert lacking(held, listed(0.75), trade_of(held, 0.25)) == 0.0
    assert lacking(held, listed(0.75), trade_of(held, 0.25, rests=False)) == 0.25
    assert not is_missing(held, None, trade_of(held, 1.0))


def test_what_an_entry_has_filled_is_missed_as_well() -> None:
    """No trade has booked that yet."""
    held = book(1.0)
    waits(held, 2.0, filled=0.5)
    assert lacking(held, None, trade_of(held)) == 1.5
    assert lacking(held, listed(1.5), trade_of(held)) == 0.0


def test_what_a_deleted_trade_held_is_missed() -> None:
    """It is nobody's, and its stop stays until there is proof."""
    held = book(1.0, is_deleted=True)
    assert is_missing(held, None, None)
    assert not is_missing(held, listed(1.0), None)
    assert not is_missing(book(0.0, is_deleted=True), None, None)


@given(base=AMOUNTS, part=st.floats(0.0, 1.0), is_short=st.booleans())
def test_only_a_part_of_the_same_side_is_short(base: float, part: float, is_short: bool) -> None:
    """Nothing at all is missing, not short; the last digits of sums of lots are no difference."""
    held = book(base, is_short=is_short)
    trade = trade_of(held)
    position = Position(BTC, is_short, base * part, 100.0, 10.0)
    assert is_short_of(held, position, trade) is (part < 1 - 1e-6)
    assert not is_short_of(held, None, trade)
    turned = Position(BTC, not is_short, base * part, 100.0, 10.0)
    assert not is_short_of(held, turned, trade)


@given(base=AMOUNTS, filled=AMOUNTS, more=AMOUNTS)
def test_more_is_what_neither_trade_nor_fills_account_for(
    base: float, filled: float, more: float
) -> None:
    """An entry counts for what it has filled, not for what it was sent for."""
    held = book(base)
    waits(held, filled + more, filled)
    assert not is_more(Position(BTC, False, base + filled, 100.0, 10.0), base, held)
    assert is_more(Position(BTC, False, base + filled + more, 100.0, 10.0), base, held)


@given(base=AMOUNTS, amount=AMOUNTS, filled=st.floats(0.0, 1.0))
def test_an_entry_whose_answer_was_lost_counts_whole(
    base: float, amount: float, filled: float
) -> None:
    """It may have filled, and is being asked for."""
    held = book(base)
    waits(held, amount, amount * filled).lose_answer()
    assert not is_more(Position(BTC, False, base + amount, 100.0, 10.0), base, held)
    assert is_more(Position(BTC, False, base + 2 * amount, 100.0, 10.0), base, held)


@given(base=AMOUNTS, shown=AMOUNTS)
def test_a_position_is_never_both_more_and_less(base: float, shown: float) -> None:
    """One of the two at most, and neither only where both are the same size."""
    held = book(base)
    position = Position(BTC, False, shown, 100.0, 10.0)
    differs = [is_more(position, base, held), is_short_of(held, position, trade_of(held))]
    assert sum(differs) == (abs(shown - base) > 1e-6 * base)
