"""What the guard raises towards Freqtrade.

OperationalException        stops the bot
  GuardNotInstalled         the guard cannot do its work here; the text says why and what to do
DependencyException         drops one entry, the loop goes on
  EntryRefused              a rule, or the exchange, refused the entry or its stop; an RPCException
                            as well, whose text Telegram and the REST API show to who forced it
"""

from freqtrade.exceptions import DependencyException, OperationalException
from freqtrade.rpc.rpc import RPCException

from qt_protections.rules.verdict import Denial


class GuardNotInstalled(OperationalException, ImportError):  # noqa: N818  states the fact
    """The guard cannot stand where it has to; the bot must not start.

    An `ImportError` as well, because Freqtrade's strategy loader reports only those by their text.
    """


#: Telegram gets the text as HTML, and loses a message with an angle bracket in it. Brackets that
#: look alike keep "volume < 3" what it says.
_NO_MARKUP = str.maketrans("<>&", "\u2039\u203a+")


class EntryRefused(DependencyException, RPCException):
    """An entry was refused before it reached the exchange."""

    def __init__(self, pair: str, denial: Denial) -> None:
        text = f"Entry of {pair} refused, {denial}".translate(_NO_MARKUP)
        super().__init__(text)
        self.message = text
        self.denial = denial
