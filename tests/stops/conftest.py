"""What several tests of the stops begin with."""

from collections.abc import Iterator

import pytest

from tests.stops.stream_house import House, open_house


@pytest.fixture
def house() -> Iterator[House]:
    """An open exchange without faults."""
    with open_house() as opened:
        yield opened
