"""Fixtures of the tests that run Freqtrade itself."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.rig import Rig, held_market


@pytest.fixture
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    """An exchange in an uptrend; parametrise indirectly with another scenario's name."""
    scenario = getattr(request, "param", "uptrend")
    with Rig(tmp_path, held_market(scenario)) as opened:
        yield opened


@pytest.fixture
def same(rig: Rig) -> dict[str, Any]:
    """The configuration of every start of one bot."""
    return {"db_url": f"sqlite:///{rig.folder / 'trades.sqlite'}"}
