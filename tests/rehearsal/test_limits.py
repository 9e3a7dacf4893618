"""Rate limits by tables: what requests weigh, and what happens beyond the limits."""

import pytest

from qt_protections.rehearsal.api.weights import is_order, request_weight
from qt_protections.rehearsal.errors import VenueError
from qt_protections.rehearsal.limits import (
    FIRST_BAN_MS,
    MINUTE_MS,
    OFFENCES_TO_BAN,
    ORDERS_PER_10_S,
    ORDERS_PER_MINUTE,
    TEN_S_MS,
    WEIGHT_PER_MINUTE,
    RateLimits,
)

HERE, THERE = "127.0.0.1", "127.0.0.2"
NOON_MS = 1_800_000_000_000 // MINUTE_MS * MINUTE_MS
BTC = {"symbol": "BTCUSDT"}


class Counters:
    """Rate limits with a hand-moved clock."""

    def __init__(self) -> None:
        """Start at a full minute."""
        self.now_ms = NOON_MS
        self.limits = RateLimits(lambda: self.now_ms)

    def ask(self, weight: int = 1, address: str = HERE) -> tuple[int, int, int | None]:
        """Return code, HTTP status and Retry-After of a request, zeros if it is admitted."""
        return _outcome(lambda: self.limits.admit(address, weight))

    def order(self) -> tuple[int, int, int | None]:
        """Return code, HTTP status and Retry-After of an order, zeros if it is placed."""

        def place() -> None:
            self.limits.admit_order()
            self.limits.count_order()

        return _outcome(place)


def _outcome(action: object) -> tuple[int, int, int | None]:
    assert callable(action)
    try:
        action()
    except VenueError as refusal:
        return refusal.code, refusal.http_status, refusal.retry_after_s
    return 0, 0, None


ADMITTED = (0, 0, None)


@pytest.mark.parametrize(
    ("method", "path", "values", "weight"),
    [
        ("GET", "v1/ping", {}, 1),
        ("GET", "v1/klines", {"limit": "99"}, 1),
        ("GET", "v1/klines", {"limit": "100"}, 2),
        ("GET", "v1/klines", {}, 5),
        ("GET", "v1/klines", {"limit": "1000"}, 5),
        ("GET", "v1/klines", {"limit": "1001"}, 10),
        ("GET", "v1/klines", {"limit": "many"}, 5),
        ("GET", "v1/depth", {"limit": "5"}, 2),
        ("GET", "v1/depth", {}, 10),
        ("GET", "v1/depth", {"limit": "1000"}, 20),
        ("GET", "v1/openOrders", BTC, 1),
        ("GET", "v1/openOrders", {}, 40),
        ("GET", "v1/openAlgoOrders", {}, 40),
        ("GET", "v1/ticker/bookTicker", BTC, 2),
        ("GET", "v3/account", {}, 5),
        ("GET", "v1/income", {}, 30),
        ("GET", "v1/userTrades", BTC, 5),
        ("GET", "v1/algoOrder", {}, 1),
        ("POST", "v1/algoOrder", BTC, 0),
        ("PUT", "v1/order", BTC, 0),
        ("POST", "v1/batchOrders", {}, 5),
        ("PUT", "v1/batchOrders", {}, 5),
        ("DELETE", "v1/batchOrders", BTC, 1),
        ("GET", "v1/orderAmendment", BTC, 1),
        ("POST", "v1/order", BTC, 0),
        ("DELETE", "v1/order", BTC, 1),
        ("POST", "v1/countdownCancelAll", BTC, 10),
        ("GET", "nowhere", {}, 1),
    ],
    ids=str,
)
def test_weights(method: str, path: str, values: dict[str, str], weight: int) -> None:
    """Each endpoint costs what Binance documents."""
    assert request_weight(method, path, values) == weight


@pytest.mark.parametrize(
    ("method", "path", "counts"),
    [
        ("POST", "v1/order", True),
        ("POST", "v1/algoOrder", True),
        ("PUT", "v1/order", True),
        ("POST", "v1/batchOrders", True),
        ("PUT", "v1/batchOrders", True),
        ("DELETE", "v1/batchOrders", False),
        ("DELETE", "v1/order", False),
        ("POST", "v1/order/test", False),
    ],
    ids=str,
)
def test_what_counts_as_an_order(method: str, path: str, counts: bool) -> None:
    """Placing and amending count on the order limits; cancelling and trying do not."""
    assert is_order(method, path) is counts


def test_weight_limit() -> None:
    """The limit itself is allowed; beyond it 429 tells how long the minute still lasts."""
    counters = Counters()
    counters.now_ms += 12_500
    assert counters.ask(WEIGHT_PER_MINUTE) == ADMITTED
    assert counters.limits.headers(HERE) == {"X-MBX-USED-WEIGHT-1M": "2400"}
    assert counters.ask() == (-1003, 429, 48)
    assert counters.ask(address=THERE) == ADMITTED
    counters.now_ms = NOON_MS + MINUTE_MS - 1
    assert counters.ask() == (-1003, 429, 1)
    counters.now_ms += 1
    assert counters.ask() == ADMITTED
    assert counters.limits.headers(HERE) == {"X-MBX-USED-WEIGHT-1M": "1"}


def test_ban() -> None:
    """Who keeps asking is banned with 418, twice as long the next time; the ban ends by itself."""
    counters = Counters()
    for length_ms in (FIRST_BAN_MS, 2 * FIRST_BAN_MS):
        assert counters.ask(WEIGHT_PER_MINUTE) == ADMITTED
        assert [counters.ask()[1] for _ in range(OFFENCES_TO_BAN)] == [
            *[429] * (OFFENCES_TO_BAN - 1),
            418,
        ]
        counters.now_ms += length_ms - 1
        assert counters.ask() == (-1003, 418, 1)
        assert counters.ask(address=THERE) == ADMITTED
        counters.now_ms += 1


def test_patience_is_rewarded() -> None:
    """An admitted request forgives the offences before it."""
    counters = Counters()
    for _ in range(3):
        assert counters.ask(WEIGHT_PER_MINUTE) == ADMITTED
        assert {counters.ask()[1] for _ in range(OFFENCES_TO_BAN - 1)} == {429}
        counters.now_ms += MINUTE_MS


def test_order_limits() -> None:
    """300 orders in ten seconds, 1200 in a minute; more are -1015 until the window ends."""
    counters = Counters()
    for _ in range(ORDERS_PER_MINUTE // ORDERS_PER_10_S):
        assert {counters.order() for _ in range(ORDERS_PER_10_S)} == {ADMITTED}
        assert counters.order() == (-1015, 429, None)
        counters.now_ms += TEN_S_MS
    assert counters.order() == (-1015, 429, None)
    counters.now_ms = NOON_MS + MINUTE_MS
    assert counters.limits.count_order() == {
        "X-MBX-ORDER-COUNT-10S": "1",
        "X-MBX-ORDER-COUNT-1M": "1",
    }
