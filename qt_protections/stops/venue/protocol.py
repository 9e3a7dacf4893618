"""What the guard can ask an exchange and send to it, and how that can fail."""

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Any, ClassVar, Protocol

from qt_protections.rules.quote import Quote
from qt_protections.rules.retry_policy import Outcome, Refusal

#: An order as ccxt parses it, amounts in base currency.
CcxtOrder = dict[str, Any]


class Road(StrEnum):
    """A service of the exchange. Each may fail while the others answer."""

    STOPS = "conditional orders"
    ORDERS = "orders"
    ACCOUNT = "account and market data"


class Rank(IntEnum):
    """What a request of the guard's is for; the lower the number, the longer it may be sent."""

    PROTECT = 0
    MOVE = 1
    ASK = 2
    COMPARE = 3
    COURTESY = 4


class RequestError(Exception):
    """A request failed.

    Attributes:
        outcome: Whether it can have been executed all the same.
        code: The exchange's own number, for example -2021, to be shown; None when it gave none.
        refusal: What it means by that.
        wants_silence: Whether it wants fewer requests from this address, or none for a while.
        retry_after_s: Seconds it wants nothing sent; None when it does not say.
    """

    def __init__(
        self,
        text: str,
        outcome: Outcome,
        code: int | None = None,
        retry_after_s: float | None = None,
        *,
        refusal: Refusal = Refusal.OTHER,
        wants_silence: bool = False,
    ) -> None:
        super().__init__(text)
        self.outcome = outcome
        self.code = code
        self.refusal = refusal
        self.retry_after_s = retry_after_s
        self.wants_silence = wants_silence


@dataclass(frozen=True, slots=True)
class Position:
    """A position of the account; amount in base currency, > 0, prices in quote currency.

    Attributes:
        updated_ms: When the exchange last changed it, epoch milliseconds; 0 if it does not say.
    """

    pair: str
    is_short: bool
    amount: float
    entry_price: float
    leverage: float
    updated_ms: int = 0


@dataclass(frozen=True, slots=True)
class StopOrder:
    """A reduce-only stop at market.

    Attributes:
        pair: Freqtrade's pair.
        is_short: Side of the position it is for.
        amount: Base currency.
        trigger: Quote currency.
        leverage: Of the position.
    """

    pair: str
    is_short: bool
    amount: float
    trigger: float
    leverage: float


@dataclass(frozen=True, slots=True)
class TrailingOrder:
    """A reduce-only trailing stop.

    Attributes:
        pair: Freqtrade's pair.
        is_short: Side of the position it is for.
        amount: Base currency.
        callback_pct: How far it stays behind the best price, in per cent of that.
        activation: Price it begins at, quote currency; None trails from now.
    """

    pair: str
    is_short: bool
    amount: float
    callback_pct: float
    activation: float | None


@dataclass(frozen=True, slots=True)
class CloseOrder:
    """A position, or a part of one, to be closed at market; amount in base currency."""

    pair: str
    is_short: bool
    amount: float
    leverage: float


class Venue(Protocol):
    """What a venue offers. Every method may raise `RequestError`; none repeats a request by itself.

    Attributes:
        WATCHES: Whether it can list what is live, and find an order by its client id. Where it
            cannot, `open_stops`, `open_orders` and a search by client id tell nothing, an empty
            list or None, and Freqtrade's own loop looks after the stops: ask this first.
    """

    WATCHES: ClassVar[bool]

    def place_stop(self, order: StopOrder, client_id: str) -> CcxtOrder:
        """Send a stop and return its answer."""

    def place_trailing(self, order: TrailingOrder, client_id: str) -> CcxtOrder:
        """Send a trailing stop and return its answer."""

    def cancel(self, pair: str, order_id: str) -> bool:
        """Cancel a stop or a trailing stop; return False if the exchange says there is none."""

    def open_stops(self, pair: str | None = None) -> list[CcxtOrder]:
        """Return every live conditional order, of one pair or of all, whoever placed it."""

    def find_stop(
        self, pair: str, *, order_id: str | None = None, client_id: str | None = None
    ) -> CcxtOrder | None:
        """Return a conditional order in any state; None if the exchange says there is none."""

    def find_order(
        self, pair: str, *, order_id: str | None = None, client_id: str | None = None
    ) -> CcxtOrder | None:
        """Return an order of the book in any state; None if the exchange says there is none."""

    def open_orders(self, pair: str | None = None) -> list[CcxtOrder]:
        """Return every open order of the book, of one pair or of all, whoever placed it."""

    def orders_since(self, pair: str, since_ms: int) -> list[CcxtOrder]:
        """Return the orders of a pair's book that were sent since then, oldest first.

        Args:
            pair: Freqtrade's pair.
            since_ms: Epoch milliseconds; of more than six days, the last six are searched.
        """

    def cancel_order(self, pair: str, order_id: str) -> None:
        """Cancel an order of the book; one that is gone already is no error."""

    def positions(self) -> dict[str, Position]:
        """Return the account's open positions by pair."""

    def account_positions(self) -> set[str]:
        """Return the pairs with a position by another endpoint than `positions` asks."""

    def quotes(self) -> dict[str, Quote]:
        """Return the best prices by pair; nothing where they are not to be had at once."""

    def price(self, pair: str) -> float:
        """Return the latest price of the kind that triggers stops, last or mark."""

    def ping(self, idle_s: float = 0.0) -> None:
        """Ask for nothing, so that a connection is open when something is to be sent in haste.

        Args:
            idle_s: Nothing is sent where a request was answered within so many seconds.
        """

    def has_room(self, rank: Rank) -> bool:
        """Whether so much of what the exchange allows is left that a request may be sent."""

    def shut_s(self, road: Road) -> float:
        """Return for how many seconds a service takes nothing from this address; 0 as a rule.

        What is asked of that service meanwhile fails at once, with nothing sent.
        """

    @property
    def arrives_within_s(self) -> float:
        """Seconds after which a request that was sent can be executed no more."""

    @property
    def clock_skew_s(self) -> float:
        """Seconds this machine's clock is ahead of the exchange's; 0 while that is unknown."""

    def largest(self, pair: str) -> float:
        """Return how much one order at market may be, base currency; infinity without a limit."""

    def tick(self, pair: str) -> float | None:
        """Return the step of a pair's prices; None where the exchange has another notion of it."""

    def close(self, order: CloseOrder, client_id: str) -> CcxtOrder:
        """Close at market, reduce-only, and return the answer."""
