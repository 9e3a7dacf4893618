"""The fixture of these tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.backtests.runs import Backtests


@pytest.fixture
def backtests(tmp_path: Path) -> Iterator[Backtests]:
    """A folder to backtest in."""
    with Backtests.opened(tmp_path) as opened:
        yield opened
