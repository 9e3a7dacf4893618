"""Fixtures of all tests."""

import gc
from collections.abc import Iterator, Sequence

import psutil
import pytest
from fastapi.dependencies import models

from qt_protections.rules.cover import Mend, Need, Standing
from qt_protections.stops import desk, keeper

#: Bytes by which a test run may grow before what it dropped is collected by hand.
_GROWTH = 400 * 2**20
_process = psutil.Process()
_after_collection = [0]


@pytest.fixture
def counted_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let several stops cover a position together, whatever their triggers."""

    def covered(need: Need, standing: Sequence[Standing]) -> bool:
        return sum(stop.amount for stop in standing) >= need.amount * (1 - 1e-9)

    def mend(need: Need | None, standing: Sequence[Standing]) -> Mend:
        if need is None:
            return Mend(cancel=tuple(stop.order_id for stop in standing))
        return Mend() if covered(need, standing) else Mend(place=need)

    monkeypatch.setattr(desk, "covered", covered)
    monkeypatch.setattr(keeper, "covered", covered)
    monkeypatch.setattr(keeper, "mend", mend)


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    """Let an exchange go with its test, and with it years of candles.

    FastAPI remembers every route it has looked at, and a route knows its venue. What is left are
    cycles of few objects, if large ones, for which the collector does not come by itself.
    """
    yield
    for cached in vars(models).values():
        if hasattr(cached, "cache_clear"):
            cached.cache_clear()
    if _process.memory_info().rss - _after_collection[0] > _GROWTH:
        gc.collect()
        _after_collection[0] = _process.memory_info().rss
