"""What `GET /_rehearsal/report` answers: all positions in numbers, and each of the latest."""

from pydantic import BaseModel

from qt_protections.rehearsal.market.recordings import ReplayFacts
from qt_protections.rehearsal.verdict.position_report import GapCause, GapTotal, PositionReport
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
