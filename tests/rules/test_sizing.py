"""An entry loses no more at its stop than every limit leaves it."""

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qt_protections.rules.denial import DenyCode
from qt_protections.rules.exposure import Costs, Exposure
from qt_protections.rules.sizing import RiskBudget, Risks, amount_for, whole_steps
from qt_protections.rules.stop_price import stop_at
from tests.patience import MANY_EXAMPLES

BUDGET = RiskBudget(0.0075, 0.03)
STEPS = st.sampled_from([None, 1e-8, 0.001, 0.1, 1.0, 10.0])


def test_a_worked_example() -> None:
    """10,000 at 0.75 %, stop 0.5 % away, 0.05 % a fill, no slippage: 12,503 loses 75."""
    room = BUDGET.room(Risks(10_000), 100.0, averages_down=False)
    per_unit = Costs(0.0005, 0.0).loss_per_unit(100.0, 99.5, is_short=False)
    assert amount_for(room.loss, per_unit, 0.01) == pytest.approx(125.05)
    assert amount_for(room.loss, per_unit, 0.01) * per_unit == pytest.approx(75, abs=0.01)


@settings(max_examples=MANY_EXAMPLES, deadline=None)
@given(
    equity=st.floats(10, 1e8),
    entry=st.floats(1e-4, 1e5),
    distance=st.floats(0.0005, 0.5),
    fee=st.floats(0, 0.002),
    slippage=st.floats(0, 0.02),
    risk=st.floats(0.001, 0.02),
    taken=st.floats(0, 1.2),
    step=STEPS,
    is_short=st.booleans(),
)
def test_the_loss_at_the_stop_is_what_was_set(
    equity: float,
    entry: float,
    distance: float,
    fee: float,
    slippage: float,
    risk: float,
    taken: float,
    step: float | None,
    is_short: bool,
) -> None:
    """Never more, by the books of both fills; and less than it by no more than one lot."""
    budget, costs = RiskBudget(risk, 0.03), Costs(fee, slippage)
    open_risk = equity * 0.03 * taken
    room = budget.room(Risks(equity, open_risk), entry, averages_down=False)
    stop = stop_at(entry, distance, is_short=is_short)
    per_unit = costs.loss_per_unit(entry, stop, is_short=is_short)
    amount = amount_for(room.loss, per_unit, step)
    loss = Exposure("A/B", is_short, amount, entry, stop).risk(costs)
    most = min(equity * risk, equity * 0.03 - open_risk)
    most = most if most >= 0.1 * equity * risk else 0.0
    assert loss <= most * (1 + 1e-9) + 1e-9
    assert loss >= most * (1 - 1e-9) - (step or 0.0) * per_unit * (1 + 1e-6) - 1e-9


@pytest.mark.parametrize(
    ("risks", "averages_down", "loss", "limit"),
    [
        (Risks(10_000), False, 75, DenyCode.STAKE_TOO_SMALL),
        (Risks(10_000, open_risk=280), False, 20, DenyCode.OPEN_RISK_FULL),
        (Risks(10_000, open_risk=400), False, 0, DenyCode.OPEN_RISK_FULL),
        (Risks(10_000, open_risk=292.6), False, 0, DenyCode.OPEN_RISK_FULL),
        (Risks(10_000, position_risk=60, average=101.0), True, 15, DenyCode.AVERAGING_DOWN),
        (Risks(10_000, position_risk=60, average=101.0), False, 75, DenyCode.STAKE_TOO_SMALL),
        (Risks(10_000, position_risk=80, average=101.0), True, 0, DenyCode.AVERAGING_DOWN),
    ],
)
def test_the_tightest_limit_counts(
    risks: Risks, averages_down: bool, loss: float, limit: DenyCode
) -> None:
    """And says so, with its numbers, when what it leaves is too little."""
    room = BUDGET.room(risks, 100.0, averages_down=averages_down)
    assert (room.loss, room.limit) == (pytest.approx(loss), limit)
    denial = room.too_small(1.0, 5.0)
    assert denial.code is limit
    assert "5" in denial.text


def test_a_group_has_a_limit_of_its_own() -> None:
    """If it is set, and the entry is in a group."""
    grouped = replace(BUDGET, max_group_ratio=0.01)
    risks = Risks(10_000, open_risk=60, group_risk=60, benchmark="BTC/USDT:USDT")
    room = grouped.room(risks, 100.0, averages_down=False)
    assert (room.loss, room.limit) == (pytest.approx(40), DenyCode.GROUP_RISK_FULL)
    assert "BTC/USDT:USDT" in room.too_small(1.0, 5.0).text
    alone = risks._replace(group_risk=None)
    assert grouped.room(alone, 100.0, averages_down=False).loss == pytest.approx(75)
    assert BUDGET.room(risks, 100.0, averages_down=False).loss == pytest.approx(75)


def test_equity_less_open_risk() -> None:
    """Shares are of what is left when every stop is hit."""
    careful = replace(BUDGET, less_open_risk=True)
    room = careful.room(Risks(10_000, open_risk=100), 100.0, averages_down=False)
    assert room.loss == pytest.approx(0.0075 * 9_900)


@pytest.mark.parametrize("equity", [0.0, -1.0, math.nan])
def test_no_equity_is_an_error(equity: float) -> None:
    """It never becomes a size."""
    with pytest.raises(ValueError, match="cannot size"):
        BUDGET.room(Risks(equity), 100.0, averages_down=False)


@pytest.mark.parametrize("averages_down", [False, True])
@pytest.mark.parametrize(
    "unknown", [{"open_risk": math.nan}, {"position_risk": math.nan}, {"group_risk": math.nan}]
)
def test_a_loss_that_is_not_known_is_an_error(
    unknown: dict[str, float], averages_down: bool
) -> None:
    """No limit is kept by leaving out what nobody knows."""
    budget = replace(BUDGET, max_group_ratio=0.01)
    with pytest.raises(ValueError, match="cannot size"):
        budget.room(Risks(10_000)._replace(**unknown), 100.0, averages_down=averages_down)


@pytest.mark.parametrize(
    ("loss", "per_unit"),
    [(-1.0, 1.0), (math.nan, 1.0), (math.inf, 1.0), (1.0, 0.0), (1.0, -1.0), (1.0, math.nan)],
)
def test_nonsense_is_an_error(loss: float, per_unit: float) -> None:
    """An input out of bounds never becomes an amount."""
    with pytest.raises(ValueError, match="cannot size"):
        amount_for(loss, per_unit, None)


@pytest.mark.parametrize(
    ("amount", "step", "whole"),
    [
        (0.30000000000000004, 0.1, 0.3),
        (0.29999999999999998, 0.1, 0.3),
        (0.2999, 0.1, 0.2),
        (5.7, 1.0, 5.0),
        (0.05, 0.1, 0.0),
        (1.2345, None, 1.2345),
        (0.0, 0.1, 0.0),
        (0.99, 1.0, 0.0),
    ],
)
def test_whole_steps(amount: float, step: float | None, whole: float) -> None:
    """Cut, but for a missing last binary digit."""
    assert whole_steps(amount, step) == whole


def test_no_limit_allows_any_amount() -> None:
    """With every limit off, the size is the strategy's."""
    budget = RiskBudget(None, None)
    assert budget.is_off
    assert budget.largest_share is None
    room = budget.room(Risks(10_000, 5_000), 100.0, averages_down=True)
    assert room.loss == math.inf


@pytest.mark.parametrize(
    ("budget", "loss"),
    [
        (RiskBudget(0.0075, None), 75),
        (RiskBudget(None, 0.03), 150),
        (RiskBudget(None, None, 0.02), 40),
        (RiskBudget(None, None, 0.0161), 0),
    ],
    ids=["a trade", "all", "a group", "a group, nearly full"],
)
def test_a_limit_stands_alone(budget: RiskBudget, loss: float) -> None:
    """The limits that are off take nothing from the one that is on."""
    risks = Risks(10_000, open_risk=150, group_risk=160)
    assert not budget.is_off
    assert budget.room(risks, 100.0, averages_down=False).loss == pytest.approx(loss)


def test_a_group_that_an_entry_is_not_in_limits_nothing() -> None:
    """Where the group's limit is the only one, such an entry may be of any size."""
    risks = Risks(10_000, open_risk=150, group_risk=None)
    assert RiskBudget(None, None, 0.02).room(risks, 1.0, averages_down=False).loss == math.inf


@settings(max_examples=MANY_EXAMPLES, deadline=None)
@given(
    entries=st.integers(1, 8),
    moves=st.lists(
        st.tuples(st.floats(0.6, 1.4), st.floats(0, 1), st.floats(0.05, 1), st.booleans()),
        min_size=1,
        max_size=12,
    ),
    distance=st.floats(0.002, 0.75),
    equity=st.floats(50, 1e7),
    fee=st.floats(0, 0.001),
    slippage=st.floats(0, 0.005),
    step=STEPS,
    is_short=st.booleans(),
)
def test_entries_that_share_lose_no_more_than_one_trade_may(
    entries: int,
    moves: list[tuple[float, float, float, bool]],
    distance: float,
    equity: float,
    fee: float,
    slippage: float,
    step: float | None,
    is_short: bool,
) -> None:
    """Any entries in any order, at any price the stop allows, while the stop only moves closer.

    A move is a price, how much closer the stop comes, the part of what is allowed that is taken,
    and whether somebody forces an entry beyond the number that the strategy may make.
    """
    budget, costs = RiskBudget(0.0075, None, entries=entries), Costs(fee, slippage)
    held = Exposure("A/B", is_short, 0.0, 100.0, stop_at(100.0, distance, is_short=is_short))
    made = 0
    for price, closer, part, forced in moves:
        rate = 100.0 * price if made else 100.0
        moved = held.stop + closer * (rate - held.stop)
        stop = held.stop if not made else (min if is_short else max)(held.stop, moved)
        way = stop - rate if is_short else rate - stop
        if not way > 2 * fee * rate or (made >= entries and not forced):
            continue
        held = held._replace(stop=stop)
        average = held.entry if made else None
        risks = Risks(equity, held.risk(costs), held.risk(costs), average)
        room = budget.room(risks, rate, averages_down=False)
        per_unit = costs.loss_per_unit(rate, stop, is_short=is_short)
        amount = amount_for(room.loss * part, per_unit, step)
        if not amount:
            continue
        total = held.amount + amount
        entry = (held.amount * held.entry + amount * rate) / total
        held, made = held._replace(amount=total, entry=entry), made + 1
        assert held.risk(costs) <= 0.0075 * equity * (1 + 1e-9)


def test_the_first_of_several_entries_leaves_room_for_the_others() -> None:
    """Four have a quarter each; what one of them did not take, the others may not either."""
    shared = replace(BUDGET, entries=4)
    assert shared.room(Risks(10_000), 100.0, averages_down=False).loss == pytest.approx(18.75)
    held = Risks(10_000, open_risk=18.75, position_risk=18.75, average=101.0)
    assert shared.room(held, 100.0, averages_down=True).loss == pytest.approx(18.75)
    full = held._replace(position_risk=75.0)
    for averages_down in (False, True):
        room = shared.room(full, 100.0, averages_down=averages_down)
        assert (room.loss, room.limit) == (0, DenyCode.AVERAGING_DOWN)
        assert "all 4 entries of one trade" in room.too_small(0.0, 5.0).text
