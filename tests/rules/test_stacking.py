"""One symbol holds so many entries and no more."""

import pytest

from qt_protections.rules.stacking import StackingLimit
from qt_protections.rules.verdict import DenyCode


@pytest.mark.parametrize(
    ("held", "denied"),
    [(0, False), (1, False), (2, True), (7, True)],
    ids=["empty", "below", "at-limit", "beyond"],
)
def test_limit(held: int, denied: bool) -> None:
    """The entry that would exceed the limit is refused."""
    denial = StackingLimit(2).check(held)
    assert (denial is not None and denial.code is DenyCode.SYMBOL_FULL) is denied
