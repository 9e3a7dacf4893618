"""What may go wrong on the exchange, and the keys each kind takes in a fault script."""

import math
from collections.abc import Mapping
from statistics import NormalDist
from typing import Annotated, ClassVar, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from qt_protections.rehearsal.errors import MESSAGES
from qt_protections.rehearsal.faults.entry import (
    EVERYTHING,
    Counted,
    Entry,
    OnEndpoints,
    OnRequests,
)

Milliseconds = Annotated[int, Field(gt=0, le=86_400_000)]

PLACING = {"plain": ("POST /fapi/v1/order",), "conditional": ("POST /fapi/v1/algoOrder",)}
LOOKUPS = (
    "GET /fapi/v1/order",
    "GET /fapi/v1/openOrder",
    "GET /fapi/v1/openOrders",
    "GET /fapi/v1/algoOrder",
    "GET /fapi/v1/openAlgoOrders",
)
CANCELS = ("DELETE /fapi/v1/order", "DELETE /fapi/v1/algoOrder")
LISTS = ("GET /fapi/v1/openOrders", "GET /fapi/v1/openAlgoOrders")
HOLDINGS = ("GET /fapi/v*/positionRisk", "GET /fapi/v*/account", "GET /fapi/v*/balance")
HISTORIES = (
    "GET /fapi/v1/allOrders",
    "GET /fapi/v1/allAlgoOrders",
    "GET /fapi/v1/userTrades",
    "GET /fapi/v1/income",
)
P99 = NormalDist().inv_cdf(0.99)


class Latency(OnEndpoints):
    """The answer takes longer.

    Attributes:
        when: Whether the request, or its answer, is held up.
        fixed_ms: Always so long; or
        min_ms: evenly from here
        max_ms: to here; or
        median_ms: lognormal, with this median
        p99_ms: and this 99th percentile.
    """

    USUAL = EVERYTHING
    kind: Literal["latency"]
    when: Literal["before", "after"] = "after"
    fixed_ms: Milliseconds | None = None
    min_ms: Annotated[int, Field(ge=0)] | None = None
    max_ms: Milliseconds | None = None
    median_ms: Milliseconds | None = None
    p99_ms: Milliseconds | None = None

    @model_validator(mode="after")
    def _check_distribution(self) -> Self:
        given = {name for name in self.model_fields_set if name.endswith("_ms")}
        if given not in ({"fixed_ms"}, {"min_ms", "max_ms"}, {"median_ms", "p99_ms"}):
            raise ValueError(
                "needs fixed_ms, or min_ms with max_ms, or median_ms with p99_ms, was "
                + (" with ".join(sorted(given)) or "none of them")
            )
        for low, high in ((self.min_ms, self.max_ms), (self.median_ms, self.p99_ms)):
            if low is not None and high is not None and low > high:
                raise ValueError(f"must not go down from {low} to {high} ms; swap them")
        return self

    def sample_s(self, rng: np.random.Generator) -> float:
        """Return how long this once, in seconds."""
        if self.min_ms is not None and self.max_ms is not None:
            return float(rng.uniform(self.min_ms, self.max_ms)) / 1000
        if self.median_ms is not None and self.p99_ms is not None:
            sigma = math.log(self.p99_ms / self.median_ms) / P99
            return float(rng.lognormal(math.log(self.median_ms), sigma)) / 1000
        return (self.fixed_ms or 0) / 1000


class Busy(OnEndpoints):
    """Refused before anything was done: 503 with -1008, or a gateway's page with 502 or 504."""

    kind: Literal["busy"]
    status: Literal[502, 503, 504] = 503


class Refuse(OnEndpoints):
    """Refused with a code of Binance's, before anything was done.

    Attributes:
        code: Negative.
        msg: Text of the answer; Binance's if absent.
        status: HTTP status.
    """

    USUAL = PLACING["conditional"]
    kind: Literal["refuse"]
    code: Annotated[int, Field(lt=0, ge=-99_999)]
    msg: str | None = None
    status: Annotated[int, Field(ge=400, le=599)] = 400

    @model_validator(mode="after")
    def _check_text(self) -> Self:
        if self.msg is None and self.code not in MESSAGES:
            raise ValueError(f"knows no text for code {self.code}; add msg")
        return self


class Ban(OnEndpoints):
    """Refused with -1003 and Retry-After until its time is over.

    Attributes:
        status: 418, banned, or 429, too many requests.
    """

    USUAL = EVERYTHING
    kind: Literal["ban"]
    status: Literal[418, 429] = 418

    @model_validator(mode="after")
    def _check_end(self) -> Self:
        if self.length_s is None:
            raise ValueError("needs an end; add for_s or to_s")
        return self


class Firewall(OnEndpoints):
    """Refused before anything was done, by a page that is no answer of the exchange's.

    Attributes:
        status: 403, or a code of the exchange's without its JSON.
    """

    USUAL = EVERYTHING
    kind: Literal["firewall"]
    status: Literal[403, 418, 429, 503] = 403


class Unsure(OnEndpoints):
    """The answer does not tell whether the request is done.

    Attributes:
        executed_after_ms: The request is done so long after it was answered; at once if absent.
    """

    executed_after_ms: Milliseconds | None = None


class Lost(Unsure):
    """Done, but answered as if nobody knew: 503 with -1000, or 408 with -1007."""

    kind: Literal["lost"]
    status: Literal[503, 408] = 503


class Unanswered(Unsure):
    """No answer comes.

    Attributes:
        executed: Whether the request is done all the same.
    """

    executed: bool = True

    @model_validator(mode="after")
    def _check_execution(self) -> Self:
        if self.executed_after_ms is not None and not self.executed:
            raise ValueError("takes executed_after_ms only where it is executed; drop one of them")
        return self


class Drop(Unanswered):
    """The connection is cut instead of an answer."""

    kind: Literal["drop"]


class Hang(Unanswered):
    """The connection stays open without an answer, and is cut in the end.

    Attributes:
        hang_s: Until it is cut.
    """

    kind: Literal["hang"]
    hang_s: Annotated[float, Field(gt=0, le=600)] = 30.0


class Stale(OnEndpoints):
    """Lookups and cancels do not know an order that is younger than `unseen_ms`."""

    REACH = LOOKUPS + CANCELS
    USUAL = LOOKUPS
    kind: Literal["stale"]
    unseen_ms: Milliseconds


class Omit(OnEndpoints):
    """Lists are told without some of their rows.

    Attributes:
        share: Probability that a row is missing; 1 leaves an empty list.
    """

    REACH = HOLDINGS + LISTS + HISTORIES
    USUAL = HOLDINGS + LISTS
    kind: Literal["omit"]
    share: Annotated[float, Field(gt=0, le=1)] = 1.0

    def concerns(self, endpoint: str, values: Mapping[str, str]) -> bool:
        """Say whether it strikes a list; `symbols` choose its rows, not the request."""
        return self.reaches(endpoint)


class ListLag(OnEndpoints):
    """Lists of live orders are told as they were `behind_ms` ago."""

    REACH = USUAL = LISTS
    kind: Literal["list_lag"]
    behind_ms: Milliseconds


class PositionLag(OnRequests):
    """Positions and balances are told as they were `behind_ms` ago."""

    REACH = USUAL = HOLDINGS
    kind: Literal["position_lag"]
    behind_ms: Milliseconds


class DeadOnArrival(OnRequests):
    """A conditional order is answered with HTTP 200, and never lives.

    Attributes:
        outcome: What the answer says of its end.
        told: Whether the user data stream tells of the order.
        reason: Text of its end.
    """

    REACH = USUAL = PLACING["conditional"]
    kind: Literal["dead_on_arrival"]
    outcome: Literal["reject", "expire"] = "reject"
    told: bool = True
    reason: str = "Order was rejected on arrival"


class Withdraw(OnRequests):
    """An accepted conditional order is rejected, or expires, some time later.

    Attributes:
        after_ms: From its acceptance.
        outcome: How it ends.
        reason: Text of its end.
    """

    REACH = USUAL = PLACING["conditional"]
    kind: Literal["withdraw"]
    after_ms: Milliseconds = 1000
    outcome: Literal["reject", "expire"] = "reject"
    reason: str = "Order was rejected after acceptance"


class Cancel(OnRequests):
    """Someone else cancels orders: each some time after its acceptance, or all at a moment.

    Attributes:
        after_ms: From acceptance; without it, all that are live at `at_s`.
        orders: Which.
    """

    REACH: ClassVar[tuple[str, ...]] = PLACING["plain"] + PLACING["conditional"]
    kind: Literal["cancel"]
    after_ms: Milliseconds | None = None
    orders: Literal["conditional", "plain", "all"] = "conditional"

    @property
    def patterns(self) -> tuple[str, ...]:
        """The requests whose orders it cancels."""
        return self.REACH if self.orders == "all" else PLACING[self.orders]

    @property
    def is_moment(self) -> bool:
        """Whether it cancels at a moment."""
        return self.after_ms is None

    @model_validator(mode="after")
    def _check_moment(self) -> Self:
        if self.is_moment and self.at_s is None:
            raise ValueError("needs after_ms (from acceptance) or at_s (a moment)")
        return self


class ClockSkew(Entry):
    """The exchange's clock tells another time than the one that passes.

    Attributes:
        ahead_ms: How far it runs ahead; negative if behind.
    """

    kind: Literal["clock_skew"]
    ahead_ms: Annotated[int, Field(ge=-86_400_000, le=86_400_000)]


class Down(Entry):
    """Nothing answers; the market goes on."""

    kind: Literal["down"]

    @model_validator(mode="after")
    def _check_end(self) -> Self:
        if self.length_s is None:
            raise ValueError("needs an end; add for_s or to_s")
        return self


class StreamDrop(Counted):
    """Every websocket is hung up: at `at_s`, or at random.

    Attributes:
        per_minute: How often on average, at random.
    """

    kind: Literal["stream_drop"]
    per_minute: Annotated[float, Field(gt=0, le=600)] | None = None

    @property
    def is_moment(self) -> bool:
        """Whether it hangs up at a moment."""
        return self.per_minute is None

    @model_validator(mode="after")
    def _check_moment(self) -> Self:
        if (self.per_minute is None) is (self.at_s is None):
            raise ValueError("needs at_s (a moment) or per_minute (at random), one of them")
        return self
