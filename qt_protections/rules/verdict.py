"""What a rule answers when it objects: a closed code and the facts behind it."""

from dataclasses import dataclass
from enum import StrEnum


class DenyCode(StrEnum):
    """Every reason the guard can have to refuse an entry."""

    SHORT_IN_UPTREND = "short_in_uptrend"
    SHORT_REGIME_UNKNOWN = "short_regime_unknown"
    SYMBOL_FULL = "symbol_full"
    STAKE_TOO_SMALL = "stake_too_small"
    STOP_INVALID = "stop_invalid"
    STOP_REFUSED = "stop_refused"
    ENTRY_UNSETTLED = "entry_unsettled"
    GATE_FAILED = "gate_failed"


@dataclass(frozen=True, slots=True)
class Denial:
    """A refused entry.

    Attributes:
        code: Which rule objects.
        text: What a person reads, without the symbol: the announcer knows that one.
    """

    code: DenyCode
    text: str

    def __str__(self) -> str:
        return f"{self.code}: {self.text}"
