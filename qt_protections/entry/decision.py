"""What the guard decided of one entry, for whoever wants to look on."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from math import nan

from qt_protections.rules.denial import Denial
from qt_protections.rules.entries import ApprovedEntry, EntryRequest


@dataclass(frozen=True, slots=True)
class Decision:
    """One entry and its verdict; NaN where the rule that refused it did not need to know.

    Attributes:
        moment: UTC; the wall clock, in backtests the candle's open.
        pair: Freqtrade's pair.
        is_short: Side of the entry.
        code: Which rule objects; None if the entry is allowed.
        rate: Price of the entry, quote currency.
        leverage: Notional over margin.
        distance: From entry to stop, as a ratio of the entry.
        loss_ratio: What the allowed size loses at its stop, as a ratio of equity.
    """

    moment: datetime
    pair: str
    is_short: bool
    code: str | None
    rate: float = nan
    leverage: float = nan
    distance: float = nan
    loss_ratio: float = nan


def decision_on(
    wish: EntryRequest,
    now: datetime,
    stake: float,
    allowance: ApprovedEntry | None,
    denial: Denial | None,
    loss_of: Callable[[ApprovedEntry, float], float],
) -> Decision:
    """Return the decision on the stake of an entry.

    Args:
        wish: The entry.
        now: UTC; the wall clock, in backtests the candle's open.
        stake: Quote currency.
        allowance: The stop and the largest size; None if neither is known.
        denial: The refusal; None if the entry is allowed.
        loss_of: Says what a stake loses at the stop, as a ratio of equity.
    """
    return Decision(
        moment=now,
        pair=wish.pair,
        is_short=wish.is_short,
        code=None if denial is None else denial.code,
        rate=wish.rate,
        leverage=wish.leverage,
        distance=nan if allowance is None else allowance.distance,
        loss_ratio=loss_of(allowance, stake) if allowance is not None and denial is None else nan,
    )
