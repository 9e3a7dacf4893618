"""What the report tells of one position: its orders, its stops, and when it stood naked."""

from enum import StrEnum

from pydantic import BaseModel


class GapCause(StrEnum):
    """Why a position stood naked."""

    OPENED = "opened_before_stop"
    """It was opened before stops for its size were live."""
    GREW = "grew_beyond_stop"
    """It was increased beyond the size of its stops."""
    CANCELED = "stop_canceled"
    """The client cancelled a stop."""
    WITHDRAWN = "stop_withdrawn"
    """The exchange, or someone else, took a stop away."""
    EXPIRED = "stop_expired"
    """A stop expired."""
    REFUSED = "stop_refused_at_trigger"
    """A stop was refused when its trigger was hit."""
    REST = "stop_left_rest"
    """A stop was triggered, but its order left a rest of the position."""


class GapEnd(StrEnum):
    """What ended a naked gap."""

    ACCEPTED = "stop_accepted"
    REDUCED = "position_reduced"
    CLOSED = "position_closed"


class Gap(BaseModel):
    """A time in which a position was naked; what does not last a millisecond is none.

    Attributes:
        start_ms: Epoch milliseconds.
        end_ms: Epoch milliseconds, None while it lasts.
        seconds: Length, until now while it lasts.
        uncovered_qty: Largest size without stops during it, base units.
        cause: What began it.
        ended_by: What ended it, None while it lasts.
        exit: What closed the position, if that ended it, as in `PositionReport`.
        refusals: Stop requests refused during it, by code.
    """

    start_ms: int
    end_ms: int | None = None
    seconds: float
    uncovered_qty: float
    cause: GapCause
    ended_by: GapEnd | None = None
    exit: str | None = None
    refusals: dict[str, int] = {}


class GapTotal(BaseModel):
    """Naked gaps of one cause: how many, and their seconds."""

    gaps: int = 0
    seconds: float = 0.0


class MarkKind(StrEnum):
    """What can be marked on the time line of a position."""

    ENTRY = "entry"
    EXIT = "exit"
    STOP = "stop"
    STOP_GONE = "stop_gone"


class Mark(BaseModel):
    """A moment of a position.

    Attributes:
        ms: Epoch milliseconds.
        kind: Opening fills, closing fills, a stop accepted, a stop ended.
        quantity: Base units, None for a stop that closes the whole position.
        price: USDT: mean of the fills, or trigger.
    """

    ms: int
    kind: MarkKind
    quantity: float | None = None
    price: float | None = None


class PositionReport(BaseModel):
    """One position, from flat to flat.

    Attributes:
        number: Running number, in order of opening.
        symbol: Exchange name.
        side: LONG or SHORT.
        opened_ms: First fill, epoch milliseconds.
        closed_ms: Last fill, None while open.
        qty_max: Largest size in base units.
        entries: Orders that opened or increased it.
        entry_price: Mean price of the opening fills, USDT.
        exit_price: Mean price of the closing fills, USDT; None before the first.
        exit: What closed it: stop, trailing, take_profit, market, limit, liquidation, adl.
        liquidated: Whether the exchange liquidated any of it.
        margin_max: Largest margin put behind it, USDT: its isolated margin, or in cross its
            entry value by the leverage.
        realized_pnl: USDT, without fees.
        pnl_ratio: Realised profit as a ratio of `margin_max`, without fees.
        fees: USDT.
        insurance: USDT paid to the insurance fund for its liquidation, negative if the fund paid.
        naked_s: Seconds it stood without live stops covering its full size.
        naked_by_cause: The same by cause, with the number of gaps.
        gaps: Its latest 100 naked gaps, oldest first.
        stop_live_before_entry: Whether its cover stood complete before the first fill.
        stop_lead_ms: From acceptance of the stop that completed the cover to the first fill;
            negative if the stop came later, None if it never was covered.
        planned_risk: What `qty_max` loses from `entry_price` to the trigger of the stop that
            first completed the cover, taker fees at both prices included, USDT; None without
            such a stop.
        loss_ratio: Loss with fees and insurance as a ratio of `planned_risk`; None while open,
            without a loss, or without a planned risk.
        stop_slippage: What the fills of its stops cost beyond their triggers, USDT; negative if
            they were better; None without such fills.
        stop_slippage_ratio: The same as a ratio of those fills' value at their triggers.
        marks: Its latest 60 moments, oldest first, stops from before the entry included.
    """

    number: int = 0
    symbol: str
    side: str
    opened_ms: int
    closed_ms: int | None = None
    qty_max: float
    entries: int = 0
    entry_price: float
    exit_price: float | None = None
    exit: str | None = None
    liquidated: bool = False
    margin_max: float = 0.0
    realized_pnl: float = 0.0
    pnl_ratio: float = 0.0
    fees: float = 0.0
    insurance: float = 0.0
    naked_s: float = 0.0
    naked_by_cause: dict[GapCause, GapTotal] = {}
    gaps: list[Gap] = []
    stop_live_before_entry: bool = False
    stop_lead_ms: int | None = None
    planned_risk: float | None = None
    loss_ratio: float | None = None
    stop_slippage: float | None = None
    stop_slippage_ratio: float | None = None
    marks: list[Mark] = []
