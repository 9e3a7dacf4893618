"""Signed requests to the rehearsal exchange, as a client makes them."""

import hashlib
import hmac
import time
from urllib.parse import urlencode

from qt_protections.rehearsal.auth import API_SECRET


def signed_query(params: dict[str, object]) -> str:
    """Return the query string of `params` with timestamp and signature."""
    query = urlencode(params | {"timestamp": time.time_ns() // 1_000_000, "recvWindow": 10_000})
    digest = hmac.new(API_SECRET.encode(), query.encode(), hashlib.sha256).hexdigest()
    return f"{query}&signature={digest}"
