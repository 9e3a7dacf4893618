"""The lock under which Freqtrade changes trades: found for the guard, and held by reloads too."""

from collections.abc import Sequence
from threading import Lock, get_ident
from typing import Any

from freqtrade import __version__ as freqtrade_version
from freqtrade.data.dataprovider import DataProvider
from freqtrade.persistence import Trade

from qt_protections.errors import GuardNotInstalled
from qt_protections.host.versions import WAY_OUT

#: The way from what a strategy knows to its bot, and to the lock that the bot changes trades under.
_TO_THE_BOT = ("_DataProvider__rpc", "_rpc", "_freqtrade")
_TO_THE_LOCK = (*_TO_THE_BOT, "_exit_lock")


def exit_lock(dp: DataProvider) -> Lock:
    """Return the lock under which a bot's loop and its remote control change trades.

    Not reentrant: Freqtrade holds the lock already when it fills, moves and exits.

    Raises:
        GuardNotInstalled: If this Freqtrade has no such lock, or keeps it elsewhere.
    """
    found = _follow(dp, _TO_THE_LOCK)
    if not (hasattr(found, "acquire") and hasattr(found, "release")):
        raise GuardNotInstalled(
            f"Freqtrade {freqtrade_version} keeps the lock of its trades elsewhere: there is no "
            f"{'.'.join(('DataProvider', *_TO_THE_LOCK))}. Without this lock, the guard and remote "
            f"control could change one trade at once. {WAY_OUT}"
        )
    lock: Lock = found
    return lock


def lock_reloads(dp: DataProvider) -> None:
    """Have `/reload_trade` hold the bot's lock, as every other command that changes a trade does.

    Freqtrade takes no lock there. A stop that fills meanwhile is then booked by two threads at
    once, and one of them fails. The loop calls the same function with the lock held already.

    Args:
        dp: Of a bot whose lock was found; the caller's thread is the one of the bot's loop.
    """
    bot = _follow(dp, _TO_THE_BOT)
    reload, loops_thread = bot.handle_onexchange_order, get_ident()

    def reload_locked(trade: Trade) -> bool:
        if get_ident() == loops_thread:
            return bool(reload(trade))
        trade_id = trade.id
        with bot._exit_lock:
            Trade.commit()  # this thread reads anew what the loop has written meanwhile
            known = Trade.get_trades([Trade.id == trade_id]).first()
            return known is None or bool(reload(known))  # True says that the trade was deleted

    bot.handle_onexchange_order = reload_locked


def _follow(start: object, attributes: Sequence[str]) -> Any:
    """Return what a chain of attributes leads to; None where the chain is broken."""
    for attribute in attributes:
        start = getattr(start, attribute, None)
    return start
