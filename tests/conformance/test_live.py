"""A live run has the entries, exits and reasons of the plain strategy, with every rule off.

Here the style that moves its stop by what it adds. `python -m tests.conformance.live` lives all.
"""

import pytest

from tests.conformance.live import all_strategies
from tests.conformance.lived import difference, lived

#: Minutes of the market: enough for a position that is added to twice.
STYLES, MINUTES = ["Pyramid"], 12


@pytest.mark.parametrize("name", STYLES)
def test_a_live_run_trades_like_the_plain_one(name: str) -> None:
    """Each trade with its orders, its stop and its reason."""
    (found,) = [each for each in all_strategies() if each.name == name]
    plain = lived(found, guarded=False, minutes=MINUTES)
    assert len(plain) >= 3
    assert difference(plain, lived(found, guarded=True, minutes=MINUTES)) is None
