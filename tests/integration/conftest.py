"""Fixtures of the tests that run Freqtrade itself."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from qt_protections.rehearsal.conditional import FlatStops
from tests.integration.rig import Rig


@pytest.fixture
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    """An exchange in an uptrend; parametrise indirectly with another scenario's name."""
    scenario = getattr(request, "param", "uptrend")
    with Rig(tmp_path, scenario, FlatStops.ACCEPT) as opened:
        yield opened
