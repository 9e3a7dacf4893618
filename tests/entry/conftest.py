"""What the tests of entries share."""

from collections.abc import Callable, Iterator
from functools import partial

import pytest
from freqtrade.persistence import LocalTrade, PairLocks, Trade

from tests.entry.desk import Desk


@pytest.fixture
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Desk]]:
    """Make desks, and leave Freqtrade's trades and locks as a test found them."""
    yield partial(Desk, tmp_path_factory.getbasetemp())
    if Trade.use_db:
        Trade.session.rollback()
        Trade.session.remove()
    Trade.use_db = PairLocks.use_db = True
    LocalTrade.reset_trades()
    PairLocks.reset_locks()
