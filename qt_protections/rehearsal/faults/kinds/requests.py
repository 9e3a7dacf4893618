"""Faults of one request: late, refused, or without an answer that tells whether it is done."""

import math
from statistics import NormalDist
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from qt_protections.rehearsal.errors import MESSAGES
from qt_protections.rehearsal.faults.entry import EVERYTHING, Milliseconds, OnEndpoints
from qt_protections.rehearsal.faults.kinds.endpoints import PLACING

_P99 = NormalDist().inv_cdf(0.99)


class Latency(OnEndpoints):
    """The answer takes longer.

    Attributes:
        when: Whether the request, or its answer, is held up.
        fixed_ms: The delay, if it is always the same.
        min_ms: The shortest delay, if delays are spread evenly.
        max_ms: The longest delay, if delays are spread evenly.
        median_ms: The median, if delays are lognormal.
        p99_ms: The 99th percentile, if delays are lognormal.
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
            sigma = math.log(self.p99_ms / self.median_ms) / _P99
            return float(rng.lognormal(math.log(self.median_ms), sigma)) / 1000
        return (self.fixed_ms or 0) / 1000


class Busy(OnEndpoints):
    """The request is refused and not done: 503 with -1008, or a gateway's page (502, 504)."""

    kind: Literal["busy"]
    status: Literal[502, 503, 504] = 503


class Refuse(OnEndpoints):
    """The request is refused with a code of Binance's, and not done.

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
    """Requests are refused with -1003 and Retry-After until the time of the fault is over.

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
    """The request is refused and not done; a page answers that is not the exchange's.

    Attributes:
        status: 403, or a code of the exchange's without its JSON.
    """

    USUAL = EVERYTHING
    kind: Literal["firewall"]
    status: Literal[403, 418, 429, 503] = 403


class Unsure(OnEndpoints):
    """The answer does not tell whether the request is done.

    Attributes:
        executed_after_ms: The request is done so long after its answer; at once if absent.
    """

    executed_after_ms: Milliseconds | None = None


class Lost(Unsure):
    """The request is done, and its answer does not say so: 503 with -1000, 408 with -1007."""

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
