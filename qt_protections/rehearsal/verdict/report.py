"""What `GET /_rehearsal/report` answers."""

from enum import StrEnum

from pydantic import BaseModel

from qt_protections.rehearsal.market.recordings import ReplayFacts
from qt_protections.rehearsal.verdict.traffic import TrafficReport

# Slippage of 0.15 % of the price, at a stop distance of 0.5 % with fees of 0.1 %.
LOSS_TOLERANCE_RATIO = 0.25


class Spread(BaseModel):
    """Quantiles in seconds over all positions, open ones included."""

    p50: float = 0.0
    p95: float = 0.0
    p99: float = 0.0
    max: float = 0.0


class StopCounts(BaseModel):
    """Stop orders (STOP, STOP_MARKET) sent by the client, by outcome.

    `accepted` is the sum of all that follow from `canceled` on, `rejected_at_trigger` included.

    Attributes:
        requested: Sent, those included whose parameters cannot be read.
        accepted: Answered NEW.
        rejected: Answered with an error.
        rejected_at_trigger: Accepted, but refused when the trigger was hit.
        rejections: Number of errors by code, and of `dead` ones that were answered with HTTP 200.
        canceled: Cancelled by the client.
        withdrawn: Taken away after acceptance by the exchange or someone else.
        expired: Ended by the exchange because their position was closed.
        filled: Triggered, and their order filled whole.
        unfilled: Triggered, and their order ended with a rest.
        working: Triggered, and their order is still in the book.
        live: Waiting for, or at, their trigger.
    """

    requested: int = 0
    accepted: int = 0
    rejected: int = 0
    rejected_at_trigger: int = 0
    rejections: dict[str, int] = {}
    canceled: int = 0
    withdrawn: int = 0
    expired: int = 0
    filled: int = 0
    unfilled: int = 0
    working: int = 0
    live: int = 0


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


class Orphan(BaseModel):
    """A conditional order that is live though there is no position it could close.

    Attributes:
        symbol: Exchange name.
        algo_id: Number of the order.
        client_id: The client's name for it.
        side: BUY or SELL.
        type: Order type.
        quantity: Base units, None if it closes the whole position.
        since_ms: Since when it is one, epoch milliseconds.
        left_over: Whether there was a position it could close since it was accepted; otherwise
            it waits for an entry.
    """

    symbol: str
    algo_id: int
    client_id: str
    side: str
    type: str
    quantity: float | None
    since_ms: int
    left_over: bool = False


class OrphanCounts(BaseModel):
    """Orphans, now and in the past; an order may be one several times.

    Attributes:
        now: Orphans now.
        left_over_now: Those of them whose position is gone.
        past: Times an order was one and is no more.
        left_over_past: Those of them whose position was gone.
        longest_s: Longest time as one, until now for present ones.
        left_over_longest_s: The same of those whose position was gone.
    """

    now: int = 0
    left_over_now: int = 0
    past: int = 0
    left_over_past: int = 0
    longest_s: float = 0.0
    left_over_longest_s: float = 0.0


class Slippage(BaseModel):
    """Fills of stops against their triggers; positive is worse than the trigger.

    Attributes:
        positions: Positions that had such fills.
        total: USDT.
        mean: USDT per position.
        worst: USDT, the worst position's.
        mean_ratio: Mean of the positions' ratios.
        worst_ratio: Worst of them.
    """

    positions: int = 0
    total: float = 0.0
    mean: float = 0.0
    worst: float = 0.0
    mean_ratio: float = 0.0
    worst_ratio: float = 0.0


class Losses(BaseModel):
    """Losses of closed positions, fees and insurance included, against their planned risk.

    Attributes:
        planned: Closed at a loss, with a planned risk.
        unplanned: Closed at a loss, without one.
        mean_ratio: Mean of loss by planned risk.
        worst_ratio: Worst of them.
        tolerance_ratio: How much above 1 a ratio may be: slippage is not planned.
        exceeding: Ratios above 1 by more than that.
    """

    planned: int = 0
    unplanned: int = 0
    mean_ratio: float = 0.0
    worst_ratio: float = 0.0
    tolerance_ratio: float = LOSS_TOLERANCE_RATIO
    exceeding: int = 0


class Summary(BaseModel):
    """The report in numbers.

    Attributes:
        closed: Positions closed.
        open: Positions still open.
        naked_s: Seconds without full cover, per position.
        naked_total_s: Their sum.
        naked_now: Positions naked now.
        naked_by_cause: Naked gaps by what began them.
        never_covered: Positions that never had full cover.
        stops: Stop orders by outcome.
        exits: Closed positions by what closed them.
        entries: Orders that opened or increased a position.
        stops_live_before_entry: Positions whose cover stood before their first fill.
        orphan_s: Seconds that live reduce-only conditional orders had no position, summed.
        orphans: How many, how long.
        slippage: Fills of stops against their triggers.
        losses: Losses against the planned risk.
        liquidations: Positions of which the exchange liquidated any.
        realized_pnl: USDT, without fees.
        fees: USDT.
        funding: USDT paid.
        insurance: USDT paid to the insurance fund, less what it paid.
    """

    closed: int = 0
    open: int = 0
    naked_s: Spread = Spread()
    naked_total_s: float = 0.0
    naked_now: int = 0
    naked_by_cause: dict[GapCause, GapTotal] = {}
    never_covered: int = 0
    stops: StopCounts = StopCounts()
    exits: dict[str, int] = {}
    entries: int = 0
    stops_live_before_entry: int = 0
    orphan_s: float = 0.0
    orphans: OrphanCounts = OrphanCounts()
    slippage: Slippage = Slippage()
    losses: Losses = Losses()
    liquidations: int = 0
    realized_pnl: float = 0.0
    fees: float = 0.0
    funding: float = 0.0
    insurance: float = 0.0


class Report(BaseModel):
    """Everything the exchange says about the protection of positions.

    Attributes:
        summary: All positions in numbers.
        positions: The latest 1,000 closed ones, oldest first, and then the open ones.
        orphans: Live reducing orders without a position.
        traffic: HTTP requests.
        replay: The recorded market, None if prices are made up.
    """

    summary: Summary
    positions: list[PositionReport]
    orphans: list[Orphan]
    traffic: TrafficReport = TrafficReport()
    replay: ReplayFacts | None = None
