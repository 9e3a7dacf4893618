"""The queue of a resting order."""

from decimal import Decimal

import pytest

from qt_protections.rehearsal.engine.resting import queued_volume, size_ahead
from qt_protections.rehearsal.market.book import Level, Side

BIDS = [Level(Decimal(price), Decimal(size)) for price, size in ((100, 1), (98, 2), (95, 3))]
ASKS = [Level(Decimal(price), Decimal(size)) for price, size in ((101, 1), (103, 2), (106, 3))]


@pytest.mark.parametrize(
    ("side", "price", "ahead"),
    [
        (Side.BUY, "100.5", 0),
        (Side.BUY, "100", 1),
        (Side.BUY, "99", 2),
        (Side.BUY, "98", 2),
        (Side.BUY, "97", 3),
        (Side.BUY, "95", 3),
        (Side.BUY, "1", 3),
        (Side.SELL, "100.5", 0),
        (Side.SELL, "101", 1),
        (Side.SELL, "102", 2),
        (Side.SELL, "900", 3),
    ],
    ids=str,
)
def test_size_ahead(side: Side, price: str, ahead: int) -> None:
    """An order stands behind what is at its price, or at the next worse level."""
    levels = BIDS if side is Side.BUY else ASKS
    assert size_ahead(levels, Decimal(price), side) == ahead


def test_an_empty_book_has_no_queue() -> None:
    """Nobody stands before the first."""
    assert size_ahead([], Decimal(1), Side.BUY) == 0


@pytest.mark.parametrize(("volume", "served"), [("0", "0"), ("1", "0.5"), ("0.003", "0.001")])
def test_half_of_the_volume_serves(volume: str, served: str) -> None:
    """Half of what a tick trades serves the queue, in whole steps."""
    assert queued_volume(Decimal(volume), Decimal("0.001")) == Decimal(served)
