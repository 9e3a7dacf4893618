"""Fixtures of the tests that run Freqtrade itself."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine

from tests.integration.rig import Rig, held_market

#: The longest candle a bot of these tests looks at, and what divides the times of funding.
_CANDLE = timedelta(hours=4)


@pytest.fixture(scope="module", autouse=True)
def quiet_hour() -> Iterator[None]:
    """Begin each module a minute after a candle did: none but the shortest turns in a test.

    The clock ticks on from there. Around the turn of a regime's candle its lock is not set yet, and
    around midnight funding is charged. Real commands, processes of their own, keep the real time.
    """
    now = datetime.now(UTC)
    since_candle = (now - datetime(2000, 1, 1, tzinfo=UTC)) % _CANDLE
    with time_machine.travel(now - since_candle + timedelta(minutes=1), tick=True):
        yield


@pytest.fixture
def real_time() -> Iterator[None]:
    """The time of day as processes of their own have it; to be asked for before an exchange."""
    with time_machine.travel(time_machine.escape_hatch.time.time(), tick=True):
        yield


@pytest.fixture(autouse=True)
def each_loop_compares(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have each loop ask for all lists: a test's loops follow each other at once.

    Tests of when to ask are marked `own_pace`.
    """
    if "own_pace" not in request.keywords:
        for pace in ("POSITIONS_S", "UNSETTLED_S", "UNHEARD_S", "STOPS_S", "PRICES_S", "SPREADS_S"):
            monkeypatch.setattr(f"qt_protections.stops.reconciliation.schedule.{pace}", 0.0)


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
