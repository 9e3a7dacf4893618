"""The operator's lines: their wording is an interface, so it stands in one place."""

import logging
import math
from dataclasses import dataclass
from datetime import datetime

from qt_protections.market.signals import Signal
from qt_protections.reporting.entry_counts import Tally
from qt_protections.rules.denial import Denial, DenyCode
from qt_protections.rules.pairs import symbol_of
from qt_protections.rules.regime import Trend
from qt_protections.rules.stop_price import Distance, StopBound

logger = logging.getLogger(__name__)


#: The settings that make an entry smaller, by what they say when nothing is left of it.
_LIMITS = {
    DenyCode.STAKE_TOO_SMALL: "risk_per_trade",
    DenyCode.OPEN_RISK_FULL: "max_open_risk",
    DenyCode.GROUP_RISK_FULL: "max_group_risk",
}


@dataclass(slots=True)
class Refused:
    """A refusal of one rule on one pair, as often as it was said.

    Attributes:
        pair: Freqtrade's pair.
        denial: The last one, with its facts.
        at: The open time (UTC) of the candle it was last said in; None before the first loop.
        count: In how many candles.
    """

    pair: str
    denial: Denial
    at: datetime | None
    count: int = 0


class OperatorLog:
    """Says each thing once per candle, and counts what it said.

    Attributes:
        refused: Every refusal so far, by pair and code.
        count: How often a refusal was said.
        tally: What became of the other entries.
    """

    def __init__(self, *, speaks: bool = True, explains: bool = True) -> None:
        """Begin.

        Args:
            speaks: Whether it writes to the log; a backtest of years only counts.
            explains: Whether it says once what is done to entries, also where it does not speak;
                hyperopt would repeat that in each epoch.
        """
        self.refused: dict[tuple[str, str], Refused] = {}
        self.count = 0
        self.tally = Tally()
        self._speaks = speaks
        self._explains = explains
        self._candle: datetime | None = None
        self._said: set[tuple[str, str]] = set()
        self._explained: set[StopBound] = set()
        self._lowered: set[str] = set()
        self._regime_said: str | None = None

    def begin(self) -> None:
        """Count anew: another backtest begins, or another epoch of hyperopt's."""
        self.refused.clear()
        self.count = 0
        self.tally.begin()

    def new_candle(self, candle: datetime) -> None:
        """Forget what was said; `candle` is the open time (UTC) of the one that began."""
        if candle != self._candle:
            self._candle = candle
            self._said.clear()

    def refusal(self, pair: str, denial: Denial, confidence: float = math.nan) -> None:
        """Say that an entry was refused."""
        if (pair, denial.code) not in self._said:
            refused = self.refused.setdefault(
                (pair, denial.code), Refused(pair, denial, self._candle)
            )
            refused.denial, refused.at = denial, self._candle
            refused.count += 1
            self.count += 1
        line = _refusal(symbol_of(pair), denial, confidence)
        self._once(pair, denial.code, line, logging.WARNING if denial.is_failure else logging.INFO)

    def cut(self, pair: str, wanted: float, amount: float, loss: float) -> None:
        """Say that an entry was made smaller at the door."""
        if self._speaks:
            logger.info(
                "[SAFETY] %s: entry of %.8g cut to %.8g, which loses %.4g at its stop",
                symbol_of(pair),
                wanted,
                amount,
                loss,
            )

    def stop_bounded(self, pair: str, planned: Distance) -> None:
        """Say once of each bound that it moves a stop from where its source has it.

        Args:
            pair: Freqtrade's pair.
            planned: Where the stop stands, and why.
        """
        bound = planned.bound
        if bound is None or bound in self._explained or not self._explains:
            return
        self._explained.add(bound)
        logger.warning(
            "[SAFETY] %s: its stop stands %.3g %% of price from the entry, not %.3g %%: %s. The "
            "size follows the stop. Further such entries are counted, not named.",
            symbol_of(pair),
            planned.ratio * 100,
            planned.wanted * 100,
            _BOUNDS[bound],
        )

    def allowed(
        self,
        *,
        is_short: bool,
        is_new: bool,
        cut_by: DenyCode | None = None,
        bound: StopBound | None = None,
    ) -> None:
        """Count an entry that goes out.

        Args:
            is_short: Side of the entry.
            is_new: Whether it opens a position.
            cut_by: The limit that made it smaller; None if none did.
            bound: What moved its stop; None if nothing did.
        """
        tally = self.tally
        tally.allowed["short" if is_short else "long"] += 1
        tally.further += not is_new
        if cut_by is not None:
            tally.cut[_LIMITS.get(cut_by, cut_by.value)] += 1
        if bound is not None:
            tally.clamped[bound.value] += 1

    def lowered(self, pair: str, wanted: float, leverage: float) -> None:
        """Say once a pair that leverage is lowered, and count how often it is."""
        self.tally.lowered[pair] += 1
        if pair in self._lowered or not self._explains:
            return
        self._lowered.add(pair)
        logger.info(
            "[SAFETY] %s: leverage %g lowered to %g; that is said once, and counted from here on",
            symbol_of(pair),
            wanted,
            leverage,
        )

    def rare_short(self, pair: str, signal: Signal) -> None:
        """Say that a short passes although the market rises."""
        self.tally.rare_shorts += (pair, "rare_short") not in self._said
        self._once(
            pair,
            "rare_short",
            f"[SAFETY] RARE SHORT ALLOWED in UPTREND | symbol={symbol_of(pair)} | "
            f"local_regime=DOWN | conf={_percent(signal.confidence)}",
        )

    def regime(self, pair: str, interval: str, trend: Trend) -> None:
        """Say where the market stands; once for each of its own candles."""
        place = (
            f"{trend.distance:+.2%} vs EMA200 at {trend.closed_at:%Y-%m-%d %H:%M} UTC"
            if trend.closed_at
            else "candles missing, stale or too few: shorts are refused"
        )
        line = f"[GLOBE] Global Regime: {trend.regime} | {pair} {interval} | {place}"
        if line != self._regime_said:
            self._regime_said = line
            logger.info(line)

    def _once(self, subject: str, what: str, line: str, level: int = logging.INFO) -> None:
        if (subject, what) not in self._said:
            self._said.add((subject, what))
            if not self._speaks:
                return
            logger.log(level, line)


_BOUNDS = {
    StopBound.MIN_STOP: (
        "min_stop lets none be closer, and min_stop 0 lets each stand where the strategy or "
        "stop_source has it"
    ),
    StopBound.MAX_STOP: (
        "max_stop lets none be farther, and max_stop null lets each stand where the strategy or "
        "stop_source has it"
    ),
    StopBound.LIQUIDATION: (
        "farther away the position would be liquidated first, at whatever leverage "
        "(liquidation_buffer). A stoploss closer to 0 is kept as it is"
    ),
    StopBound.FARTHEST: (
        "exchanges take none that is much farther, and a stoploss of -1 is no stop at all. Larger "
        "entries need a closer one: set the strategy's stoploss, stop_source or max_stop"
    ),
}


def _refusal(symbol: str, denial: Denial, confidence: float) -> str:
    match denial.code:
        case DenyCode.SHORT_IN_UPTREND:
            return (
                f"[SAFETY] SHORT BLOCKED by global uptrend rule | symbol={symbol} | "
                f"conf={_percent(confidence)} | {denial.text}"
            )
        case DenyCode.SHORT_REGIME_UNKNOWN:
            return f"[SAFETY] SHORT BLOCKED | symbol={symbol} | {denial.text}"
        case _:
            return f"[SAFETY] Skipping {symbol}: {denial.text}"


def _percent(ratio: float) -> str:
    return "none" if math.isnan(ratio) else f"{ratio:.0%}"
