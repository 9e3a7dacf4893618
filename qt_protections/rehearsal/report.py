"""What `GET /_rehearsal/report` answers."""

from datetime import datetime

from pydantic import BaseModel


class Spread(BaseModel):
    """Quantiles in seconds over all positions, open ones included."""

    p50: float = 0.0
    p95: float = 0.0
    p99: float = 0.0
    max: float = 0.0


class StopCounts(BaseModel):
    """Stop orders (STOP, STOP_MARKET) sent by the client.

    Attributes:
        requested: Sent with well-formed parameters.
        accepted: Answered NEW.
        rejected: Answered with an error.
        rejected_at_trigger: Accepted, but refused when the trigger was hit.
        rejections: Number of errors by code.
    """

    requested: int = 0
    accepted: int = 0
    rejected: int = 0
    rejected_at_trigger: int = 0
    rejections: dict[str, int] = {}


class PositionReport(BaseModel):
    """One position, from flat to flat.

    Attributes:
        symbol: Exchange name.
        side: LONG or SHORT.
        opened_ms: First fill, epoch milliseconds.
        closed_ms: Last fill, None while open.
        qty_max: Largest size in base units.
        entries: Orders that opened or increased it.
        entry_price: Mean price of the opening fills, USDT.
        exit_price: Mean price of the closing fills, USDT; None before the first.
        exit: What closed it: stop, trailing, take_profit, market, limit, liquidation.
        margin_max: Largest isolated margin, USDT.
        realized_pnl: USDT, without fees.
        pnl_ratio: Realised profit as a ratio of `margin_max`, without fees.
        fees: USDT.
        naked_s: Seconds it stood without live stops covering its full size.
        stop_live_before_entry: Whether its cover stood complete before the first fill.
        stop_lead_ms: From acceptance of the stop that completed the cover to the first fill;
            negative if the stop came later, None if it never was covered.
    """

    symbol: str
    side: str
    opened_ms: int
    closed_ms: int | None = None
    qty_max: float
    entries: int = 0
    entry_price: float
    exit_price: float | None = None
    exit: str | None = None
    margin_max: float = 0.0
    realized_pnl: float = 0.0
    pnl_ratio: float = 0.0
    fees: float = 0.0
    naked_s: float = 0.0
    stop_live_before_entry: bool = False
    stop_lead_ms: int | None = None


class Orphan(BaseModel):
    """A conditional order that is live though there is no position it could close."""

    symbol: str
    algo_id: int
    client_id: str
    side: str
    type: str
    quantity: float | None
    since_ms: int


class Summary(BaseModel):
    """The report in numbers.

    Attributes:
        closed: Positions closed.
        open: Positions still open.
        naked_s: Seconds without full cover, per position.
        naked_total_s: Their sum.
        never_covered: Positions that never had full cover.
        stops: Stop orders by outcome.
        exits: Closed positions by what closed them.
        entries: Orders that opened or increased a position.
        stops_live_before_entry: Positions whose cover stood before their first fill.
        orphan_s: Seconds that live reduce-only conditional orders had no position, summed.
        realized_pnl: USDT, without fees.
        fees: USDT.
        funding: USDT paid.
    """

    closed: int = 0
    open: int = 0
    naked_s: Spread = Spread()
    naked_total_s: float = 0.0
    never_covered: int = 0
    stops: StopCounts = StopCounts()
    exits: dict[str, int] = {}
    entries: int = 0
    stops_live_before_entry: int = 0
    orphan_s: float = 0.0
    realized_pnl: float = 0.0
    fees: float = 0.0
    funding: float = 0.0


class ReplayFacts(BaseModel):
    """Which recorded market is being replayed.

    Attributes:
        start: Time of the first live candle in its file, UTC.
        shift_ms: Added to a file's time to get the exchange's: exact up to `start`, and after it
            while `speed` is 1.
        speed: Candle minutes per minute.
        ends_ms: When the files end and prices begin to hold still, exchange time, epoch
            milliseconds.
    """

    start: datetime
    shift_ms: int
    speed: float
    ends_ms: int


class Report(BaseModel):
    """Everything the exchange says about the protection of positions; `replay` says of which past.

    A seeded market has no `replay`.
    """

    summary: Summary
    positions: list[PositionReport]
    orphans: list[Orphan]
    replay: ReplayFacts | None = None
