"""How many entries a symbol may hold, and where another one stands to its position."""

import math

import pytest

from qt_protections.rules.denial import DenyCode
from qt_protections.rules.stacking import StackingLimit, StackingRule


@pytest.mark.parametrize(
    ("held", "denied"), [(0, False), (1, False), (2, True), (3, True)], ids=str
)
def test_limit(held: int, denied: bool) -> None:
    """The entry that would exceed the limit is refused."""
    denial = StackingLimit(2).check(held)
    assert (denial is not None and denial.code is DenyCode.SYMBOL_FULL) is denied


@pytest.mark.parametrize(
    ("rate", "far"), [(100.0, False), (100.49, False), (100.5, True), (99.5, True), (99.6, False)]
)
def test_distance(rate: float, far: bool) -> None:
    """Half an R of 1 from the last entry, either way."""
    assert StackingRule(0.5).is_far_enough(rate, 100.0, 1.0) is far


@pytest.mark.parametrize(
    ("rate", "is_short", "down"),
    [
        (101.0, False, False),
        (99.95, False, False),
        (99.8, False, True),
        (100.2, True, True),
        (100.05, True, False),
        (99.0, True, False),
    ],
)
def test_averaging_down(rate: float, is_short: bool, down: bool) -> None:
    """Beyond a tenth of R on the losing side of the average."""
    assert StackingRule(0.5).averages_down(rate, 100.0, 1.0, is_short=is_short) is down


@pytest.mark.parametrize("unknown", ["rate", "average", "one_r"])
def test_what_is_not_known_averages_down(unknown: str) -> None:
    """The stricter limit counts, and no signal that repeats is far enough."""
    known = {"rate": 101.0, "average": 100.0, "one_r": 1.0} | {unknown: math.nan}
    rule = StackingRule(0.5)
    assert rule.averages_down(**known, is_short=False)
    assert not rule.is_far_enough(known["rate"], known["average"], known["one_r"])
