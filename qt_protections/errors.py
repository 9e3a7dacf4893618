"""What the guard raises towards Freqtrade.

OperationalException        stops the bot
  GuardNotInstalled         the guard cannot do its work here; the text says why and what to do
DependencyException         drops one entry, the loop goes on
  EntryRefused              a rule refused the entry, or the exchange its stop; an RPCException as
                            well, whose text Telegram and the REST API show to who forced it
  EntryFailed               the exchange did not take the entry, or does not say what became of it;
                            an RPCException as well
"""

import re

from freqtrade.exceptions import DependencyException, OperationalException
from freqtrade.rpc.rpc import RPCException

from qt_protections.rules.verdict import Denial, DenyCode, deny


class GuardNotInstalled(OperationalException, ImportError):  # noqa: N818  states the fact
    """The guard cannot stand where it has to; the bot must not start.

    An `ImportError` as well, because Freqtrade's strategy loader reports only those by their text.
    """


#: Telegram gets the text as HTML, and loses a message with an angle bracket in it. Brackets that
#: look alike keep "volume < 3" what it says.
_NO_MARKUP = str.maketrans("<>&", "\u2039\u203a+")


class _Dropped(DependencyException, RPCException):
    """Drops an entry; its text reaches whoever forced it."""

    def __init__(self, text: str) -> None:
        text = text.translate(_NO_MARKUP)
        super().__init__(text)
        self.args = (text,)  # Freqtrade's puts the error itself there, and its repr never ends
        self.message = text


class EntryRefused(_Dropped):
    """An entry was refused before it reached the exchange."""

    def __init__(self, pair: str, denial: Denial) -> None:
        super().__init__(f"Entry of {pair} refused, {denial}")
        self.denial = denial


class EntryFailed(_Dropped):
    """The exchange did not take an entry, or does not say what became of it."""


#: Of a request that failed: a signed one has the account's signature in it.
_ADDRESS = re.compile(r"https?://[^\s'\"]+")


def gate_failed(gate: str, error: Exception) -> Denial:
    """Return the denial of an entry that could not be judged; its text may go to a chat."""
    return deny(DenyCode.GATE_FAILED, gate=gate, error=_ADDRESS.sub("(address)", repr(error)))
