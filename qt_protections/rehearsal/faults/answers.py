"""What a struck client gets instead of its answer."""

import math

from qt_protections.rehearsal.errors import VenueError
from qt_protections.rehearsal.faults.entry import Entry
from qt_protections.rehearsal.faults.kinds.exchange import Down
from qt_protections.rehearsal.faults.kinds.requests import (
    Ban,
    Busy,
    Firewall,
    Hang,
    Lost,
    Refuse,
    Unanswered,
)
from qt_protections.rehearsal.limits import WEIGHT_PER_MINUTE, banned, over_limit

# Binance's general information: with this text the outcome is unknown, not failed. Clients of
# users have seen it with code -1000.
UNKNOWN_OUTCOME = "Unknown error, please check your request or try again later."
GATEWAY_TITLES = {
    403: "Forbidden",
    418: "I'm a teapot",
    429: "Too Many Requests",
    502: "Bad Gateway",
    503: "Service Temporarily Unavailable",
    504: "Gateway Time-out",
}


class NoAnswerError(Exception):
    """The client never gets an answer.

    Attributes:
        hold_s: Seconds until its connection is cut.
    """

    def __init__(self, hold_s: float) -> None:
        """Hold the connection for `hold_s` seconds."""
        self.hold_s = hold_s
        super().__init__(f"no answer, connection cut after {hold_s:g} s")


class GatewayError(Exception):
    """A gateway before the exchange answers with a page of its own.

    Attributes:
        status: HTTP status.
        page: HTML.
    """

    def __init__(self, status: int) -> None:
        """Answer with a status of `GATEWAY_TITLES`."""
        self.status = status
        title = f"{status} {GATEWAY_TITLES[status]}"
        self.page = (
            f"<html>\r\n<head><title>{title}</title></head>\r\n"
            f"<body>\r\n<center><h1>{title}</h1></center>\r\n</body>\r\n</html>\r\n"
        )
        super().__init__(title)


Mishap = VenueError | GatewayError | NoAnswerError


def before_execution(entry: Entry, address: str, now_ms: int, left_s: float) -> Mishap | None:
    """Return what keeps a request from being executed, None if `entry` does not.

    Args:
        entry: What struck it.
        address: Where it comes from.
        now_ms: Exchange time, epoch milliseconds.
        left_s: What is left of the entry's time, seconds.
    """
    match entry:
        case Down():
            return NoAnswerError(0.0)
        case Ban():
            return _ban(entry, address, now_ms, math.ceil(left_s * 1000))
        case Busy(status=503):
            return VenueError(-1008, http_status=503)
        case Busy() | Firewall():
            return GatewayError(entry.status)
        case Unanswered(executed=False):
            return _silence(entry)
        case _:
            return None


def after_execution(entry: Entry) -> Mishap | None:
    """Return what the client gets for an executed request, None if `entry` lets the answer pass."""
    match entry:
        case Lost(status=408):
            return VenueError(-1007, http_status=408)
        case Lost():
            return VenueError(-1000, UNKNOWN_OUTCOME, 503)
        case Unanswered(executed=True):
            return _silence(entry)
        case _:
            return None


def refusal(entry: Refuse) -> VenueError:
    """Return the refusal of a request of good standing."""
    return VenueError(entry.code, entry.msg, entry.status)


def _ban(entry: Ban, address: str, now_ms: int, left_ms: int) -> VenueError:
    if entry.status == 418:
        return banned(address, now_ms + left_ms, now_ms)
    return over_limit(address, WEIGHT_PER_MINUTE, left_ms)


def _silence(entry: Unanswered) -> NoAnswerError:
    return NoAnswerError(entry.hang_s if isinstance(entry, Hang) else 0.0)
