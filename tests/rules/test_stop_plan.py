"""What to place and cancel: make before break, never looser, one stop in the end."""

from dataclasses import replace
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qt_protections.rules.stop_plan import (
    LiveStop,
    RequiredStop,
    StopPlan,
    covered,
    parts,
    plan,
    tightest,
)

LONG = RequiredStop(is_short=False, amount=2.0, trigger=99.0)
SHORT = RequiredStop(is_short=True, amount=2.0, trigger=101.0)

#: Grids of lots and ticks, as the exchange has them, so that equal numbers come up.
AMOUNTS = st.integers(1, 6).map(lambda lots: lots * 0.1)
TRIGGERS = st.integers(1, 6).map(lambda ticks: 90 + ticks * 0.1)
NEEDS = st.builds(RequiredStop, is_short=st.booleans(), amount=AMOUNTS, trigger=TRIGGERS)
#: The same with a limit of what one stop may be.
LIMITED = st.builds(
    RequiredStop, is_short=st.booleans(), amount=AMOUNTS, trigger=TRIGGERS, largest=AMOUNTS
)
STANDING = st.lists(
    st.builds(LiveStop, order_id=st.integers(1, 2000).map(str), amount=AMOUNTS, trigger=TRIGGERS),
    max_size=5,
    unique_by=lambda stop: stop.order_id,
)


def carried_out(todo: StopPlan, standing: list[LiveStop], next_id: int) -> list[LiveStop]:
    """Return what stands once the exchange has accepted all of it."""
    rest = [stop for stop in standing if stop.order_id not in todo.cancel]
    if todo.place is None:
        return rest
    return [*rest, LiveStop(str(next_id), todo.place.amount, todo.place.trigger)]


def is_looser(need: RequiredStop, trigger: float, than: float) -> bool:
    """Whether a trigger lies further from the price."""
    return trigger > than if need.is_short else trigger < than


@pytest.mark.parametrize(
    ("need", "standing", "expected"),
    [
        (None, [], StopPlan()),
        (None, [LiveStop("1", 2, 99), LiveStop("2", 1, 98)], StopPlan(cancel=("1", "2"))),
        (LONG, [], StopPlan(place=LONG)),
        (LONG, [LiveStop("1", 2, 99)], StopPlan()),
        (LONG, [LiveStop("1", 5, 99)], StopPlan()),
        (LONG, [LiveStop("1", 1.9, 99)], StopPlan(place=LONG)),
        (LONG, [LiveStop("1", 1, 99), LiveStop("2", 1, 99)], StopPlan(place=LONG)),
        (LONG, [LiveStop("1", 2, 98)], StopPlan(place=LONG)),
        (SHORT, [LiveStop("1", 2, 102)], StopPlan(place=SHORT)),
        (LONG, [LiveStop("1", 2, 98), LiveStop("2", 2, 99)], StopPlan(cancel=("1",))),
        (LONG, [LiveStop("1", 2, 99.5)], StopPlan()),
        (SHORT, [LiveStop("1", 2, 100.5)], StopPlan()),
        (LONG, [LiveStop("1", 1, 99.5)], StopPlan(place=replace(LONG, trigger=99.5))),
        (SHORT, [LiveStop("1", 1, 100.5)], StopPlan(place=replace(SHORT, trigger=100.5))),
        (LONG, [LiveStop("9", 2, 99), LiveStop("10", 2, 99)], StopPlan(cancel=("9",))),
        (replace(LONG, amount=0.1 + 0.2), [LiveStop("1", 0.3, 99)], StopPlan()),
    ],
    ids=[
        "nothing at all",
        "leftovers",
        "naked",
        "as it should be",
        "larger stays",
        "a lot too small",
        "two halves are not one whole",
        "moves up for a long",
        "moves down for a short",
        "old one goes once the new one stands",
        "looser wish, long",
        "looser wish, short",
        "grows at the tighter trigger, long",
        "grows at the tighter trigger, short",
        "of equals the newest stays",
        "sums of lots",
    ],
)
def test_table(need: RequiredStop | None, standing: list[LiveStop], expected: StopPlan) -> None:
    """One step at a time."""
    assert plan(need, standing) == expected


@given(need=NEEDS, standing=STANDING)
def test_who_places_cancels_nothing(need: RequiredStop, standing: list[LiveStop]) -> None:
    """Make before break: no answer holds both."""
    todo = plan(need, standing)
    assert todo.place is None or not todo.cancel


@given(need=NEEDS, standing=STANDING)
def test_cancels_leave_the_size_covered(need: RequiredStop, standing: list[LiveStop]) -> None:
    """The last stop that covers the full size stays, and so does the tightest trigger."""
    todo = plan(need, standing)
    rest = carried_out(replace(todo, place=None), standing, 0)
    assert covered(need, rest) or not covered(need, standing)
    if todo.cancel:
        best = tightest(need.is_short, *(stop.trigger for stop in standing))
        assert [stop.trigger for stop in rest] == [best]


@given(need=NEEDS, standing=STANDING)
def test_nothing_is_placed_looser_than_what_stands(
    need: RequiredStop, standing: list[LiveStop]
) -> None:
    """Neither than any stop that stands nor than what is needed; for the size that is needed."""
    todo = plan(need, standing)
    if todo.place is not None:
        assert todo.place.amount == need.amount
        assert todo.place.is_short is need.is_short
        for trigger in (need.trigger, *(stop.trigger for stop in standing)):
            assert not is_looser(need, todo.place.trigger, trigger)


@given(need=NEEDS, standing=STANDING)
def test_two_steps_lead_to_one_covering_stop(need: RequiredStop, standing: list[LiveStop]) -> None:
    """An exchange that accepts everything holds exactly the one stop that is needed."""
    for new in (3000, 3001):
        standing = carried_out(plan(need, standing), standing, new)
    assert plan(need, standing) == StopPlan()
    assert len(standing) == 1
    assert covered(need, standing)
    assert not is_looser(need, standing[0].trigger, need.trigger)


@given(standing=STANDING)
def test_nothing_to_protect_leaves_nothing(standing: list[LiveStop]) -> None:
    """Every stop goes, and none is placed."""
    assert plan(None, standing) == StopPlan(cancel=tuple(stop.order_id for stop in standing))


@given(need=NEEDS, standing=STANDING.filter(lambda stops: len(stops) < 5))
def test_the_order_of_the_list_decides_nothing(
    need: RequiredStop, standing: list[LiveStop]
) -> None:
    """Two looks never choose different stops: two cancels under way would leave none."""
    answers = {
        (todo.place, frozenset(todo.cancel))
        for todo in (plan(need, order) for order in permutations(standing))
    }
    assert len(answers) == 1


@pytest.mark.parametrize(("is_short", "expected"), [(False, 99.5), (True, 98.0)])
def test_tightest(is_short: bool, expected: float) -> None:
    """Nearest to the price: the highest for a long, the lowest for a short."""
    assert tightest(is_short, 99.0, 99.5, 98.0) == expected


LARGE = replace(LONG, amount=2.5, largest=1.0)


@pytest.mark.parametrize(
    ("standing", "expected"),
    [
        ([], StopPlan(place=replace(LARGE, amount=1.0))),
        ([LiveStop("1", 1, 99)], StopPlan(place=replace(LARGE, amount=1.0))),
        ([LiveStop("1", 1, 99), LiveStop("2", 1, 99)], StopPlan(place=replace(LARGE, amount=0.5))),
        ([LiveStop("1", 1, 99), LiveStop("2", 1, 99), LiveStop("3", 0.5, 99)], StopPlan()),
        (
            [LiveStop("1", 1, 98), LiveStop("2", 1, 98), LiveStop("3", 0.5, 99)],
            StopPlan(place=replace(LARGE, amount=1.0)),
        ),
        (
            [LiveStop(str(n), 1, 99) for n in range(1, 5)],
            StopPlan(cancel=("1",)),
        ),
    ],
    ids=["naked", "first", "the rest", "enough", "moves up", "one too many"],
)
def test_a_position_larger_than_one_stop(standing: list[LiveStop], expected: StopPlan) -> None:
    """As many stops as it takes, each as large as one may be."""
    assert plan(LARGE, standing) == expected


@given(need=LIMITED, standing=STANDING)
def test_steps_lead_to_stops_that_cover(need: RequiredStop, standing: list[LiveStop]) -> None:
    """None is larger than allowed, none looser, and what covered before is cancelled last."""
    for new in range(3000, 3000 + parts(need) + 1):
        before = standing
        todo = plan(need, standing)
        assert todo.place is None or todo.place.amount <= need.largest
        standing = carried_out(todo, standing, new)
        assert covered(need, standing) or not covered(need, before)
    assert plan(need, standing) == StopPlan()
    assert covered(need, standing)
    assert all(not is_looser(need, stop.trigger, need.trigger) for stop in standing)


@given(need=LIMITED)
def test_no_more_stops_than_it_takes(need: RequiredStop) -> None:
    """From nothing on, the number of stops is the one that was foretold."""
    standing: list[LiveStop] = []
    while (todo := plan(need, standing)) != StopPlan():
        standing = carried_out(todo, standing, 3000 + len(standing))
    assert len(standing) == parts(need)
