"""At which price an entry fills, and which stop the spread alone would trigger."""

from collections.abc import Callable
from math import nan

import pytest
from freqtrade.enums import RunMode

from qt_protections.rules.denial import DenyCode
from qt_protections.rules.entries import ApprovedEntry
from qt_protections.rules.quote import Quote
from tests.entry.desk import BTC, Desk, entry

Make = Callable[..., Desk]


def priced(made: Desk, rate: float, *, is_short: bool) -> float:
    """Return the price at which an entry with a limit is judged."""
    return made.rules.sizer._book.at_fill(entry(rate=rate, is_short=is_short)).rate


@pytest.mark.parametrize(
    ("rate", "is_short", "fills_at"),
    [
        (99.0, False, 99.0),
        (103.0, False, 101.5),
        (103.0, True, 103.0),
        (98.0, True, 100.5),
    ],
    ids=[
        "a buy that rests",
        "a buy through the ask",
        "a sell that rests",
        "a sell through the bid",
    ],
)
def test_a_limit_through_the_book_fills_at_the_best_price(
    desk: Make, rate: float, is_short: bool, fills_at: float
) -> None:
    """Unless it rests: then its own is its price."""
    made = desk()
    made.stops.quotes[BTC] = Quote(100.5, 101.5)
    assert priced(made, rate, is_short=is_short) == fills_at


@pytest.mark.parametrize(("is_short", "own"), [(False, 100.01), (True, 100.0)])
def test_freqtrades_own_price_is_not_asked_about(desk: Make, is_short: bool, own: float) -> None:
    """It was read from the top of the book a moment ago; what somebody gave was not."""
    made = desk()
    made.stops.quotes[BTC] = Quote(110.0, 90.0)
    assert priced(made, own, is_short=is_short) == own
    assert made.stops.asked == []
    assert priced(made, own + 0.01, is_short=is_short) != own
    assert made.stops.asked == [BTC]


@pytest.mark.parametrize(("runmode", "asked"), [(RunMode.BACKTEST, []), (RunMode.DRY_RUN, [BTC])])
def test_without_a_book_an_entry_has_its_own_price(
    desk: Make, runmode: RunMode, asked: list[str]
) -> None:
    """Candles have none, nor has an exchange whose prices nobody watches."""
    made = desk(runmode)
    assert priced(made, 103.0, is_short=False) == 103.0
    assert made.stops.asked == asked


@pytest.mark.parametrize(
    ("quote", "code"),
    [
        (None, None),
        (Quote(100.0, 101.0), None),
        (Quote(100.0, 102.5), DenyCode.STOP_TOO_CLOSE),
        (Quote(100.0, 102.0), DenyCode.STOP_TOO_CLOSE),
        (Quote(nan, 101.0), DenyCode.SPREAD_UNKNOWN),
    ],
    ids=["no book", "narrow", "wide", "as wide as the stop", "not told"],
)
def test_a_stop_within_the_spread_is_refused(
    desk: Make, quote: Quote | None, code: DenyCode | None
) -> None:
    """No move at all would trigger it; and what nobody knows may be so wide."""
    made = desk()
    if quote is not None:
        made.stops.quotes[BTC] = quote
    allowed = ApprovedEntry(entry(), 100.0, 98.0, 1.0)
    denial = made.rules.sizer._book.check_spread(allowed)
    assert (None if denial is None else denial.code) is code
