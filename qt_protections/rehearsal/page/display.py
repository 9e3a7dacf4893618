"""What the page at `/` shows, in one answer: `GET /_rehearsal/state`."""

from collections.abc import Sequence

from pydantic import BaseModel

from qt_protections.rehearsal.api.wire_account import asset_json, position_v2_json
from qt_protections.rehearsal.engine.orders import AlgoOrder, Order
from qt_protections.rehearsal.journal import JsonObject
from qt_protections.rehearsal.market.candles import CLOSE, Window
from qt_protections.rehearsal.market.recordings import ReplayFacts
from qt_protections.rehearsal.venue import Venue
from qt_protections.rehearsal.verdict.position_report import PositionReport
from qt_protections.rehearsal.verdict.report import Orphan, Summary
from qt_protections.rehearsal.verdict.traffic import TrafficReport

SPARK_MINUTES = 60
SHOWN_POSITIONS = 12
SHOWN_EVENTS = 40


class Money(BaseModel):
    """The account, in USDT."""

    wallet: float
    unrealized: float
    equity: float
    available: float


class Price(BaseModel):
    """A symbol's price.

    Attributes:
        symbol: Exchange name.
        decimals: Decimals of its prices.
        last: Last price, USDT.
        mark: Mark price, USDT.
        change_ratio: Last price against the first of `closes`.
        closes: Closes of the latest 60 minutes, USDT, oldest first; the last one still moves.
    """

    symbol: str
    decimals: int
    last: float
    mark: float
    change_ratio: float
    closes: list[float]


class OpenPosition(BaseModel):
    """An open position.

    Attributes:
        symbol: Exchange name.
        side: LONG or SHORT.
        quantity: Base units.
        entry_price: USDT.
        mark_price: USDT.
        unrealized: Profit at the mark price, USDT.
        unrealized_ratio: The same as a ratio of the margin put behind it.
        leverage: Chosen leverage.
        liquidation_price: USDT, 0 if there is none.
        covered: Base units that live stops cover.
        stop_price: Trigger that would be reached first of those stops, USDT.
        stop_distance_ratio: From the mark price to it, as a ratio of the mark price.
    """

    symbol: str
    side: str
    quantity: float
    entry_price: float
    mark_price: float
    unrealized: float
    unrealized_ratio: float
    leverage: int
    liquidation_price: float
    covered: float
    stop_price: float | None
    stop_distance_ratio: float | None


class WaitingOrder(BaseModel):
    """A resting or conditional order.

    Attributes:
        number: `orderId` or `algoId`.
        symbol: Exchange name.
        side: BUY or SELL.
        type: Order type.
        quantity: Base units left, None if it closes the whole position.
        price: Limit price, USDT, None for a market order.
        trigger: Trigger price, USDT, None for plain orders and trailing stops.
        callback_ratio: Distance of a trailing stop.
        reduce_only: Whether it can only shrink a position.
        client_id: The client's name for it.
        since_ms: When it was accepted, epoch milliseconds.
    """

    number: int
    symbol: str
    side: str
    type: str
    quantity: float | None
    price: float | None
    trigger: float | None = None
    callback_ratio: float | None = None
    reduce_only: bool
    client_id: str
    since_ms: int


class State(BaseModel):
    """Everything the page shows.

    Attributes:
        now_ms: Exchange time, epoch milliseconds.
        market: Name of the market.
        replay: The recorded market, None if prices are made up.
        faults: What may go wrong with requests, in words.
        account: Balances.
        summary: The verdict.
        orphans: Live reducing orders without a position.
        prices: By symbol.
        positions: Open ones.
        orders: Resting plain orders.
        conditionals: Conditional orders before their trigger.
        coverage: The open positions and the latest closed ones, with their gaps.
        events: The latest, oldest first.
        traffic: Requests.
    """

    now_ms: int
    market: str
    replay: ReplayFacts | None
    faults: list[str]
    account: Money
    summary: Summary
    orphans: list[Orphan]
    prices: list[Price]
    positions: list[OpenPosition]
    orders: list[WaitingOrder]
    conditionals: list[WaitingOrder]
    coverage: list[PositionReport]
    events: list[JsonObject]
    traffic: TrafficReport


def state(venue: Venue, faults: Sequence[str]) -> State:
    """Return what the page shows of `venue`, and of what goes wrong on the way to it."""
    verdict = venue.verdict
    verdict.pass_time(venue.now_ms)
    return State(
        now_ms=venue.now_ms,
        market=venue.market,
        replay=venue.replayed,
        faults=list(faults),
        account=_money(venue),
        summary=verdict.summary(),
        orphans=verdict.orphans(),
        prices=[_price(venue, symbol) for symbol in venue.tape.symbols],
        positions=[_position(venue, symbol) for symbol, _ in venue.account.held()],
        orders=[_order(order) for order in venue.desk.open_orders()],
        conditionals=[_conditional(algo) for algo in venue.conditional.live()],
        coverage=verdict.positions(SHOWN_POSITIONS),
        events=[event.as_json() for event in venue.journal.latest(SHOWN_EVENTS)],
        traffic=venue.traffic.report(),
    )


def _money(venue: Venue) -> Money:
    asset = asset_json(venue)
    return Money.model_validate(
        {
            "wallet": asset["walletBalance"],
            "unrealized": asset["unrealizedProfit"],
            "equity": asset["marginBalance"],
            "available": asset["availableBalance"],
        }
    )


def _price(venue: Venue, symbol: str) -> Price:
    tape = venue.tape[symbol]
    closes = venue.tape.bars(symbol, "1m", Window(limit=SPARK_MINUTES)).columns[CLOSE].tolist()
    return Price(
        symbol=symbol,
        decimals=tape.instrument.price_decimals,
        last=tape.last,
        mark=tape.mark,
        change_ratio=tape.last / closes[0] - 1,
        closes=closes,
    )


def _position(venue: Venue, symbol: str) -> OpenPosition:
    row = position_v2_json(venue, symbol)
    amount, mark, unrealized, entry, liquidation = (
        float(str(row[name]))
        for name in (
            "positionAmt",
            "markPrice",
            "unRealizedProfit",
            "entryPrice",
            "liquidationPrice",
        )
    )
    margin = float(venue.account.entry_margin(symbol))
    cover = venue.verdict.cover_of(symbol)
    triggers = [float(stop.price) for stop in cover.stops if stop.price is not None]
    nearest = min(triggers, key=lambda trigger: abs(trigger - mark), default=None)
    return OpenPosition(
        symbol=symbol,
        side="LONG" if amount > 0 else "SHORT",
        quantity=abs(amount),
        entry_price=entry,
        mark_price=mark,
        unrealized=unrealized,
        unrealized_ratio=unrealized / margin if margin else 0.0,
        leverage=int(str(row["leverage"])),
        liquidation_price=liquidation,
        covered=float(cover.quantity),
        stop_price=nearest,
        stop_distance_ratio=None if nearest is None else abs(nearest - mark) / mark,
    )


def _order(order: Order) -> WaitingOrder:
    request = order.request
    return WaitingOrder(
        number=order.order_id,
        symbol=request.symbol,
        side=request.side,
        type=request.type,
        quantity=float(order.remaining),
        price=float(request.price) if request.price else None,
        reduce_only=request.reduce_only,
        client_id=request.client_id,
        since_ms=order.created_ms,
    )


def _conditional(algo: AlgoOrder) -> WaitingOrder:
    request = algo.request
    trigger, ratio = request.trigger_price, request.callback_ratio
    return WaitingOrder(
        number=algo.algo_id,
        symbol=request.symbol,
        side=request.side,
        type=request.type,
        quantity=None if request.quantity is None else float(request.quantity),
        price=None if request.price is None else float(request.price),
        trigger=None if trigger is None else float(trigger),
        callback_ratio=None if ratio is None else float(ratio),
        reduce_only=request.reduces,
        client_id=request.client_id,
        since_ms=algo.created_ms,
    )
