"""What a rule answers when it objects: a code, a text, and the facts behind them.

The text of a denial stands where its rule does.
"""

from dataclasses import dataclass
from enum import StrEnum


class DenyCode(StrEnum):
    """The codes of the guard's own refusals; the status file and the counts go by them.

    A new rule whose code no other module names gives its code as a text, beside its rule.
    """

    SHORT_IN_UPTREND = "short_in_uptrend"
    SHORT_REGIME_UNKNOWN = "short_regime_unknown"
    SYMBOL_FULL = "symbol_full"
    PAIR_LOCKED = "pair_locked"
    AVERAGING_DOWN = "averaging_down"
    OPEN_RISK_FULL = "open_risk_full"
    GROUP_RISK_FULL = "group_risk_full"
    STAKE_TOO_SMALL = "stake_too_small"
    NO_EQUITY = "no_equity"
    STOP_INVALID = "stop_invalid"
    STOP_TOO_CLOSE = "stop_too_close"
    STOP_UNKNOWN = "stop_unknown"
    SPREAD_UNKNOWN = "spread_unknown"
    FEE_UNKNOWN = "fee_unknown"
    STOP_BEYOND_LIQUIDATION = "stop_beyond_liquidation"
    BRACKETS_UNKNOWN = "brackets_unknown"
    STOP_REFUSED = "stop_refused"
    TOO_MANY_STOPS = "too_many_stops"
    CLOCK_SKEW = "clock_skew"
    ENTRY_UNSETTLED = "entry_unsettled"
    TRADE_CLOSED = "trade_closed"
    PAIR_TAKEN = "pair_taken"
    GATE_FAILED = "gate_failed"


#: What the same signal meets again while its candle, what is held and the balance are the same.
#: The others may pass by themselves. Prices, clocks, markets and other orders change at any
#: moment; an entry that averages down depends on the price. A lock goes with /unlock, and Freqtrade
#: asks for locks before it spends a request.
_STANDING = frozenset(
    {
        DenyCode.SHORT_IN_UPTREND,
        DenyCode.SHORT_REGIME_UNKNOWN,
        DenyCode.SYMBOL_FULL,
        DenyCode.OPEN_RISK_FULL,
        DenyCode.GROUP_RISK_FULL,
        DenyCode.STAKE_TOO_SMALL,
        DenyCode.NO_EQUITY,
        DenyCode.STOP_UNKNOWN,
        DenyCode.STOP_BEYOND_LIQUIDATION,
    }
)


@dataclass(frozen=True, slots=True)
class Denial:
    """A refused entry; build it with `deny`.

    Attributes:
        code: Which rule objects: a `DenyCode`, or the code of a user's own rule.
        text: What a person reads, without the symbol: whoever announces the denial adds that.
        facts: What the rule judged by, by name: numbers in the units of the rule's arguments.
        is_failure: Whether the rule itself failed, so that nobody knows what it would have said.
    """

    code: str
    text: str
    facts: tuple[tuple[str, object], ...] = ()
    is_failure: bool = False

    @property
    def stands(self) -> bool:
        """Whether the same candle, holdings and balance meet the same refusal.

        The price moves meanwhile, and may change the answer: `StandingRefusals` bounds for how long
        nobody asks. A user's own rule may go by anything, so it is asked each time.
        """
        if self.code == DenyCode.STOP_TOO_CLOSE:  # fees stay, the spread does not
            return "fees" in dict(self.facts)
        return self.code in _STANDING

    def __str__(self) -> str:
        return f"{self.code}: {self.text}"


def deny(code: str, text: str, /, **facts: object) -> Denial:
    """Return a denial.

    Args:
        code: Names the reason to programs: in the status file, in counts. Lower case with
            underscores; a reason keeps its code.
        text: Tells a person why, without the symbol.
        facts: What the rule judged by. The status file tells numbers, texts and times as they are,
            and anything else by its `str`.
    """
    return Denial(code, text, tuple(facts.items()))
