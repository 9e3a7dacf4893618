"""The guard's locks: asked for every candle, and told from everybody else's."""

from collections.abc import Iterable
from datetime import datetime

from freqtrade.constants import Config
from freqtrade.persistence import PairLocks
from freqtrade.persistence.pairlock import PairLock
from freqtrade.plugins.protectionmanager import ProtectionManager
from freqtrade.resolvers import ProtectionResolver

from qt_protections.errors import GuardNotInstalled
from qt_protections.protections import FOLDER
from qt_protections.protections.context import KEY, ProtectionContext
from qt_protections.rules.denial import Denial, DenyCode, deny

GLOBAL_REGIME = "QtGlobalRegime"
SYMBOL_STACKING = "QtSymbolStacking"

#: Config key Freqtrade's loader is told to read the folder from.
FOLDER_KEY = "qt_protections_folder"


def protection_list(context: ProtectionContext, config: Config) -> list[dict[str, object]]:
    """Return the guard's protections, for the `protections` of a strategy.

    Args:
        context: What they may know of the guard.
        config: The bot's configuration. Whoever loads the list next finds the package through it,
            in this process or in a worker of hyperopt's.

    Raises:
        GuardNotInstalled: If another plugin has taken the loader's extension point.
    """
    register(config)
    return [{"method": method, KEY: context} for method in (GLOBAL_REGIME, SYMBOL_STACKING)]


def register(config: Config) -> None:
    """Point Freqtrade's protection loader at the installed package.

    `extra_path` is the loader's own extension point (strategies use it for `strategy_path`); it is
    unset for protections.

    Raises:
        GuardNotInstalled: If another plugin has taken it.
    """
    if ProtectionResolver.extra_path not in (None, FOLDER_KEY):
        raise GuardNotInstalled(
            f"another plugin loads protections from {ProtectionResolver.extra_path!r}; "
            "Freqtrade allows for one. Remove the other plugin."
        )
    ProtectionResolver.extra_path = FOLDER_KEY
    config[FOLDER_KEY] = str(FOLDER)


def ask(manager: ProtectionManager, pairs: Iterable[str], now: datetime) -> None:
    """Let the protections lock what they want locked now, not only when a trade closes."""
    manager.global_stop(now=now, side="short")
    for pair in pairs:
        manager.stop_per_pair(pair, now=now)


def release(now: datetime) -> None:
    """Release the guard's locks of an earlier run, whose settings may have been others."""
    reasons = {lock.reason or "" for lock in PairLocks.get_pair_locks(None, now)}
    for reason in reasons:
        if _is_ours(reason, (GLOBAL_REGIME, SYMBOL_STACKING)):
            PairLocks.unlock_reason(reason, now)


def count(now: datetime) -> int:
    """Return how many locks of the guard's stand at `now` (UTC)."""
    names = (GLOBAL_REGIME, SYMBOL_STACKING)
    return sum(_is_ours(lock.reason or "", names) for lock in PairLocks.get_pair_locks(None, now))


def only_regime_locks(pair: str, until: datetime, side: str) -> bool:
    """Whether nothing but the global regime locks the pair's side at `until` (UTC)."""
    return all(
        _is_ours(lock.reason or "", (GLOBAL_REGIME,)) for lock in _standing(pair, until, side)
    )


def denial(pair: str, now: datetime, *, is_short: bool) -> Denial | None:
    """Return the refusal of an entry on a pair that somebody else's lock stands on.

    The guard's own locks say what its rules said when they were set; the rules are asked anew.
    """
    side = "short" if is_short else "long"
    for lock in _standing(pair, now, side):
        if not _is_ours(lock.reason or "", (GLOBAL_REGIME, SYMBOL_STACKING)):
            until, reason = lock.lock_end_time, lock.reason or "no reason given"
            return deny(
                DenyCode.PAIR_LOCKED,
                f"locked until {until:%Y-%m-%d %H:%M} UTC: {reason} (/unlock {lock.id})",
                until=until,
                reason=reason,
                lock_id=lock.id,
            )
    return None


def _standing(pair: str, now: datetime, side: str) -> list[PairLock]:
    return [
        *PairLocks.get_pair_locks(pair, now, side),
        *PairLocks.get_pair_locks("*", now, side),
    ]


def _is_ours(reason: str, names: tuple[str, ...]) -> bool:
    return reason.startswith(tuple(f"{name}:" for name in names))
