"""What the guard raises towards Freqtrade.

OperationalException        stops the bot
  GuardNotInstalled         the guard cannot do its work here; the text says why and what to do
DependencyException         drops one entry, the loop goes on
  EntryRefused              a rule refused the entry, or the exchange its stop; an RPCException as
                            well, whose text Telegram and the REST API show to who forced it
  EntryFailed               the exchange did not take the entry, or does not say what became of it;
                            an RPCException as well
"""

import logging
import re
import traceback
from dataclasses import replace

from freqtrade.exceptions import DependencyException, OperationalException
from freqtrade.rpc.rpc import RPCException

from qt_protections.rules.denial import Denial, DenyCode, deny


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


#: What identifies an account, or signs for it, in the text of an error: who is in an address and
#: what it asks, any value under a telling name, and what is as long as Binance's keys, listen keys
#: and signatures (64). Client ids have 36 at most.
_SECRETS = (
    (re.compile(r"(?<=://)[^\s/@'\"]+@"), ""),
    (re.compile(r"\?[\w.~%-]+=[^\s'\")<>]*"), "?(withheld)"),
    (
        re.compile(
            r"([\w-]*(?:signature|secret|passphrase|password|access-sign|api-?_?key|"
            r"listen-?_?key|access-?_?key|token)['\"]?\s*[:=]\s*['\"]?)(?!\(withheld)[^\s'\"&,;)}\]]+",
            re.IGNORECASE,
        ),
        r"\1(withheld)",
    ),
    (re.compile(r"[A-Za-z0-9]{48,}"), "(withheld)"),
)


def without_secrets(text: str) -> str:
    """Return a text without what identifies the account or signs for it.

    The errors of ccxt and `requests` name the address of the request that failed, and a signed one
    has the signature in it.
    """
    for secret, instead in _SECRETS:
        text = secret.sub(instead, text)
    return text


class _WithholdSecrets(logging.Filter):
    """Takes secrets out of each line, and out of the traceback below it."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Return True: no line is kept back."""
        try:
            text = record.getMessage()
        except Exception:  # arguments that do not fit: logging itself complains of them
            return True
        record.msg, record.args = without_secrets(text), ()
        if record.exc_info and record.exc_info[0] is not None:
            # Every formatter of Freqtrade's prints this text instead of the traceback's own.
            trace = "".join(traceback.format_exception(*record.exc_info)).rstrip()
            record.exc_text = without_secrets(trace)
        return True


def withhold_secrets(logger: logging.Logger) -> logging.Logger:
    """Return a module's logger, which from now on writes no secret of the account.

    For the modules that log errors of Freqtrade, of ccxt or of a strategy.
    """
    logger.addFilter(_WithholdSecrets())
    return logger


def gate_failed(gate: str, error: Exception, code: str = DenyCode.GATE_FAILED) -> Denial:
    """Return the denial of an entry that could not be judged; its text may go to a chat.

    Args:
        gate: What failed, in words.
        error: How.
        code: Under which the denial is counted.
    """
    told = without_secrets(repr(error))
    text = f"{gate} failed, so the entry is refused ({told})"
    return replace(deny(code, text, gate=gate, error=told), is_failure=True)
