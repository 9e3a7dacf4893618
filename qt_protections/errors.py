"""What the guard raises towards Freqtrade.

OperationalException        stops the bot
  GuardNotInstalled         the guard cannot do its work here; the text says why and what to do
DependencyException         drops one entry, the loop goes on
  EntryRefused              a rule, or the exchange, refused the entry or its stop
"""

from freqtrade.exceptions import DependencyException, OperationalException

from qt_protections.rules.verdict import Denial


class GuardNotInstalled(OperationalException, ImportError):  # noqa: N818  states the fact
    """The guard cannot stand where it has to; the bot must not start.

    An `ImportError` as well, because Freqtrade's strategy loader reports only those by their text.
    """


class EntryRefused(DependencyException):
    """An entry was refused before it reached the exchange."""

    def __init__(self, pair: str, denial: Denial) -> None:
        super().__init__(f"{pair}: {denial}")
        self.denial = denial
