"""Signatures and timestamps."""

import hashlib
import hmac

import pytest

from qt_protections.rehearsal.auth import (
    API_KEY,
    API_SECRET,
    check_signature,
    check_timestamp,
)
from tests.rehearsal.stage import code_of

NOW_MS = 1_800_000_000_000


def signed(query: str, secret: str = API_SECRET) -> str:
    """Return the query with its signature."""
    signature = hmac.new(secret.encode(), query.encode(), hashlib.sha256).hexdigest()
    return f"{query}&signature={signature}"


@pytest.mark.parametrize(
    ("payload", "key", "code"),
    [
        (signed("a=1"), API_KEY, 0),
        (signed("a=1").replace("a=1", "a=2"), API_KEY, -1022),
        (signed("a=1", "another-secret"), API_KEY, -1022),
        ("a=1", API_KEY, -1102),
        ("a=1&signature=\u00e9", API_KEY, -1022),
        (signed("a=1"), None, -2014),
        (signed("a=1"), "a-real-key", -2015),
    ],
    ids=["good", "changed", "other-secret", "unsigned", "not-ascii", "no-key", "other-key"],
)
def test_signature(payload: str, key: str | None, code: int) -> None:
    """Only the published key and secret open the account."""
    assert code_of(check_signature, payload, key) == code


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"timestamp": str(NOW_MS)}, 0),
        ({"timestamp": str(NOW_MS - 5000)}, 0),
        ({"timestamp": str(NOW_MS - 5001)}, -1021),
        ({"timestamp": str(NOW_MS - 5001), "recvWindow": "6000"}, 0),
        ({"timestamp": str(NOW_MS - 60_001), "recvWindow": "99999"}, -1021),
        ({"timestamp": str(NOW_MS + 1000)}, 0),
        ({"timestamp": str(NOW_MS + 1001)}, -1021),
        ({}, -1102),
        ({"timestamp": "soon"}, -1102),
    ],
    ids=["now", "edge", "old", "wide", "too-wide", "ahead", "too-far-ahead", "none", "text"],
)
def test_timestamp(values: dict[str, str], code: int) -> None:
    """A request must be fresh by its own window, and not from the future."""
    assert code_of(check_timestamp, values, NOW_MS) == code
