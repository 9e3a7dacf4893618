"""What the guard decided of one entry, for whoever wants to look on."""

from dataclasses import dataclass
from datetime import datetime


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
    rate: float = float("nan")
    leverage: float = float("nan")
    distance: float = float("nan")
    loss_ratio: float = float("nan")
