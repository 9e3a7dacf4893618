"""A monotonic clock that a test moves by hand."""

import importlib
import pkgutil
import time

import pytest

import qt_protections.stops


class HandClock:
    """Seconds since the test began; they pass when the test says so."""

    def __init__(self) -> None:
        self._now_s = 1000.0

    def __call__(self) -> float:
        return self._now_s

    def pass_s(self, seconds: float) -> None:
        """Let time pass."""
        self._now_s += seconds


def hand_clock(monkeypatch: pytest.MonkeyPatch) -> HandClock:
    """Give every module of `stops` that reads the monotonic clock one that is moved by hand."""
    clock = HandClock()
    for found in pkgutil.walk_packages(qt_protections.stops.__path__, "qt_protections.stops."):
        module = importlib.import_module(found.name)
        if vars(module).get("monotonic") is time.monotonic:
            monkeypatch.setattr(module, "monotonic", clock)
    return clock
