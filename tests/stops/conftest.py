"""What several tests of the stops begin with."""

from collections.abc import Iterator

import pytest
from freqtrade.persistence import Trade

from tests.patience import PATIENCE_S
from tests.stops.hand_clock import HandClock
from tests.stops.stream_house import House, Pulse, open_house


@pytest.fixture(autouse=True)
def _threads_may_be_slow_to_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """No warning that one has not ended yet, as long as it does."""
    monkeypatch.setattr("qt_protections.stops.venue.binance.user_stream.STOP_S", PATIENCE_S)


@pytest.fixture
def house() -> Iterator[House]:
    """An open exchange without faults."""
    with open_house() as opened:
        yield opened


@pytest.fixture
def pulse(monkeypatch: pytest.MonkeyPatch) -> Pulse:
    """The clock of the lines, in hand: none is lost because a machine is slow."""
    made = Pulse()
    made.take(monkeypatch)
    return made


@pytest.fixture
def clock() -> Iterator[HandClock]:
    """In place of every clock."""
    with HandClock().in_place() as placed:
        yield placed
        Trade.session.rollback()
        Trade.session.remove()
