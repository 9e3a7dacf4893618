"""Entries that somebody forces: how they are told from the bot's own, and why they go on."""

import threading

from qt_protections.rules.denial import Denial

#: The tag of a forced entry, unless whoever forces the entry gives another.
_FORCED = "force_entry"


class ForcedEntries:
    """Keeps the refusal of a forced entry until the order interceptor raises that refusal.

    Freqtrade has no words for an entry that ends before its order: "Failed to enter position". An
    exception of the order interceptor reaches whoever forced the entry, with its reason.
    """

    def __init__(self, *, live: bool) -> None:
        """Take the present thread for the thread of the bot's loop.

        Args:
            live: Whether orders reach an exchange: nobody forces the entries of a backtest.
        """
        self._live = live
        self._bot_thread = threading.get_ident()
        self._refused: dict[str, Denial] = {}

    def loop_begins(self) -> None:
        """Note the thread of the bot's loop: entries from another thread are forced."""
        self._bot_thread = threading.get_ident()

    def is_forced(self, tag: str | None) -> bool:
        """Whether somebody forces the entry that is asked for now.

        Args:
            tag: The entry's.
        """
        return self._live and (tag == _FORCED or threading.get_ident() != self._bot_thread)

    def goes_on(self, pair: str, tag: str | None, denial: Denial) -> bool:
        """Whether a refused entry goes on to the order interceptor, which raises the refusal."""
        if not self.is_forced(tag):
            return False
        self._refused[pair] = denial
        return True

    def take(self, pair: str) -> Denial | None:
        """Return the refusal that waits for a pair's entry, once; None without any."""
        return self._refused.pop(pair, None)
