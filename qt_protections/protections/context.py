"""What the guard tells its protections; it rides in their configuration."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from freqtrade.exceptions import ConfigurationError

from qt_protections.market.trends import Market
from qt_protections.settings import Settings

KEY = "context"


@dataclass(frozen=True, slots=True)
class ProtectionContext:
    """The guard's view of the world, as protections may read it.

    Attributes:
        settings: The settings in force.
        market: The trends.
        entries_held: Gives the entries that the symbol of a pair holds.
        live: Whether locks are wanted. Backtests gate the signals themselves: a lock a candle
            would make them quadratic, because every entry check scans all locks.
    """

    settings: Settings
    market: Market
    entries_held: Callable[[str], int]
    live: bool


def context_of(protection_config: Mapping[str, object]) -> ProtectionContext:
    """Return the context a protection was configured with.

    Raises:
        ConfigurationError: If it was listed by hand, without the guard.
    """
    context = protection_config.get(KEY)
    if not isinstance(context, ProtectionContext):
        raise ConfigurationError(
            f"{protection_config['method']} works under QTGuard only: leave it out of the "
            "`protections` list and write `class Mine(QTGuard, MyStrategy): pass`, which adds it."
        )
    return context
