"""Fixtures of all tests."""

import gc
import os
from collections.abc import Iterator

import hypothesis
import psutil
import pytest
from fastapi.dependencies import models

# What is generated depends on no clock: a busy machine fails nothing by being slow.
_UNHURRIED = hypothesis.settings(
    deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.register_profile("unhurried", _UNHURRIED)
hypothesis.settings.register_profile("nightly", _UNHURRIED, max_examples=10_000)
hypothesis.settings.load_profile("unhurried")

#: Bytes by which a test run may grow before what it dropped is collected by hand.
_GROWTH = 400 * 2**20
_process = psutil.Process()
_after_collection = [0]


def pytest_xdist_auto_num_workers() -> int:
    """Return a worker more than cores: tests of live bots wait a third of their time."""
    return len(os.sched_getaffinity(0)) + 1


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
