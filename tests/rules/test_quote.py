"""Where an order of a limit fills."""

from math import nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qt_protections.rules.quote import Quote

BOOK = Quote(99.0, 100.0)
PRICES = st.floats(0.01, 1e6)


@pytest.mark.parametrize(
    ("quote", "rate", "is_short", "fills_at"),
    [
        (BOOK, 101.0, False, 100.0),
        (BOOK, 100.0, False, 100.0),
        (BOOK, 99.5, False, 99.5),
        (BOOK, 90.0, False, 90.0),
        (BOOK, 98.0, True, 99.0),
        (BOOK, 99.0, True, 99.0),
        (BOOK, 99.5, True, 99.5),
        (BOOK, 110.0, True, 110.0),
        (Quote(nan, nan), 101.0, False, 101.0),
        (Quote(nan, nan), 98.0, True, 98.0),
        (Quote(99.0, 100.0, is_old=True), 101.0, False, 101.0),
        (Quote(99.0, 100.0, is_old=True), 98.0, True, 98.0),
    ],
)
def test_fill_price(quote: Quote, rate: float, is_short: bool, fills_at: float) -> None:
    """At the best price if that is better; prices that are not known change nothing."""
    assert quote.fill_price(rate, is_short=is_short) == fills_at


@pytest.mark.parametrize(
    ("rate", "is_short", "fills_at"),
    [(100.9, False, 100.9), (101.5, False, 100.0), (98.1, True, 98.1), (97.5, True, 99.0)],
)
def test_a_slack_leaves_an_order_its_own_price(
    rate: float, is_short: bool, fills_at: float
) -> None:
    """As the imitation of an exchange does, up to 1 % through the book."""
    assert BOOK.fill_price(rate, is_short=is_short, slack=0.01) == fills_at


@given(rate=PRICES, bid=PRICES, width=st.floats(0.0, 0.1), is_short=st.booleans())
def test_no_order_fills_at_a_worse_price_than_its_own(
    rate: float, bid: float, width: float, is_short: bool
) -> None:
    """And none at a better one than the best."""
    quote = Quote(bid, bid * (1 + width))
    price = quote.fill_price(rate, is_short=is_short)
    assert price >= max(rate, quote.bid) if is_short else price <= min(rate, quote.ask)
    assert price in {rate, quote.bid if is_short else quote.ask}
