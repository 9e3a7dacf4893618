"""What may happen on the exchange without a request, and the keys each kind takes in a script."""

from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from qt_protections.rehearsal.faults.entry import BySymbol, Entry, Symbols
from qt_protections.rehearsal.faults.kinds import Milliseconds

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


class ChildUnknown(BySymbol):
    """The order that a trigger sent is executed, but not named, or not known.

    Attributes:
        hides: `name`: `actualOrderId` stays empty; `order`: lookups do not know it; or `both`.
        hidden_ms: So long from its acceptance; to the end of the entry's time if absent.
    """

    kind: Literal["child_unknown"]
    hides: Literal["name", "order", "both"] = "name"
    hidden_ms: Milliseconds | None = None


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


class StreamMute(BySymbol):
    """The user data stream answers pings, and does not tell of events.

    Attributes:
        events: Only these messages.
    """

    kind: Literal["stream_mute"]
    events: UserEvents | None = None
