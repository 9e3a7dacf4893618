"""The strategies of `PlainBacktests`, guarded."""

from benchmarks.strategies.PlainBacktests import PlainFew, PlainMany, PlainUsual
from qt_protections.guard import QTGuard


class GuardedMany(QTGuard, PlainMany):
    """PlainMany, guarded."""


class GuardedFew(QTGuard, PlainFew):
    """PlainFew, guarded."""


class GuardedUsual(QTGuard, PlainUsual):
    """PlainUsual, guarded."""
