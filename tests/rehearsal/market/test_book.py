"""The order book: spread, steps, and the price of size."""

from decimal import Decimal
from itertools import islice, pairwise

import pytest

from qt_protections.rehearsal.market.book import Side, ladder, take
from qt_protections.rehearsal.market.instruments import INSTRUMENTS, Instrument


def last_price(item: Instrument) -> Decimal:
    """Return the reference price on the tick."""
    return Decimal(str(item.reference_price)).quantize(item.tick)


@pytest.mark.parametrize("item", INSTRUMENTS, ids=lambda item: item.symbol)
class TestEveryContract:
    """Rules that hold for each contract's book."""

    def test_spread(self, item: Instrument) -> None:
        """Bid and ask stand around the last price, at least 0.01 % apart, at most 0.03 %."""
        last = last_price(item)
        bid, ask = (next(ladder(item, last, side)).price for side in (Side.SELL, Side.BUY))
        assert bid < last < ask
        assert Decimal("0.0001") <= ask / bid - 1 <= Decimal("0.0003")

    def test_levels_are_sound(self, item: Instrument) -> None:
        """Levels get worse step by step and stay on tick and step."""
        for side in Side:
            levels = list(islice(ladder(item, last_price(item), side), 100))
            steps = {(b.price - a.price) * side.sign > 0 for a, b in pairwise(levels)}
            assert steps == {True}
            assert all(not level.price % item.tick for level in levels)
            assert all(not level.quantity % item.step for level in levels)

    @pytest.mark.parametrize(("usdt", "most"), [(3_000, 2.5), (30_000, 4.0)])
    def test_slippage(self, item: Instrument, usdt: int, most: float) -> None:
        """A market order of usual size fills a few basis points from the last price at most."""
        last = last_price(item)
        quantity = Decimal(usdt) / last // item.step * item.step
        fills = take(ladder(item, last, Side.BUY), quantity, None, Side.BUY)
        paid = sum(level.price * level.quantity for level in fills)
        assert sum(level.quantity for level in fills) == quantity
        assert 0 < float(paid / quantity / last - 1) * 1e4 <= most


@pytest.mark.parametrize(
    ("side", "limit"), [(Side.BUY, "95020"), (Side.SELL, "94980")], ids=["buy", "sell"]
)
def test_limit_is_respected(side: Side, limit: str) -> None:
    """No fill is worse than the limit, and the rest stays unfilled."""
    item, last = INSTRUMENTS[0], Decimal(95_000)
    fills = take(ladder(item, last, side), Decimal(50), Decimal(limit), side)
    assert fills
    assert all((level.price - Decimal(limit)) * side.sign <= 0 for level in fills)
    assert sum(level.quantity for level in fills) < 50


def test_book_has_an_end() -> None:
    """An order larger than the book comes back incomplete."""
    item, last = INSTRUMENTS[4], Decimal(14)
    fills = take(ladder(item, last, Side.BUY), Decimal(10**9), None, Side.BUY)
    assert 0 < sum(level.quantity for level in fills) < 10**9
