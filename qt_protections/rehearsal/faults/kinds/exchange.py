"""Faults of the exchange as a whole: triggers, clock, streams, and deleveraging."""

from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from qt_protections.rehearsal.faults.entry import BySymbol, Counted, Entry, Milliseconds, Symbols

UserEvents = Annotated[
    tuple[
        Literal[
            "ORDER_TRADE_UPDATE",
            "TRADE_LITE",
            "ACCOUNT_UPDATE",
            "ALGO_UPDATE",
            "ACCOUNT_CONFIG_UPDATE",
        ],
        ...,
    ],
    Field(strict=False, min_length=1),
]


class Sleep(Entry):
    """Triggers ignore the price: conditional orders are listed as live and do not fire.

    Attributes:
        symbols: Only the orders of these.
    """

    kind: Literal["sleep"]
    symbols: Symbols | None = None


class Adl(BySymbol):
    """The exchange closes a part of positions: of each some time after it opened, or at a moment.

    Attributes:
        after_ms: From the position's opening; without it, all that are open at `at_s`.
        share: The part it closes.
    """

    kind: Literal["adl"]
    after_ms: Milliseconds | None = None
    share: Annotated[float, Field(gt=0, le=1)] = 0.5

    @property
    def is_moment(self) -> bool:
        """Whether it closes at a moment."""
        return self.after_ms is None

    @property
    def part(self) -> Decimal:
        """The share, exactly as it was written."""
        return Decimal(str(self.share))

    @model_validator(mode="after")
    def _check_moment(self) -> Self:
        if self.is_moment and self.at_s is None:
            raise ValueError("needs after_ms (from a position's opening) or at_s (a moment)")
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


class StreamMute(BySymbol):
    """The user data stream answers pings, and does not tell of events.

    Attributes:
        events: Only these messages.
    """

    kind: Literal["stream_mute"]
    events: UserEvents | None = None
