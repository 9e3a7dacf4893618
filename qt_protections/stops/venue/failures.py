"""What a failed request says of its execution.

Binance states it for USD-M futures on two pages of developers.binance.com/docs/derivatives/
usds-margined-futures: general-info (HTTP 503 and its variants, 408, 403, 418, 429) and error-code
(-1006, -1007: "execution status unknown"). Where the documents leave a doubt, the outcome is
unknown: to ask for an order by its name costs one request, to forget one that was executed costs a
position without a stop.
"""

import re

import ccxt
import requests
from freqtrade.exceptions import FreqtradeException
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

from qt_protections.errors import without_secrets
from qt_protections.rules.retry_policy import Outcome, Refusal
from qt_protections.stops.venue import error_codes
from qt_protections.stops.venue.protocol import RequestError

#: The firewall (403) and the rate limits turn a request away before the exchange sees it.
_FIREWALL, _RATE_LIMITS = 403, frozenset({418, 429})
_TURNED_AWAY = _RATE_LIMITS | {_FIREWALL}
_BACKEND_TIMEOUT, _SERVER_ERRORS = 408, 500
#: The one 503 without a code that is a "100% failure".
_UNAVAILABLE = '"Service Unavailable."'

# By number and from the body: ccxt knows neither -4509 nor -4130, -4129 or -2007, and where it
# knows a text it drops the number.
_BANNED_UNTIL = re.compile(r"banned until (\d{13})")
_CODE = re.compile(r'"code"\s*:\s*"?(-\d+)')
_TEXT = re.compile(r'"msg"\s*:\s*"([^"]*)"')


def classify(error: Exception) -> RequestError:
    """Return what a failure means, for an error of ccxt or of Freqtrade, which wraps ccxt's.

    The text may go to a chat: it holds neither key nor signature.
    """
    if isinstance(error, RequestError):
        return error
    failure = _of_ccxt(error)
    if failure is None:
        # Freqtrade refuses some requests by itself; any other error may come after the sending.
        refused = isinstance(error, FreqtradeException)
        text = str(error) if refused else f"{type(error).__name__}: {error}"
        outcome = Outcome.REFUSED if refused else Outcome.UNKNOWN
        return RequestError(without_secrets(text), outcome)
    # ccxt raises while it handles what `requests` raised, which knows more than ccxt passes on.
    source = failure.__cause__ or failure.__context__
    if isinstance(source, requests.HTTPError) and source.response is not None:
        return _of_answer(source.response)
    if isinstance(source, OSError):  # all that `requests` raises is one
        return _of_no_answer(failure, source)
    return _of_ccxt_alone(failure)


def silence_s(failure: RequestError, now_s: float) -> float | None:
    """Return how long the exchange wants nothing sent, seconds; None if it does not say.

    Args:
        failure: How it refused a request.
        now_s: Its time, epoch seconds.
    """
    if failure.retry_after_s:
        return failure.retry_after_s
    banned = _BANNED_UNTIL.search(str(failure))
    return None if banned is None else int(banned[1]) / 1000 - now_s


def _of_ccxt(error: BaseException | None) -> ccxt.BaseError | None:
    while error is not None and not isinstance(error, ccxt.BaseError):
        error = error.__cause__
    return error


def _of_answer(response: requests.Response) -> RequestError:
    """Read an answer that came with an HTTP status of 400 or more."""
    body, status = response.text, response.status_code
    code = _code(body)
    text = _TEXT.search(body)
    said = text[1] if text is not None else f"HTTP {status} {response.reason}"
    outcome = error_codes.outcome(code) or _by_status(status, body)
    wait = response.headers.get("Retry-After", "")
    return RequestError(
        said if code is None else f"{code}: {said}",
        outcome,
        code,
        float(wait) if wait.isdecimal() else None,
        refusal=error_codes.meaning(code),
        wants_silence=_wants_silence(code, status),
    )


def _wants_silence(code: int | None, status: int | None = None) -> bool:
    """Say whether an address should send less: the pages of a firewall have no code.

    An account with too many new orders (-1015) may ask and cancel all the same, and a close must
    not wait for the 10 or 60 s of that limit; it also comes with HTTP 429.
    """
    if code is None:
        return status in _TURNED_AWAY
    refusal = error_codes.meaning(code)
    if refusal is Refusal.TOO_MANY_REQUESTS:
        return True
    return status in _RATE_LIMITS and refusal is not Refusal.TOO_MANY_ORDERS


def _of_no_answer(failure: ccxt.BaseError, source: OSError) -> RequestError:
    reason = getattr(source.args[0], "reason", None) if source.args else None
    if isinstance(reason, NewConnectionError | ConnectTimeoutError):
        return RequestError("no connection to the exchange", Outcome.NOT_EXECUTED)
    kind = "no answer in time" if isinstance(failure, ccxt.RequestTimeout) else "connection lost"
    return RequestError(f"{kind} ({type(source).__name__})", Outcome.UNKNOWN)


def _of_ccxt_alone(failure: ccxt.BaseError) -> RequestError:
    """Judge by the class of the error: ccxt refused to send, or read it out of a good answer."""
    code = _code(str(failure))
    outcome = error_codes.outcome(code) or _by_class(failure)
    text = without_secrets(str(failure))
    return RequestError(
        text,
        outcome,
        code,
        refusal=error_codes.meaning(code),
        wants_silence=_wants_silence(code),
    )


def _code(body: str) -> int | None:
    found = _CODE.search(body)
    return int(found[1]) if found is not None else None


def _by_status(status: int, body: str) -> Outcome:
    if status in _TURNED_AWAY or _UNAVAILABLE in body:
        return Outcome.NOT_EXECUTED
    if status == _BACKEND_TIMEOUT or status >= _SERVER_ERRORS:
        return Outcome.UNKNOWN
    return Outcome.REFUSED


def _by_class(failure: ccxt.BaseError) -> Outcome:
    if isinstance(failure, ccxt.DDoSProtection | ccxt.RateLimitExceeded | ccxt.InvalidNonce):
        return Outcome.NOT_EXECUTED
    return Outcome.UNKNOWN if isinstance(failure, ccxt.OperationFailed) else Outcome.REFUSED
