"""Who may trade: one fixed, public key pair, so that no real key can ever be used here."""

import hashlib
import hmac
from collections.abc import Mapping

from qt_protections.rehearsal.errors import VenueError, missing

API_KEY = "rehearsal-key"
API_SECRET = "rehearsal-secret"  # noqa: S105 - a published constant of a toy exchange
DEFAULT_WINDOW_MS = 5000
MAX_WINDOW_MS = 60_000
MAX_AHEAD_MS = 1000


def check_key(api_key: str | None) -> None:
    """Refuse a request without a key (-2014) or with another than the rehearsal's (-2015).

    Args:
        api_key: Value of the X-MBX-APIKEY header.
    """
    if not api_key:
        raise VenueError(-2014, http_status=401)
    if api_key != API_KEY:
        raise VenueError(-2015, http_status=401)


def check_signature(payload: str, api_key: str | None) -> None:
    """Refuse a request whose key or HMAC-SHA256 signature is wrong.

    Args:
        payload: Query string followed by the body, as received.
        api_key: Value of the X-MBX-APIKEY header.

    Raises:
        VenueError: -2014 (no key), -2015 (not the rehearsal's key), -1102 or -1022.
    """
    check_key(api_key)
    signed, found, signature = payload.rpartition("signature=")
    if not found:
        raise missing("signature")
    expected = hmac.new(API_SECRET.encode(), signed.rstrip("&").encode(), hashlib.sha256)
    if not hmac.compare_digest(expected.hexdigest().encode(), signature.encode()):
        raise VenueError(-1022)


def check_timestamp(values: Mapping[str, str], now_ms: int) -> None:
    """Refuse a request that is too old or from the future (-1021).

    Args:
        values: Decoded parameters, with `timestamp` and perhaps `recvWindow` in milliseconds.
        now_ms: Exchange time, epoch milliseconds.
    """
    try:
        sent_ms = int(values.get("timestamp", ""))
        window_ms = int(values.get("recvWindow", DEFAULT_WINDOW_MS))
    except ValueError:
        raise missing("timestamp") from None
    if sent_ms > now_ms + MAX_AHEAD_MS:
        raise VenueError(-1021, "Timestamp for this request was 1000ms ahead of the server's time.")
    if now_ms - sent_ms > min(window_ms, MAX_WINDOW_MS):
        raise VenueError(-1021)
