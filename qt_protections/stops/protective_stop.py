"""One exchange-side stop: how it is placed, asked after, and withdrawn."""

import logging
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any, Self

from freqtrade.exceptions import FreqtradeException, InvalidOrderException
from freqtrade.exchange import Exchange
from freqtrade.util import dt_now

from qt_protections.errors import EntryRefused
from qt_protections.rules.verdict import Denial, DenyCode
from qt_protections.snapshots import symbol_of

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class StopPlan:
    """The stop an entry needs before it may go out.

    Attributes:
        pair: Freqtrade's pair.
        held: The position before the entry, in base currency.
        amount: The whole position after the entry, in base currency, > `held`.
        trigger: Trigger price, on the losing side of the entry.
        is_short: Whether the position gains when the price falls.
        leverage: Of the position; Freqtrade sets it along with every order.
    """

    pair: str
    held: float
    amount: float
    trigger: float
    is_short: bool
    leverage: float


@dataclass(frozen=True, slots=True)
class ProtectiveStop:
    """A stop the exchange accepted; `order` is its answer as ccxt parsed it."""

    plan: StopPlan
    order: dict[str, Any]

    @property
    def order_id(self) -> str:
        """The exchange's id of the stop."""
        return str(self.order["id"])

    @property
    def trigger(self) -> float:
        """The trigger price the exchange accepted, rounded to its tick."""
        return float(self.order.get("stopPrice") or self.plan.trigger)

    def as_state(self) -> dict[str, Any]:
        """Return what survives a restart, as JSON can hold it."""
        return {"plan": asdict(self.plan), "order": {k: self.order.get(k) for k in _ORDER_FACTS}}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        """Return the stop that `as_state` described."""
        return cls(StopPlan(**state["plan"]), state["order"])


#: What Freqtrade's own order record is made from.
_ORDER_FACTS = (
    "id", "symbol", "type", "side", "status", "stopPrice", "price", "average",
    "amount", "filled", "remaining", "cost", "timestamp",
)  # fmt: skip


def place(exchange: Exchange, plan: StopPlan, order_types: dict[str, Any]) -> ProtectiveStop:
    """Send the stop, reduce-only, and return it once the exchange has accepted it.

    Args:
        exchange: The bot's exchange.
        plan: What to place.
        order_types: The strategy's, which may choose mark price for the trigger.

    Raises:
        EntryRefused: If the exchange did not take it, or did not say so.
    """
    logger.info("[SHIELD] Placing IMMEDIATE SL for %s", symbol_of(plan.pair))
    try:
        order = exchange.create_stoploss(
            pair=plan.pair,
            amount=plan.amount,
            stop_price=plan.trigger,
            order_types=order_types,
            side="buy" if plan.is_short else "sell",
            leverage=plan.leverage,
        )
    except FreqtradeException as error:
        denial = Denial(DenyCode.STOP_REFUSED, f"no stop, no entry: {error}")
        raise EntryRefused(plan.pair, denial) from error
    stop = ProtectiveStop(plan, dict(order))
    logger.info("[OK] SL placed successfully: order ID %s", stop.order_id)
    return stop


def withdraw(exchange: Exchange, stop: ProtectiveStop) -> bool:
    """Cancel a stop that protects nothing; return whether it is gone."""
    try:
        exchange.cancel_stoploss_order(stop.order_id, stop.plan.pair)
    except InvalidOrderException as error:
        logger.info("Stop %s of %s was gone already: %s", stop.order_id, stop.plan.pair, error)
    except FreqtradeException as error:
        logger.warning("Could not cancel stop %s of %s: %s", stop.order_id, stop.plan.pair, error)
        return False
    return True


def is_live(exchange: Exchange, stop: ProtectiveStop) -> bool:
    """Ask the exchange, once, whether the stop still waits for its trigger.

    Freqtrade's `fetch_stoploss_order` would repeat an unfindable order's query for 25 s.

    Raises:
        FreqtradeException: If the exchange does not answer, or does not find it.
    """
    by_stop = exchange.get_option("stoploss_query_requires_stop_flag")
    found = exchange.fetch_order(  # type: ignore[call-arg]
        stop.order_id,
        stop.plan.pair,
        params={"stop": True} if by_stop else {},
        count=0,  # taken by Freqtrade's retrier
    )
    return bool(found["status"] == "open")


def position_size(exchange: Exchange, pair: str) -> float:
    """Return the size of the account's position in base currency; 0 when flat.

    Raises:
        FreqtradeException: If the exchange does not answer.
    """
    positions = exchange.fetch_positions(pair)
    size = sum(abs(p["contracts"] or 0.0) for p in positions if p["symbol"] == pair)
    return exchange._contracts_to_amount(pair, size)


def may_be_needed(exchange: Exchange, stop: ProtectiveStop) -> bool:
    """Ask the exchange whether the stop protects a position, or an entry that is still open.

    Raises:
        FreqtradeException: If the exchange does not answer.
    """
    if position_size(exchange, stop.plan.pair) > 0:
        return True
    entry_side = "sell" if stop.plan.is_short else "buy"
    orders = exchange.fetch_orders(stop.plan.pair, dt_now() - timedelta(days=1))
    return any(order["status"] == "open" and order["side"] == entry_side for order in orders)
