"""What a rule answers when it objects: a closed code and the facts behind it."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum


class DenyCode(StrEnum):
    """Every reason the guard can have to refuse an entry."""

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
        code: Which rule objects.
        facts: What it judged by, by name: numbers in the units of the rule's own arguments.
    """

    code: DenyCode
    facts: tuple[tuple[str, object], ...]

    @property
    def text(self) -> str:
        """What a person reads, without the symbol: the announcer knows that one.

        It goes to Telegram as HTML: no angle brackets and no ampersand.
        """
        form, facts = _TEXTS[self.code], dict(self.facts)
        return form.format(**facts) if isinstance(form, str) else form(facts)

    @property
    def stands(self) -> bool:
        """Whether the same candle, holdings and balance meet the same refusal.

        The price moves meanwhile, and may change the answer: `StandingRefusals` bounds for how long
        nobody asks.
        """
        if self.code is DenyCode.STOP_TOO_CLOSE:  # fees stay, the spread does not
            return "fees" in dict(self.facts)
        return self.code in _STANDING

    def __str__(self) -> str:
        return f"{self.code}: {self.text}"


def deny(code: DenyCode, **facts: object) -> Denial:
    """Return a denial with its facts."""
    return Denial(code, tuple(facts.items()))


def _short_in_uptrend(facts: Mapping[str, object]) -> str:
    distance, confidence = _number(facts["local_distance"]), _number(facts["confidence"])
    if not distance < 0:
        place = "unknown" if math.isnan(distance) else f"{distance:+.2%}"
        return f"the symbol is not below its own EMA200 ({place})"
    if math.isnan(confidence):
        return "the signal carries no confidence"
    return f"confidence {confidence:.0%} is below {_number(facts['least']):.0%}"


def _averaging_down(facts: Mapping[str, object]) -> str:
    if facts["entries"] is None:
        form = "adding at {rate:.8g} averages down from {average:.8g}, and the position already "
        form += "risks {position_risk:.4g} of the {limit:.4g} that one trade may lose at its stop"
    else:
        form = "the position already risks {position_risk:.4g} of the {limit:.4g} that all "
        form += "{entries} entries of one trade together may lose at its stop"
    form += ": what is left makes a stake of {stake:.4g}, and the exchange's minimum is "
    form += "{minimum:.4g} (averaging_down)"
    return form.format(**facts)


def _stop_too_close(facts: Mapping[str, object]) -> str:
    form = "stop {stop:.8g} is {distance:.3%} from the entry {entry:.8g}, no farther than "
    form += (
        "the fees of both fills ({fees:.3%})" if "fees" in facts else "the spread ({spread:.3%})"
    )
    return form.format(**facts)


def _number(fact: object) -> float:
    assert isinstance(fact, float | int)  # noqa: S101  the rules give numbers
    return float(fact)


_TEXTS: dict[DenyCode, str | Callable[[Mapping[str, object]], str]] = {
    DenyCode.SHORT_IN_UPTREND: _short_in_uptrend,
    DenyCode.SHORT_REGIME_UNKNOWN: "global regime unknown: candles missing, stale or too few",
    DenyCode.SYMBOL_FULL: "Already at max {limit} positions for this symbol",
    DenyCode.PAIR_LOCKED: "locked until {until:%Y-%m-%d %H:%M} UTC: {reason} (/unlock {lock_id})",
    DenyCode.AVERAGING_DOWN: _averaging_down,
    DenyCode.OPEN_RISK_FULL: (
        "all positions together already risk {open_risk:.4g} of the {limit:.4g} that they may lose "
        "at their stops: what is left makes a stake of {stake:.4g}, and the exchange's minimum is "
        "{minimum:.4g} (max_open_risk)"
    ),
    DenyCode.GROUP_RISK_FULL: (
        "positions that move with {benchmark} already risk {group_risk:.4g} of the {limit:.4g} "
        "that they may lose at their stops: what is left makes a stake of {stake:.4g}, and the "
        "exchange's minimum is {minimum:.4g} (max_group_risk)"
    ),
    DenyCode.STAKE_TOO_SMALL: (
        "stake {stake:.4g} is below the exchange's minimum {minimum:.4g}: raising it would exceed "
        "what {risk_ratio:.2%} of risk, or the strategy, allows"
    ),
    DenyCode.NO_EQUITY: (
        "Freqtrade counts in {coin}, and finds none; the account holds {held}. Where another coin "
        'is the collateral (BNFCR, or multi-asset mode), set "proxy_coin" to that coin and '
        '"margin_mode" to "cross"'
    ),
    DenyCode.STOP_INVALID: "stop {stop:.8g} is not {side} the entry {entry:.8g}",
    DenyCode.STOP_TOO_CLOSE: _stop_too_close,
    DenyCode.STOP_UNKNOWN: "no stop distance: the ATR of {candles} closed candles is not known",
    DenyCode.SPREAD_UNKNOWN: (
        "whether its stop would stand within the spread is not known: the exchange has not told "
        "the pair's best prices since the start"
    ),
    DenyCode.FEE_UNKNOWN: (
        "the taker fee of {pair} is not known, so nobody knows what its stop loses: Freqtrade asks "
        "for fees with the markets, and dry runs and backtests take fee from the configuration"
    ),
    DenyCode.STOP_BEYOND_LIQUIDATION: (
        "at leverage {leverage:.4g} the position is liquidated {liquidation:.3%} from its entry, "
        "and its stop at {distance:.3%} needs {needed:.3%} (liquidation_buffer)"
    ),
    DenyCode.BRACKETS_UNKNOWN: (
        "Freqtrade has no leverage tiers of {pair}, so nobody knows where that is liquidated: "
        "/reload_config asks the exchange for them again, and dry runs and backtests on Binance "
        "take those of the installed Freqtrade; without them, trade other pairs"
    ),
    DenyCode.STOP_REFUSED: "no stop, no entry: {refusal}",
    DenyCode.TOO_MANY_STOPS: (
        "a position of {amount:.8g} needs {needed} stops of at most {largest:.8g} each, and of the "
        "account's conditional orders {free:g} are free: enter with less, or cancel some of them"
    ),
    DenyCode.CLOCK_SKEW: (
        "this machine's clock is {skew_s:.1f} s {way} the exchange's, which may refuse a stop for "
        "that: synchronise the clock, for example by NTP"
    ),
    DenyCode.ENTRY_UNSETTLED: (
        "an earlier entry is not settled, or the exchange holds a position without a trade, or it "
        "has not been seen since the start, or a stop of an earlier run stands there and it is not "
        "certain yet that it protects nothing"
    ),
    DenyCode.TRADE_CLOSED: "the trade it adds to was closed meanwhile",
    DenyCode.PAIR_TAKEN: "the pair has got a trade meanwhile, and may have one only",
    DenyCode.GATE_FAILED: "{gate} failed, so the entry is refused ({error})",
}
