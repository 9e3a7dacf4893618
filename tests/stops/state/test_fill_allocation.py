"""Whose part of a position each order closed, compared with an account that knows."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qt_protections.rules.amounts import subtract_exact, sum_exact
from qt_protections.stops.state.client_ids import Role
from qt_protections.stops.state.fill_allocation import (
    FilledOrder,
    Holding,
    TradeFills,
    allocate,
    is_closed,
    own_part,
)

BEGAN_MS = 1000


def order(
    number: int,
    amount: float,
    *,
    role: Role | None = None,
    booked: float | None = None,
    status: str = "closed",
) -> FilledOrder:
    """Return an order that filled at once, the later the higher its number; negative closes."""
    at_ms = BEGAN_MS + number
    row = {"id": str(number), "filled": abs(amount), "status": status, "timestamp": at_ms}
    return FilledOrder(row, closes=amount < 0, role=role, booked=booked)


def fills(*orders: FilledOrder, others: float = 0.0) -> TradeFills:
    """Return orders that filled since a trade began."""
    return replace(TradeFills.split(orders, BEGAN_MS), others=others)


@dataclass
class Account:
    """One position of a bot and of others, in which everybody's part is known.

    Attributes:
        others: What others hold.
        own: What the bot's trade holds.
        recorded: What the trade holds by its record.
        orders: What the exchange tells.
        closed: By order, how much of the trade the order closed that no record has.
    """

    others: float
    own: float = 0.0
    recorded: float = 0.0
    orders: list[FilledOrder] = field(default_factory=list)
    closed: dict[str, float] = field(default_factory=dict)

    def bot_enters(self, lots: int) -> None:
        """Fill an entry that the trade has on record."""
        self._add(float(lots), Role.ENTRY, booked=float(lots))
        self.own = sum_exact(self.own, lots)
        self.recorded = sum_exact(self.recorded, lots)

    def others_enter(self, lots: int) -> None:
        """Fill an order of another hand."""
        self._add(float(lots))
        self.others = sum_exact(self.others, lots)

    def others_close(self, lots: int) -> None:
        """Close by another hand: what is theirs first, then what is the bot's."""
        amount = min(float(lots), sum_exact(self.own, self.others))
        of_own = subtract_exact(amount, self.others)
        self.others = subtract_exact(self.others, amount)
        self._close(amount, of_own)

    def bot_closes_unheard(self, lots: int) -> None:
        """Close by the bot itself, whose answer was lost."""
        amount = min(float(lots), self.own)
        self._close(amount, amount, Role.EMERGENCY_CLOSE)

    def _close(self, amount: float, of_own: float, role: Role | None = None) -> None:
        if amount:
            self._add(-amount, role)
            self.own = subtract_exact(self.own, of_own)
            if of_own:
                self.closed[self.orders[-1].order_id] = of_own

    def _add(self, amount: float, role: Role | None = None, booked: float | None = None) -> None:
        made = order(len(self.orders) + 1, amount, role=role, booked=booked)
        self.orders.append(made)


ACTS = st.lists(
    st.tuples(
        st.sampled_from(["bot_enters", "others_enter", "others_close", "bot_closes_unheard"]),
        st.integers(1, 9),
    ),
    max_size=12,
)


def lived(others: int, acts: Sequence[tuple[str, int]]) -> Account:
    """Return an account on which a trade began, and after which all this happened."""
    account = Account(float(others))
    account.bot_enters(5)
    for act, lots in acts:
        getattr(account, act)(lots)
    return account


def told(account: Account, others: float) -> dict[str, float]:
    """Return how much of the trade each order closed, by the orders alone."""
    known = fills(*account.orders, others=others)
    closes = allocate(known, Holding(account.recorded))
    return {row["id"]: min(amount, row["filled"]) for row, amount in closes}


@given(others=st.integers(0, 9), acts=ACTS)
def test_each_close_goes_to_whom_it_belongs(others: int, acts: list[tuple[str, int]]) -> None:
    """The orders alone tell what an account that knows every owner tells."""
    account = lived(others, acts)
    assert told(account, float(others)) == account.closed


@given(others=st.integers(0, 9), acts=ACTS)
def test_the_position_tells_what_others_held(others: int, acts: list[tuple[str, int]]) -> None:
    """Whatever has filled since."""
    account = lived(others, acts)
    position = sum_exact(account.own, account.others)
    assert fills(*account.orders).others_by(position) == others


@given(others=st.integers(0, 9), acts=ACTS)
def test_what_was_booked_is_booked_once(others: int, acts: list[tuple[str, int]]) -> None:
    """Whoever asks again finds nothing, and what others hold is counted alike."""
    account = lived(others, acts)
    closed = told(account, float(others))
    account.orders = [
        replace(o, booked=closed[o.order_id]) if o.order_id in closed else o for o in account.orders
    ]
    account.recorded = subtract_exact(account.recorded, *closed.values())
    assert told(account, float(others)) == {}
    assert account.recorded == account.own


@given(others=st.integers(0, 9), acts=ACTS, at_most=st.integers(0, 9), own=st.integers(0, 20))
def test_no_more_is_closed_than_there_is(
    others: int, acts: list[tuple[str, int]], at_most: int, own: int
) -> None:
    """And others take no more of the trade than the list of positions lacks."""
    account = lived(others, acts)
    known = fills(*account.orders, others=float(others))
    closes = allocate(known, Holding(float(own)), at_most=float(at_most))
    taken = [(row["id"], min(amount, row["filled"])) for row, amount in closes]
    assert sum(amount for _, amount in taken) <= own
    roles = {each.order_id: each.role for each in account.orders}
    assert sum(amount for name, amount in taken if roles[name] is None) <= at_most


def test_an_order_closes_nothing_of_a_later_entry() -> None:
    """Two were held when others sold three; one more was entered later."""
    orders = [
        order(1, 2.0, role=Role.ENTRY, booked=2.0),
        order(2, -3.0),
        order(3, 1.0, role=Role.ENTRY, booked=1.0),
    ]
    assert [amount for _, amount in allocate(fills(*orders), Holding(3.0))] == [2.0]


def test_an_order_that_rests_is_not_over() -> None:
    """It fills on."""
    assert allocate(fills(order(1, -2.0, status="open")), Holding(2.0)) == []


@pytest.mark.parametrize(("with_exits", "closed"), [(False, []), (True, [2.0])])
def test_exits_are_freqtrades(with_exits: bool, closed: list[float]) -> None:
    """Unless somebody keeps Freqtrade from sending one."""
    exit_ = fills(order(1, -2.0, role=Role.EXIT), others=5.0)
    closes = allocate(exit_, Holding(2.0), with_exits=with_exits)
    assert [amount for _, amount in closes] == closed


def test_what_a_stop_became_closes_the_trade_first() -> None:
    """Whatever others hold, and though its name is nobody's."""
    child = fills(order(1, -2.0), others=5.0)
    assert allocate(child, Holding(2.0)) == []
    assert [amount for _, amount in allocate(child, Holding(2.0), {"1"})] == [2.0]


def test_others_who_sold_more_than_there_was_hold_the_other_side() -> None:
    """Where the position is certain: what they buy next is no part of the trade's side."""
    orders = [order(1, -3.0), order(2, 1.0), order(3, -1.0)]
    guessed = fills(*orders, others=1.0)
    assert [a for _, a in allocate(guessed, Holding(9.0))] == [2.0]
    certain = replace(fills(order(1, -3.0, role=None, booked=1.0), *orders[1:]), is_certain=True)
    assert [a for _, a in allocate(certain, Holding(9.0))] == [1.0]
    assert allocate(replace(certain, is_certain=False), Holding(9.0)) == []


def test_a_deleted_trade_is_closed_first() -> None:
    """What it held is nobody's, and what entries filled since is the bot's."""
    orders = fills(order(1, -2.0), order(2, -2.0))
    closes = allocate(orders, Holding(2.0, deleted=3.0))
    assert [amount for _, amount in closes] == [2.0, 2.0]
    assert Holding(2.0, deleted=3.0).after(4.0) == 1.0


def test_an_entry_that_the_other_side_closed_is_found() -> None:
    """A kill kept a short off the record; the long that followed closed a part of the short."""
    short = order(-1, -2.0, role=Role.ENTRY)
    long = order(1, 3.0, role=Role.ENTRY, booked=3.0)
    known = TradeFills.split([short, long], BEGAN_MS)
    by_list = known.by_position(1.0, lambda _: False)
    assert (by_list.others, by_list.is_certain) == (0.0, True)
    assert allocate(by_list, Holding(3.0)) == [(short.order, 3.0)]
    assert allocate(known.by_position(1.0, lambda _: True), Holding(3.0)) == []


def test_the_history_before_tells_what_others_held() -> None:
    """What earlier trades entered they have closed."""
    before = [order(-3, 2.0), order(-2, -0.5), order(-1, 1.0)]
    known = TradeFills.split([*before, order(1, 3.0, role=Role.ENTRY)], BEGAN_MS)
    assert known.others == 2.5
    assert known.is_shared
    assert known.lacks({"1", "2"})
    assert not known.lacks({"1"})


def test_an_entry_on_record_is_of_the_trade_whenever_it_filled() -> None:
    """It may have filled in the millisecond in which it was sent."""
    known = TradeFills.split([order(0, 3.0, role=Role.ENTRY, booked=3.0)], BEGAN_MS)
    assert len(known.since) == 1
    assert not known.is_shared


@pytest.mark.parametrize(
    ("amounts", "closed"),
    [([], False), ([-2.0], True), ([-2.0, 1.0], False), ([1.0, -3.0], True), ([-3.0, 1.0], False)],
)
def test_a_position_is_closed_when_its_orders_sum_up(amounts: list[float], closed: bool) -> None:
    """Whoever bought back holds it again."""
    orders = [order(number, amount) for number, amount in enumerate(amounts, 1)]
    assert is_closed(2.0, orders) is closed


@pytest.mark.parametrize(
    ("parts", "own"),
    [({}, 2.0), ({"7": 0.5}, 0.5), ({"7": 0.5, "7-entries": 1.0}, 1.5), ({"7": 3.0}, 2.0)],
)
def test_a_part_of_an_order_is_the_bots(parts: dict[str, float], own: float) -> None:
    """With what the order closed of entries that no trade has yet."""
    assert own_part({"id": "7", "filled": 2.0}, parts) == own
