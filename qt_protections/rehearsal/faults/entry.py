"""When an entry of a fault script may strike, and which requests.

Times are seconds of exchange time since it opened.
"""

import math
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Annotated, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Texts = Annotated[tuple[str, ...], Field(strict=False, min_length=1)]
Symbols = Annotated[
    tuple[Annotated[str, Field(pattern="^[0-9A-Z]+USDT$")], ...], Field(strict=False, min_length=1)
]
Seconds = Annotated[float, Field(ge=0)]
Span = Annotated[float, Field(gt=0)]
Milliseconds = Annotated[int, Field(gt=0, le=86_400_000)]

EVERYTHING = ("* /fapi/*",)
TRADING = (
    "POST /fapi/v1/order",
    "DELETE /fapi/v1/order",
    "POST /fapi/v1/algoOrder",
    "DELETE /fapi/v1/algoOrder",
)


class Entry(BaseModel):
    """One `[[fault]]` of a script: when it may strike.

    Attributes:
        from_s: Begin of its time.
        to_s: End of its time; none if absent.
        at_s: The same as `from_s`, beside `for_s`.
        for_s: Length of its time.
        every_s: Its time comes again after so many seconds, again and again.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)
    kind: str
    from_s: Seconds | None = None
    to_s: Span | None = None
    at_s: Seconds | None = None
    for_s: Span | None = None
    every_s: Span | None = None

    @property
    def start_s(self) -> float:
        """When its time begins."""
        return next((s for s in (self.at_s, self.from_s) if s is not None), 0.0)

    @property
    def length_s(self) -> float | None:
        """How long its time lasts, None without an end."""
        return self.for_s if self.to_s is None else self.to_s - self.start_s

    def left_s(self, now_s: float) -> float:
        """Return how much of its time is left, 0 if it is not its time, infinity without an end."""
        since_s = now_s - self.start_s
        if since_s < 0:
            return 0.0
        if self.length_s is None:
            return math.inf
        if self.every_s is not None:
            since_s %= self.every_s
        return max(self.length_s - since_s, 0.0)

    @property
    def is_moment(self) -> bool:
        """Whether it strikes at `at_s` and not during a time."""
        return False

    def described(self) -> str:
        """Return the entry in a few words, such as `down from 30 s for 10 s`."""
        told = [self.kind.replace("_", " ")]
        if self.start_s:
            told.append(f"{'at' if self.is_moment else 'from'} {self.start_s:g} s")
        if self.length_s is not None:
            told.append(f"for {self.length_s:g} s")
        if self.every_s is not None:
            told.append(f"every {self.every_s:g} s")
        return " ".join(told)

    @model_validator(mode="after")
    def _check_time(self) -> Self:
        if {self.from_s, self.to_s} != {None} and {self.at_s, self.for_s} != {None}:
            raise ValueError("takes from_s with to_s, or at_s with for_s, not both; drop one pair")
        if self.to_s is not None and self.to_s <= self.start_s:
            raise ValueError(f"needs to_s after from_s {self.start_s:g}, was {self.to_s:g}")
        if self.is_moment:
            if self.length_s is not None:
                raise ValueError("strikes at a moment and takes no for_s; drop it")
        elif self.every_s is not None and not (self.length_s or math.inf) <= self.every_s:
            raise ValueError(
                f"needs a time that ends before every_s {self.every_s:g} is over; "
                "add a shorter for_s"
            )
        return self


class Counted(Entry):
    """A fault whose strikes can be counted.

    Attributes:
        times: Strike at most so often.
    """

    times: Annotated[int, Field(ge=1)] | None = None


class BySymbol(Counted):
    """A fault that may be bound to symbols and left to chance.

    Attributes:
        rate: Probability that what it concerns is struck.
        symbols: Only these.
    """

    rate: Annotated[float, Field(ge=0, le=1)] = 1.0
    symbols: Symbols | None = None

    def concerns_symbol(self, symbol: str | None) -> bool:
        """Say whether it strikes what concerns `symbol`."""
        return self.symbols is None or symbol in self.symbols


class OnRequests(BySymbol):
    """A fault that strikes requests: each that matches with probability `rate`.

    Attributes:
        REACH: The endpoints it can strike.
        USUAL: Those it strikes unless told otherwise.
        reduce_only: Only orders that can (not) only reduce.
    """

    REACH: ClassVar[tuple[str, ...]] = EVERYTHING
    USUAL: ClassVar[tuple[str, ...]] = TRADING
    reduce_only: bool | None = None

    @property
    def patterns(self) -> tuple[str, ...]:
        """The endpoints it strikes."""
        return self.USUAL

    def described(self) -> str:
        """Return the entry in a few words, with its rate."""
        return f"{super().described()}, {self.rate * 100:g} % of requests"

    def reaches(self, endpoint: str) -> bool:
        """Say whether it strikes an endpoint such as `POST /fapi/v1/order`."""
        return any(fnmatchcase(endpoint, pattern) for pattern in self.patterns) and any(
            fnmatchcase(endpoint, pattern) for pattern in self.REACH
        )

    def concerns(self, endpoint: str, values: Mapping[str, str]) -> bool:
        """Say whether it strikes a request with these parameters."""
        flags = {values.get(name, "").lower() for name in ("reduceOnly", "closePosition")}
        is_meant = self.concerns_order(values.get("symbol"), "true" in flags)
        return is_meant and self.reaches(endpoint)

    def concerns_order(self, symbol: str | None, reduces: bool) -> bool:
        """Say whether it strikes what concerns `symbol`, and can (not) only reduce."""
        return self.concerns_symbol(symbol) and self.reduce_only in {None, reduces}


class OnEndpoints(OnRequests):
    """A fault whose endpoints can be chosen.

    Attributes:
        endpoints: Method and path each; `*` stands for anything.
    """

    endpoints: Texts | None = None

    @property
    def patterns(self) -> tuple[str, ...]:
        """The endpoints it strikes."""
        return self.USUAL if self.endpoints is None else self.endpoints
