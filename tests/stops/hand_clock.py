"""A clock moved by hand, in place of every clock the stops and Freqtrade read.

Modules hold `monotonic` and `time` by name, classes as a default: each is found by searching, so
that a new module is on the hand-held clock by itself.
"""

import importlib
import inspect
import pkgutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from functools import lru_cache
from types import CellType, FunctionType, ModuleType
from typing import Any
from unittest.mock import patch

import time_machine

from qt_protections import stops

#: Freqtrade's modules that wait.
_THAT_WAIT = ("freqtrade.exchange.common", "freqtrade.freqtradebot")
#: The longest the clock moves at once, in seconds.
_STEP_S = 0.5
_BEGIN = datetime(2026, 6, 1, 12, tzinfo=UTC)
_MONOTONIC, _SLEEP = time.monotonic, time.sleep


class HandClock:
    """Monotonic and wall clock in one.

    Attributes:
        now: Seconds, the monotonic clock.
        passing: Called after each move, with the world as of then.
    """

    def __init__(self) -> None:
        self.now = 1000.0
        self.passing: Callable[[], None] = lambda: None
        self._wall: time_machine.Coordinates | None = None

    def monotonic(self) -> float:
        """Return the time as `time.monotonic` does."""
        return self.now

    def now_ms(self) -> int:
        """Return the wall clock, epoch milliseconds."""
        return int(_BEGIN.timestamp() * 1000 + (self.now - 1000.0) * 1000)

    def sleep(self, seconds: float) -> None:
        """Move on: whoever waits on this clock has waited, and what is due meanwhile happens."""
        until = self.now + seconds
        while (step := min(_STEP_S, until - self.now)) > 0:
            self.now += step
            if self._wall is not None:
                self._wall.shift(step)
            self.passing()

    def __getattr__(self, name: str) -> Any:
        return getattr(time, name)  # stands in for the module as well

    @contextmanager
    def in_place(self) -> Iterator["HandClock"]:
        """Take the place of the clocks."""
        with ExitStack() as stack:
            self._wall = stack.enter_context(time_machine.travel(_BEGIN, tick=False))
            for module in (*_modules(), *map(importlib.import_module, _THAT_WAIT)):
                for name, stand_in in self._stand_ins(module):
                    stack.enter_context(patch.object(module, name, stand_in))
            for init in _inits():
                self._into(stack, init)
            yield self
            self._wall = None

    def _stand_ins(self, module: ModuleType) -> Iterator[tuple[str, object]]:
        for name, value in list(vars(module).items()):
            if (found := self._for(value)) is not None:
                yield name, found

    def _for(self, value: object) -> object:
        """Return what takes the place of a clock; None for anything else."""
        if value is time:
            return self
        if value is _MONOTONIC:
            return self.monotonic
        return self.sleep if value is _SLEEP else None

    def _into(self, stack: ExitStack, init: FunctionType) -> None:
        """Replace the clocks among the defaults of an `__init__`, a dataclass's own too."""
        for cell in init.__closure__ or ():
            before = _content(cell)
            if (found := self._for(before)) is not None:
                cell.cell_contents = found
                stack.callback(setattr, cell, "cell_contents", before)
        defaults = init.__defaults__ or ()
        if any(self._for(value) is not None for value in defaults):
            init.__defaults__ = tuple(self._for(value) or value for value in defaults)
            stack.callback(setattr, init, "__defaults__", defaults)


@lru_cache
def _modules() -> list[ModuleType]:
    found = pkgutil.walk_packages(stops.__path__, f"{stops.__name__}.")
    return [importlib.import_module(module.name) for module in found]


def _inits() -> Iterator[FunctionType]:
    for module in _modules():
        for _, made in inspect.getmembers(module, inspect.isclass):
            init = vars(made).get("__init__")
            if made.__module__ == module.__name__ and isinstance(init, FunctionType):
                yield init


def _content(cell: CellType) -> object:
    try:
        return cell.cell_contents
    except ValueError:
        return None
