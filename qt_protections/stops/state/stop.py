"""One order that protects a position, as the exchange last told of it."""

from dataclasses import dataclass, field, replace
from enum import StrEnum
from math import inf
from time import monotonic
from typing import Any

from qt_protections.rules.stop_plan import LiveStop
from qt_protections.stops.state.phases import StopEvent, StopPhase, advance_stop
from qt_protections.stops.venue.protocol import CcxtOrder


class StopStatus(StrEnum):
    """What became of a conditional order."""

    LIVE = "live"
    TRIGGERED = "triggered"
    GONE = "gone"


class StopKind(StrEnum):
    """What moves a stop's trigger."""

    FIXED = "the guard, by another stop"
    TRAILING = "the exchange, behind the best price"


@dataclass(slots=True)
class StopTrack:
    """What this process has found out of a stop since the exchange accepted the stop.

    Attributes:
        phase: What is known of it.
        fired_at: When this process first knew that the stop had triggered, on its monotonic clock;
            None before.
        unlisted_since: Since when lists have not shown the stop, on the same clock; None if the
            last list did.
        is_inherited: Whether an earlier run placed the stop and nothing known explains it. Such a
            stop may protect an entry whose answer was lost; only evidence that there is none lets
            it go.
    """

    phase: StopPhase = StopPhase.LIVE
    fired_at: float | None = None
    unlisted_since: float | None = None
    is_inherited: bool = False

    def hear(self, event: StopEvent) -> None:
        """Take in what was told of the stop."""
        self.phase = advance_stop(self.phase, event)
        if self.phase is StopPhase.FIRED and self.fired_at is None:
            self.fired_at = monotonic()

    @property
    def is_in_doubt(self) -> bool:
        """Whether the exchange has to be asked what became of the stop."""
        return self.phase in (StopPhase.UNCONFIRMED, StopPhase.FIRED)

    @property
    def has_fired(self) -> bool:
        """Whether the stop triggered: what its order did is not known, and it covers no more."""
        return self.phase is StopPhase.FIRED


@dataclass(frozen=True, slots=True)
class Stop:
    """A stop that the exchange accepted.

    Attributes:
        pair: Freqtrade's pair.
        is_short: Side of the position it protects.
        amount: Base currency.
        trigger: The trigger price the exchange accepted, rounded to its tick; 0 of a trailing stop.
        order: The exchange's answer as ccxt parsed it.
        kind: Fixed or trailing.
        track: What was found out since; the one part that changes.
    """

    pair: str
    is_short: bool
    amount: float
    trigger: float
    order: CcxtOrder = field(repr=False)
    kind: StopKind = StopKind.FIXED
    track: StopTrack = field(default_factory=StopTrack, repr=False, compare=False)

    @classmethod
    def of(cls, pair: str, order: CcxtOrder, amount: float = 0.0, trigger: float = 0.0) -> "Stop":
        """Read ccxt's order; what the exchange left out is what was asked for."""
        return cls(
            pair=pair,
            is_short=order["side"] == "buy",
            amount=float(order.get("amount") or amount),
            trigger=float(order.get("stopPrice") or order.get("triggerPrice") or trigger),
            order=order,
        )

    @classmethod
    def trailing(cls, pair: str, order: CcxtOrder, amount: float = 0.0) -> "Stop":
        """Read ccxt's order of a trailing stop; its trigger is the exchange's affair."""
        return replace(cls.of(pair, order, amount), trigger=0.0, kind=StopKind.TRAILING)

    @property
    def order_id(self) -> str:
        """The exchange's id."""
        return str(self.order["id"])

    @property
    def standing(self) -> LiveStop:
        """The stop as the rules see it."""
        return LiveStop(self.order_id, self.amount, self.trigger)


def guard_of(pair: str, order: CcxtOrder) -> Stop | None:
    """Return a live conditional order as a stop, whoever placed it; None if it guards nothing.

    What takes profit, trails from a price that may never come, or could open a position does not.
    With `closePosition` it covers all there is.
    """
    info: dict[str, Any] = order.get("info") or {}
    closes_all = str(info.get("closePosition")).lower() == "true"
    if info.get("orderType") not in ("STOP_MARKET", "STOP"):
        return None
    return Stop.of(pair, order, inf) if closes_all or order.get("reduceOnly") else None


def stop_status(order: CcxtOrder) -> StopStatus:
    """Return what a conditional order's state means for the position it protected."""
    status = order.get("status")
    if status == "open":
        return StopStatus.LIVE
    return StopStatus.TRIGGERED if status in ("closed", "triggered") else StopStatus.GONE


def child_id(order: CcxtOrder) -> str:
    """Return the id of the order a triggered stop became; empty before."""
    info: dict[str, Any] = order.get("info") or {}
    return str(info.get("actualOrderId") or "")


def filled_ms(order: CcxtOrder) -> int:
    """Return when an order last filled, epoch milliseconds; when it was sent if nobody tells."""
    return int(order.get("lastTradeTimestamp") or order.get("timestamp") or 0)


def part_of(order: CcxtOrder, amount: float) -> CcxtOrder:
    """Return an order as if it had filled so much at most, base currency."""
    if float(order.get("filled") or 0.0) <= amount:
        return order
    return {**order, "filled": amount, "amount": amount, "remaining": 0.0, "cost": None}


def as_booked(stop: CcxtOrder, child: CcxtOrder | None) -> CcxtOrder:
    """Return a stop that is over as Freqtrade books it: its child's fill under its own id.

    Args:
        stop: The stop as the exchange last told of it.
        child: The order it became; None if it ended without.
    """
    if child is None:
        return {**stop, "status": "canceled", "filled": 0.0, "remaining": stop.get("amount")}
    return {
        **child,
        "id": stop["id"],
        "id_stop": child["id"],
        "type": "stoploss",
        "stopPrice": stop.get("stopPrice"),
        "status_stop": "triggered",
    }
