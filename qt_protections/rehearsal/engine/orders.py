"""Orders and conditional (algo) orders, as the exchange keeps them."""

from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from qt_protections.rehearsal.engine.account import ZERO
from qt_protections.rehearsal.market.book import Side


class OrderType(StrEnum):
    """Types the plain endpoint takes."""

    MARKET = "MARKET"
    LIMIT = "LIMIT"


class AlgoType(StrEnum):
    """Types the conditional endpoint takes."""

    STOP_MARKET = "STOP_MARKET"
    STOP = "STOP"
    TAKE_PROFIT_MARKET = "TAKE_PROFIT_MARKET"
    TAKE_PROFIT = "TAKE_PROFIT"
    TRAILING_STOP_MARKET = "TRAILING_STOP_MARKET"

    @property
    def is_limit(self) -> bool:
        """Whether the triggered order is a limit order."""
        return self in {AlgoType.STOP, AlgoType.TAKE_PROFIT}

    @property
    def is_stop(self) -> bool:
        """Whether it fires against the position (trailing is counted apart)."""
        return self in {AlgoType.STOP, AlgoType.STOP_MARKET}

    @property
    def is_trailing(self) -> bool:
        """Whether the trigger follows the price."""
        return self is AlgoType.TRAILING_STOP_MARKET


class TimeInForce(StrEnum):
    """How long an order may rest."""

    GTC = "GTC"
    IOC = "IOC"
    FOK = "FOK"
    GTX = "GTX"


class OrderStatus(StrEnum):
    """Life of a plain order."""

    NEW = "NEW"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"


class AlgoStatus(StrEnum):
    """Life of a conditional order."""

    NEW = "NEW"
    TRIGGERING = "TRIGGERING"
    TRIGGERED = "TRIGGERED"
    FINISHED = "FINISHED"
    REJECTED = "REJECTED"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"

    @property
    def is_live(self) -> bool:
        """Whether the order still waits for, or is at, its trigger."""
        return self in {AlgoStatus.NEW, AlgoStatus.TRIGGERING}

    @property
    def is_done(self) -> bool:
        """Whether nothing more will happen to the order or to the one its trigger sent."""
        return not self.is_live and self is not AlgoStatus.TRIGGERED


class WorkingType(StrEnum):
    """The price a trigger is compared with."""

    CONTRACT_PRICE = "CONTRACT_PRICE"
    MARK_PRICE = "MARK_PRICE"


class Cause(StrEnum):
    """Why a trade happened."""

    MARKET = "market"
    LIMIT = "limit"
    STOP = "stop"
    TAKE_PROFIT = "take_profit"
    TRAILING = "trailing"
    LIQUIDATION = "liquidation"
    ADL = "adl"

    @property
    def is_forced(self) -> bool:
        """Whether the exchange closed a position by itself."""
        return self in {Cause.LIQUIDATION, Cause.ADL}

    @staticmethod
    def of(algo_type: AlgoType) -> "Cause":
        """Return the cause that a triggered order of `algo_type` stands for."""
        if algo_type.is_trailing:
            return Cause.TRAILING
        return Cause.STOP if algo_type.is_stop else Cause.TAKE_PROFIT


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """A plain order as asked for; prices in USDT, quantity in base units.

    `algo_id` is the conditional order whose trigger sent it, None for a client's own.
    """

    symbol: str
    side: Side
    type: OrderType
    quantity: Decimal
    client_id: str
    price: Decimal = ZERO
    tif: TimeInForce = TimeInForce.GTC
    reduce_only: bool = False
    close_position: bool = False
    cause: Cause = Cause.MARKET
    algo_id: int | None = None

    @property
    def may_rest(self) -> bool:
        """Whether what the book does not take at once waits there."""
        return self.type is OrderType.LIMIT and self.tif in {TimeInForce.GTC, TimeInForce.GTX}


@dataclass(slots=True)
class Order:
    """A plain order; prices in USDT, quantities in base units, times in epoch milliseconds.

    `ahead` is what is served before it at its price while it rests; `amendments` come oldest first.
    """

    request: OrderRequest
    order_id: int
    created_ms: int
    updated_ms: int
    quantity: Decimal
    status: OrderStatus = OrderStatus.NEW
    executed: Decimal = ZERO
    quote: Decimal = ZERO
    ahead: Decimal = ZERO
    amendments: list["Amendment"] = field(default_factory=list)

    @property
    def is_open(self) -> bool:
        """Whether it rests in the book."""
        return self.status in {OrderStatus.NEW, OrderStatus.PARTIALLY_FILLED}

    @property
    def remaining(self) -> Decimal:
        """Base units not yet filled."""
        return self.quantity - self.executed

    @property
    def average_price(self) -> Decimal:
        """Mean fill price in USDT, zero before the first fill."""
        return self.quote / self.executed if self.executed else ZERO


@dataclass(frozen=True, slots=True)
class AmendRequest:
    """An amendment as asked for; the number of the order prevails over its name.

    Attributes:
        symbol: Exchange name.
        side: The order's side, which cannot be changed.
        order_id: Number of the order.
        client_id: The client's name for it.
        price: New price in USDT.
        quantity: New size in base units, what is executed included.
        reduce_only: Whether the order is said to be reduce-only, which spares it the minimum value.
    """

    symbol: str
    side: Side
    order_id: int | None
    client_id: str | None
    price: Decimal
    quantity: Decimal
    reduce_only: bool = False


@dataclass(frozen=True, slots=True)
class Amendment:
    """An amendment that was made: prices in USDT, sizes in base units, epoch milliseconds."""

    number: int
    ms: int
    order: Order
    price: tuple[Decimal, Decimal]
    quantity: tuple[Decimal, Decimal]
    count: int


@dataclass(frozen=True, slots=True)
class AlgoRequest:
    """A conditional order as asked for.

    Attributes:
        symbol: Exchange name.
        side: Direction of the order the trigger sends.
        type: Kind of trigger.
        quantity: Base units, None with `close_position`.
        client_id: The client's name for it.
        trigger_price: USDT; None for a trailing stop.
        price: Limit price in USDT of STOP and TAKE_PROFIT.
        callback_ratio: Distance of a trailing stop as a ratio of its peak.
        activate_price: Price in USDT a trailing stop starts from.
        until_flat: Time in force GTE_GTC: good until cancelled or the position's end.
    """

    symbol: str
    side: Side
    type: AlgoType
    quantity: Decimal | None
    client_id: str
    trigger_price: Decimal | None = None
    price: Decimal | None = None
    tif: TimeInForce = TimeInForce.GTC
    working_type: WorkingType = WorkingType.CONTRACT_PRICE
    price_protect: bool = False
    reduce_only: bool = False
    close_position: bool = False
    callback_ratio: Decimal | None = None
    activate_price: Decimal | None = None
    until_flat: bool = False

    @property
    def ends_when_flat(self) -> bool:
        """Whether it needs a position, and expires with it."""
        return self.until_flat or self.close_position

    @property
    def reduces(self) -> bool:
        """Whether it can only shrink a position."""
        return self.reduce_only or self.close_position


@dataclass(slots=True)
class AlgoOrder:
    """A conditional order; `extreme` is the best price seen since placement (trailing)."""

    request: AlgoRequest
    algo_id: int
    created_ms: int
    updated_ms: int
    extreme: Decimal
    status: AlgoStatus = AlgoStatus.NEW
    trigger_ms: int = 0
    child: Order | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class StillBirth:
    """How a conditional order ends that the exchange takes, but that never lives.

    Attributes:
        status: What its answer says: REJECTED or EXPIRED.
        reason: Text of its end.
        told: Whether the user data stream tells of the order.
    """

    status: AlgoStatus
    reason: str
    told: bool


@dataclass(frozen=True, slots=True)
class Trade:
    """One fill of ours; prices and money in USDT, quantity in base units."""

    trade_id: int
    order_id: int
    symbol: str
    side: Side
    ms: int
    price: Decimal
    quantity: Decimal
    fee: Decimal
    realized: Decimal
    maker: bool
