"""A live run has the entries, exits and reasons of the plain strategy, with every rule off.

Here a few styles for a few minutes. `python -m tests.conformance.live` lives all for half an hour.
"""

from dataclasses import replace

import pytest

from tests.conformance.live import all_strategies
from tests.conformance.lived import Lived, difference, lived

pytestmark = pytest.mark.long

#: Entries that are replaced, exits by what the strategy says, further entries that move the stop,
#: and stops that fire.
STYLES = ["AdjustOrder", "ExitReasons", "Pyramid", "TightStop"]
#: Of the market: enough for each to trade three times.
MINUTES = 10

TRADE = Lived("00:21", "BTC/USDT:USDT", "long", None, 1.0, 95.0, "00:30", "roi", ())


@pytest.mark.parametrize("name", STYLES)
def test_a_live_run_trades_like_the_plain_one(name: str) -> None:
    """Each trade with its orders, its stop and its reason."""
    (found,) = [each for each in all_strategies() if each.name == name]
    plain = lived(found, guarded=False, minutes=MINUTES)
    assert len(plain) >= 3
    assert difference(plain, lived(found, guarded=True, minutes=MINUTES)) is None


def test_what_differs_is_named() -> None:
    """By trade and field; a tick is no difference, and one trade more is one."""
    assert difference([TRADE], [replace(TRADE, stop=95.001)]) is None
    told = difference([TRADE], [replace(TRADE, stop=94.0, reason="stop_loss")])
    assert told == (
        "long BTC/USDT:USDT of 00:21: stop 95.0 plain, 94.0 guarded; "
        "reason 'roi' plain, 'stop_loss' guarded"
    )
    assert difference([TRADE], []) == "1 trades plain, 0 guarded"
    bought = (("buy", 1.0, 100.0, None),)
    assert difference([TRADE], [replace(TRADE, orders=bought)]) is not None
