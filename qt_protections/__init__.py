"""Entry gates, risk sizing and exchange-side stops for any Freqtrade strategy."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qt_protections.guard import QTGuard

__all__ = ["QTGuard", "__version__"]

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Load the guard when it is asked for: it takes Freqtrade, and `qt-guard --help` does not."""
    if name == "QTGuard":
        from qt_protections.guard import QTGuard  # noqa: PLC0415

        return QTGuard
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
