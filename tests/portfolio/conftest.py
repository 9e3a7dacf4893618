"""What the tests of the portfolio share."""

from collections.abc import Callable, Iterator
from functools import partial

import pytest

from tests.entry.desk import Desk, put_back


@pytest.fixture
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Desk]]:
    """Make desks, and leave Freqtrade's trades and locks as a test found them."""
    yield partial(Desk, tmp_path_factory.getbasetemp())
    put_back()
