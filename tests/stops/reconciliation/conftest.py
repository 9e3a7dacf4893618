"""A whole bot on paper, for what only shows between Freqtrade's trades and the exchange."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.stops.hand_clock import HandClock
from tests.stops.lives import quiet
from tests.stops.minutes import Minutes


@pytest.fixture
def minutes(tmp_path: Path, clock: HandClock) -> Iterator[Minutes]:
    """A bot that hears everything, and whose stops stand before their entries."""
    with quiet(tmp_path):
        yield Minutes(tmp_path, clock)


@pytest.fixture
def following(tmp_path: Path, clock: HandClock) -> Iterator[Minutes]:
    """A bot that hears everything, and whose stops follow the fills of their entries."""
    with quiet(tmp_path):
        yield Minutes(tmp_path, clock, "on_fill")
