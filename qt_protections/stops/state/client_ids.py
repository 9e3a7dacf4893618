r"""Client ids: the name an order has before the exchange gives it one.

An id says whose order it is and what it protects, so that a lost answer is settled by asking for
it, and a stop that outlived its bot is known to the next start. Binance takes 1 to 36 characters of
``^[\.A-Z\:/a-z0-9_-]{1,36}$``: ``qt`` + bot + ``-`` + role + symbol + ``-`` + time and count.
"""

import hashlib
import itertools
import re
import time
from collections import deque
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np

from qt_protections.rules.pairs import symbol_of

_LONGEST_SYMBOL = 16
#: How many ids are remembered as this run's. A stop with an older one is treated as an earlier
#: run's, which only ever stands longer.
_REMEMBERED = 4096
_SQLITE_FILE = "sqlite:///"
_PATTERN = re.compile(r"qt([0-9a-f]{4})-([ESTXL])([A-Z0-9_]+)-[0-9A-Z]+")


class Role(StrEnum):
    """What an order is for."""

    ENTRY = "E"
    STOP = "S"
    TRAILING = "T"
    EMERGENCY_CLOSE = "X"
    EXIT = "L"


@dataclass(frozen=True, slots=True)
class Name:
    """What a client id says."""

    bot: str
    role: Role
    symbol: str


def identity(bot_name: str, db_url: str) -> str:
    """Return the hash a bot is told by: of its name and the database of its trades.

    Args:
        bot_name: From the configuration; two bots in two containers may differ in no more.
        db_url: The same. By default every bot has the same one, relative to its folder.
    """
    return hashlib.sha256(f"{bot_name}\n{_absolute(db_url)}".encode()).hexdigest()[:4]


class Namer:
    """Gives the orders of one bot their client ids; ids never repeat, whatever the clock does."""

    def __init__(self, bot_name: str, db_url: str) -> None:
        """Take what makes the bot's `identity`."""
        self.bot = identity(bot_name, db_url)
        self._count = itertools.count()
        self._issued: deque[str] = deque(maxlen=_REMEMBERED)

    def new(self, role: Role, pair: str) -> str:
        """Return a client id nobody has used; pair in Freqtrade's notation."""
        symbol = re.sub("[^A-Z0-9_]", "", symbol_of(pair).upper())[:_LONGEST_SYMBOL]
        stamp = np.base_repr(time.time_ns() // 1_000_000, 36)
        count = f"{np.base_repr(next(self._count) % 1296, 36):0>2}"
        name = f"qt{self.bot}-{role}{symbol}-{stamp}{count}"
        self._issued.append(name)
        return name

    def is_of_this_run(self, client_id: str | None) -> bool:
        """Whether this object gave the id; it remembers the last thousands."""
        return client_id in self._issued

    def mine(self, client_id: str | None) -> Name | None:
        """Return what an id of this bot says; None if it is another's."""
        name = parse(client_id)
        return name if name is not None and name.bot == self.bot else None


def _absolute(db_url: str) -> str:
    path = db_url.removeprefix(_SQLITE_FILE)
    return db_url if path in ("", db_url) else f"{_SQLITE_FILE}{Path(path).resolve()}"


def parse(client_id: str | None) -> Name | None:
    """Return what a guard's client id says; None if no guard made it."""
    match = _PATTERN.fullmatch(client_id or "")
    return Name(match[1], Role(match[2]), match[3]) if match else None
