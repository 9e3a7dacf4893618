"""How many requests the exchange gets, by the minute, by endpoint, and how many it refuses."""

from collections import Counter, deque

from pydantic import BaseModel

from qt_protections.rehearsal.market.candles import MINUTE_MS

KEPT_MINUTES = 60
KEPT_ENDPOINTS = 100
OTHER = "other"
FIRST_ERROR, NOT_FOUND = 400, 404


class MinuteCount(BaseModel):
    """Requests of one minute.

    Attributes:
        minute_ms: When it began, epoch milliseconds.
        requests: All of them.
        refused: Those answered with an error.
    """

    minute_ms: int
    requests: int = 0
    refused: int = 0


class Cost(BaseModel):
    """What requests of one kind cost.

    Attributes:
        endpoint: Method and path; beyond 100 of them, and for unknown ones, `other`.
        each: Request weight of one. What was stopped at the gate costs none.
        requests: How many there were.
    """

    endpoint: str
    each: int
    requests: int


class TrafficReport(BaseModel):
    """HTTP requests to the exchange, those under `/_rehearsal` aside.

    Attributes:
        requests: All of them.
        refused: Those answered with an error.
        most_in_a_minute: Most in a minute of the clock.
        minutes: The latest 60 minutes that had requests, oldest first.
        endpoints: Requests by method and path; beyond 100 of them, and for unknown ones, `other`.
        refusals: Errors by HTTP status.
    """

    requests: int = 0
    refused: int = 0
    most_in_a_minute: int = 0
    minutes: list[MinuteCount] = []
    endpoints: dict[str, int] = {}
    refusals: dict[str, int] = {}


class Traffic:
    """Counts requests in bounded memory."""

    def __init__(self) -> None:
        """Start with none."""
        self._minutes: deque[MinuteCount] = deque(maxlen=KEPT_MINUTES)
        self._endpoints: Counter[str] = Counter()
        self._costs: Counter[tuple[str, int]] = Counter()
        self._refusals: Counter[str] = Counter()
        self._requests = 0
        self._most = 0

    def count(self, method: str, path: str, status: int, now_ms: int, weight: int = 0) -> None:
        """Count a request.

        Args:
            method: HTTP method.
            path: Path of the request.
            status: HTTP status of its answer.
            now_ms: Exchange time, epoch milliseconds; never goes back.
            weight: Request weight it was charged.
        """
        minute = self._minute(now_ms // MINUTE_MS * MINUTE_MS)
        minute.requests += 1
        self._requests += 1
        self._most = max(self._most, minute.requests)
        name = f"{method} /{path.lstrip('/')}"
        known = name in self._endpoints or len(self._endpoints) < KEPT_ENDPOINTS
        name = name if known and status != NOT_FOUND else OTHER
        self._endpoints[name] += 1
        self._costs[name, weight] += 1
        if status >= FIRST_ERROR:
            minute.refused += 1
            self._refusals[str(status)] += 1

    def report(self) -> TrafficReport:
        """Return what was counted so far."""
        return TrafficReport(
            requests=self._requests,
            refused=self._refusals.total(),
            most_in_a_minute=self._most,
            minutes=[minute.model_copy() for minute in self._minutes],
            endpoints=dict(self._endpoints.most_common()),
            refusals=dict(sorted(self._refusals.items())),
        )

    def costs(self) -> list[Cost]:
        """Return what was counted so far by endpoint and weight, the most frequent first."""
        return [
            Cost(endpoint=endpoint, each=each, requests=requests)
            for (endpoint, each), requests in self._costs.most_common()
        ]

    def _minute(self, minute_ms: int) -> MinuteCount:
        if not self._minutes or self._minutes[-1].minute_ms != minute_ms:
            self._minutes.append(MinuteCount(minute_ms=minute_ms))
        return self._minutes[-1]
