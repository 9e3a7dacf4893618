"""Entry gates, risk sizing and exchange-side stops for any Freqtrade strategy."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qt_protections.entry.own_rules import EntryRule, ProposedEntry
    from qt_protections.guard import QTGuard
    from qt_protections.rules.denial import Denial, deny

__all__ = ["Denial", "EntryRule", "ProposedEntry", "QTGuard", "__version__", "deny"]

__version__ = "0.1.0"

#: Where the public names stand. Most of their modules load Freqtrade, which takes seconds.
_HOMES = {
    "Denial": "rules.denial",
    "EntryRule": "entry.own_rules",
    "ProposedEntry": "entry.own_rules",
    "QTGuard": "guard",
    "deny": "rules.denial",
}


def __getattr__(name: str) -> Any:
    """Load a public name when it is asked for: `qt-guard --help` does without Freqtrade."""
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
