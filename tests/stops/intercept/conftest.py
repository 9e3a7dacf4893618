"""What the tests of the interceptors share."""

from collections.abc import Iterator

import pytest
from freqtrade.persistence import Trade, init_db

from tests.stops.guards import Guards, guards
from tests.stops.reconciliation.test_trade_writer import trade as new_trade


@pytest.fixture
def on_paper() -> Guards:
    """A manager without the stream: Freqtrade's loop comes first."""
    return guards()


@pytest.fixture
def database() -> Iterator[None]:
    """An empty one, as the bot has opened it."""
    init_db("sqlite://")
    yield
    Trade.session.remove()


@pytest.fixture
def trade(database: None) -> Trade:
    """An open long of one, in a database."""
    made = new_trade(100.0, 0.1, 10.0, is_short=False)
    made.stop_loss = 98.0
    Trade.session.add(made)
    Trade.commit()
    return made
