"""Rate limits: request weight per minute and address, orders per 10 seconds and per minute.

The counters are windows that begin at full minutes (or ten seconds), as on Binance. How many
offences make a ban is not documented; `OFFENCES_TO_BAN` is a guess.
"""

from collections.abc import Callable
from dataclasses import dataclass

from qt_protections.rehearsal.errors import VenueError
from qt_protections.rehearsal.market.candles import MINUTE_MS

WEIGHT_PER_MINUTE = 2400
ORDERS_PER_10_S, ORDERS_PER_MINUTE = 300, 1200
TEN_S_MS = 10_000
USED_WEIGHT = "X-MBX-USED-WEIGHT-1M"
OFFENCES_TO_BAN = 10
FIRST_BAN_MS, LONGEST_BAN_MS = 2 * MINUTE_MS, 3 * 86_400_000


@dataclass(slots=True)
class Counter:
    """What was used of a limit in the present window.

    Attributes:
        limit: Most that may be used in a window.
        width_ms: Length of a window, milliseconds.
        window: Number of the present window since the epoch.
        used: What was used in it.
    """

    limit: int
    width_ms: int
    window: int = -1
    used: int = 0

    def add(self, amount: int, now_ms: int) -> int:
        """Use `amount` at `now_ms` (epoch milliseconds) and return what is used in that window."""
        if self.window != now_ms // self.width_ms:
            self.window, self.used = now_ms // self.width_ms, 0
        self.used += amount
        return self.used

    def left_ms(self, now_ms: int) -> int:
        """Return the milliseconds until the window ends."""
        return self.width_ms - now_ms % self.width_ms


@dataclass(slots=True)
class Visitor:
    """What is known of one address.

    Attributes:
        weight: Its request weight.
        offences: Requests over the limit since the latest one within it.
        bans: How often it was banned.
        banned_until_ms: End of its ban, epoch milliseconds.
    """

    weight: Counter
    offences: int = 0
    bans: int = 0
    banned_until_ms: int = 0


class RateLimits:
    """Counts requests and orders, and refuses those over the limits."""

    def __init__(
        self,
        clock: Callable[[], int],
        weight_per_minute: int = WEIGHT_PER_MINUTE,
        orders_per_10_s: int = ORDERS_PER_10_S,
        orders_per_minute: int = ORDERS_PER_MINUTE,
    ) -> None:
        """Start with nothing used.

        Args:
            clock: Returns epoch milliseconds.
            weight_per_minute: Request weight an address may use in a minute.
            orders_per_10_s: Orders that may be placed in ten seconds.
            orders_per_minute: Orders that may be placed in a minute.
        """
        self._clock = clock
        self._weight_per_minute = weight_per_minute
        self._visitors: dict[str, Visitor] = {}
        self._orders = {
            "10S": Counter(orders_per_10_s, TEN_S_MS),
            "1M": Counter(orders_per_minute, MINUTE_MS),
        }

    def admit(self, address: str, weight: int) -> None:
        """Count a request.

        Raises:
            VenueError: -1003, with HTTP 429 over the limit and 418 during a ban.
        """
        now_ms, visitor = self._clock(), self._visitor(address)
        if now_ms < visitor.banned_until_ms:
            raise banned(address, visitor.banned_until_ms, now_ms)
        if visitor.weight.add(weight, now_ms) <= visitor.weight.limit:
            visitor.offences = 0
            return
        visitor.offences += 1
        if visitor.offences >= OFFENCES_TO_BAN:
            length_ms = min(FIRST_BAN_MS * 2**visitor.bans, LONGEST_BAN_MS)
            visitor.bans, visitor.offences = visitor.bans + 1, 0
            visitor.banned_until_ms = now_ms + length_ms
            raise banned(address, visitor.banned_until_ms, now_ms)
        raise over_limit(address, visitor.weight.limit, visitor.weight.left_ms(now_ms))

    def admit_order(self) -> None:
        """Refuse an order (-1015) if as many as allowed were placed."""
        now_ms = self._clock()
        for counter, interval in zip(self._orders.values(), ("10 SECOND", "1 MINUTE"), strict=True):
            if counter.add(0, now_ms) >= counter.limit:
                raise VenueError(
                    -1015,
                    f"Too many new orders; current limit is {counter.limit} orders per {interval}.",
                    429,
                )

    def count_order(self) -> dict[str, str]:
        """Count an order that was placed and return the headers that tell of it."""
        now_ms = self._clock()
        return {
            f"X-MBX-ORDER-COUNT-{name}": str(counter.add(1, now_ms))
            for name, counter in self._orders.items()
        }

    def headers(self, address: str) -> dict[str, str]:
        """Return the header that tells an address the weight it used in this minute."""
        used = self._visitor(address).weight.add(0, self._clock())
        return {USED_WEIGHT: str(used)}

    def _visitor(self, address: str) -> Visitor:
        fresh = Visitor(Counter(self._weight_per_minute, MINUTE_MS))
        return self._visitors.setdefault(address, fresh)


def over_limit(address: str, limit: int, left_ms: int) -> VenueError:
    """Return the refusal of an address that used more than `limit`, for `left_ms` milliseconds."""
    return VenueError(
        -1003,
        f"Too many requests; current limit of IP({address}) is {limit} "
        "requests per minute. Please use the websocket for live updates to avoid polling "
        "the API.",
        429,
        retry_after_s=_seconds(left_ms),
    )


def banned(address: str, until_ms: int, now_ms: int) -> VenueError:
    """Return the refusal of an address that is banned until `until_ms` (epoch milliseconds)."""
    return VenueError(
        -1003,
        f"Way too many requests; IP({address}) banned until {until_ms}. "
        "Please use the websocket for live updates to avoid bans.",
        418,
        retry_after_s=_seconds(until_ms - now_ms),
    )


def _seconds(ms: int) -> int:
    return -(-ms // 1000)
